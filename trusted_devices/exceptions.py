"""One tree of errors. A door turns each into its own words; none carries a secret or says who exists.

A wrong configuration is deliberately outside the tree: it is Django's ``ImproperlyConfigured``.
"""

from __future__ import annotations

from datetime import datetime, timedelta


class TrustedDevicesError(Exception):
    """Base of all errors of this app. ``code`` is stable and safe to show."""

    code = "error"


class InvalidCredentials(TrustedDevicesError):
    """The first factor was not accepted; never says whether the user exists."""

    code = "invalid_credentials"


class TooManyAttempts(TrustedDevicesError):
    """Guessing protection refused to look. ``retry_at`` is aware, ``None`` when it is not known."""

    code = "too_many_attempts"

    def __init__(self, retry_at: datetime | None = None) -> None:
        super().__init__("Too many attempts.")
        self.retry_at = retry_at


class CodeMismatch(TrustedDevicesError):
    """The second factor's code was wrong, used up or malformed (Cognito: ``CodeMismatchException``)."""

    code = "code_mismatch"


class CodeUsed(CodeMismatch):
    """The code was right and has been used, so that it says nothing of who sent it. It is no guess."""

    code = "code_used"


class UnknownMethod(TrustedDevicesError):
    """The named second factor is not one of the user's."""

    code = "unknown_method"


class SecondFactorRequired(TrustedDevicesError):
    """Second factors may be changed only in a sign-in in which one was used."""

    code = "second_factor_required"


class SignInExpired(TrustedDevicesError):
    """There is no half-finished sign-in, or it is too old, already finished, or no longer this user's."""

    code = "sign_in_expired"


class DeviceNotFound(TrustedDevicesError):
    """No such device among the user's (Cognito: ``ResourceNotFoundException``)."""

    code = "device_not_found"


class StaleDevice(TrustedDevicesError):
    """The device is no longer as the caller last saw it: it was changed meanwhile."""

    code = "stale_device"


class InvalidDeviceName(TrustedDevicesError):
    """A device name that cannot be: ``reason`` is ``empty`` (nothing of it can be seen), ``too_long``, ``characters``
    (it has some that are refused) or ``unstorable`` (it has some that the site's database does not know)."""

    code = "invalid_device_name"

    def __init__(self, reason: str = "characters") -> None:
        super().__init__(f"The name was refused: {reason}.")
        self.reason = reason


class TrustNotAllowed(TrustedDevicesError):
    """Trust may not be given here: by policy, tracking mode, impersonation, or without a real second factor."""

    code = "trust_not_allowed"


class FreshMfaRequired(TrustNotAllowed):
    """The second factor is too old for this: trust was ended, or the user's credentials were changed, since then."""

    code = "fresh_mfa_required"


class InvalidPeriod(TrustedDevicesError):
    """The period is not one that the policy offers this user; ``allowed`` are those that are, where they are known."""

    code = "invalid_period"

    def __init__(self, allowed: tuple[timedelta, ...] = ()) -> None:
        super().__init__("The period is not allowed.")
        self.allowed = allowed


class InvalidExpiry(TrustedDevicesError):
    """A trust expiry that has passed already, or that would lengthen trust instead of shortening it."""

    code = "invalid_expiry"


class AlreadyAnswered(TrustedDevicesError):
    """This question was answered before, in another tab or by a repeated request."""

    code = "already_answered"


class ActionRequired(TrustedDevicesError):
    """The password was right, and the backend lets the user in only after something that these pages cannot do.

    ``action`` is ``reset_password``, ``confirm_account`` or ``set_up_mfa``.
    """

    code = "action_required"

    def __init__(self, action: str) -> None:
        super().__init__(f"The account needs something first: {action}.")
        self.action = action


class PasswordRefused(TrustedDevicesError):
    """The new password, or what was to be said with it, was not accepted.

    ``reason`` is ``too_short``, ``no_uppercase``, ``no_lowercase``, ``no_number``, ``no_symbol``, ``used_before``,
    ``characters``, ``policy`` (another rule), ``attributes`` (one is not in its form) or ``taken`` (one is another's).
    """

    code = "password_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The new password was not accepted: {reason}.")
        self.reason = reason


class BackendUnavailable(TrustedDevicesError):
    """The owner of the devices cannot be reached. Trust is never assumed then."""

    code = "backend_unavailable"
