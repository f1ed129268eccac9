"""What goes wrong at the pool, in the words of this app. One table, in which every declared error has its line."""

from __future__ import annotations

import logging
from collections.abc import Callable

from trusted_devices.exceptions import (
    ActionRequired,
    AlreadyAnswered,
    BackendUnavailable,
    CodeMismatch,
    CodeUsed,
    DeviceNotFound,
    InvalidCredentials,
    SignInExpired,
    TooManyAttempts,
    TrustedDevicesError,
    UnknownMethod,
)

logger = logging.getLogger(__name__)


class Throttled(BackendUnavailable):
    """The pool has too much to do; the same call may succeed a little later."""


class OutOfOrder(Throttled):
    """The pool broke down; whether it did what it was asked, nobody knows."""


class Lost(BackendUnavailable):
    """No answer came: nobody knows whether the call was made."""


class MalformedAnswer(BackendUnavailable):
    """The pool, or whatever answered in its place, gave an answer that cannot be read."""


class Unacceptable(BackendUnavailable):
    """The pool does not take a parameter: this site's fault, unless the user typed it.

    ``reason`` is what ``PasswordRefused`` says of it where the user did.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The user pool does not take what it was given: {reason}.")
        self.reason = reason


class UserNotFound(InvalidCredentials):
    """The pool has no such user."""


UNCERTAIN = (OutOfOrder, Lost, MalformedAnswer)
"""After these the pool may have done what it was asked."""

Translation = Callable[[str], TrustedDevicesError]


def _unavailable(message: str) -> TrustedDevicesError:
    return BackendUnavailable("The user pool cannot do what it was asked.")


def _not_authorized(message: str) -> TrustedDevicesError:
    """``NotAuthorizedException`` is about the user, the session, the tokens or this site, and only its words tell."""
    if message.startswith("Invalid session") or "Token" in message:
        return SignInExpired()
    if message == "Password attempts exceeded":
        return TooManyAttempts()
    if "must be reset by an administrator" in message:
        # A password that was set for somebody ends after some days.
        return ActionRequired("reset_password")
    if "secret" in message.lower():
        return BackendUnavailable("The app client's secret is not what the pool has.")
    return InvalidCredentials()


def _not_found(message: str) -> TrustedDevicesError:
    if "device" in message.lower():
        return DeviceNotFound()
    if message == "User does not exist.":
        return UserNotFound()
    return BackendUnavailable("The pool or the app client does not exist.")


TYPED = frozenset({"AliasExistsException", "InvalidPasswordException", "PasswordHistoryPolicyViolationException"})
"""What only users can have typed."""
PASSWORD_RULES = {
    "not long enough": "too_short",
    "uppercase": "no_uppercase",
    "lowercase": "no_lowercase",
    "numeric": "no_number",
    "symbol": "no_symbol",
}


def _bad_password(message: str) -> TrustedDevicesError:
    found = (reason for words, reason in PASSWORD_RULES.items() if words in message)
    return Unacceptable(next(found, "policy"))


def _unacceptable(message: str) -> TrustedDevicesError:
    return Unacceptable("characters" if "password" in message.lower() else "attributes")


TRANSLATIONS: dict[str, Translation] = {
    "NotAuthorizedException": _not_authorized,
    "ResourceNotFoundException": _not_found,
    "UserNotFoundException": lambda _: UserNotFound(),
    "UserLambdaValidationException": lambda _: InvalidCredentials(),
    "PasswordResetRequiredException": lambda _: ActionRequired("reset_password"),
    "UserNotConfirmedException": lambda _: ActionRequired("confirm_account"),
    "CodeMismatchException": lambda _: CodeMismatch(),
    "EnableSoftwareTokenMFAException": lambda _: CodeMismatch(),
    "ExpiredCodeException": lambda message: CodeUsed() if "already been used" in message else SignInExpired(),
    "MFAMethodNotFoundException": lambda _: UnknownMethod(),
    "SoftwareTokenMFANotFoundException": lambda _: UnknownMethod(),
    "TooManyFailedAttemptsException": lambda _: TooManyAttempts(),
    "TooManyRequestsException": lambda _: Throttled("The user pool is asked too much."),
    "LimitExceededException": lambda _: Throttled("The user pool is asked too much."),
    "ConcurrentModificationException": lambda _: Throttled("The user pool is at the same user elsewhere."),
    "ThrottlingException": lambda _: Throttled("The user pool is asked too much."),
    "DeviceKeyExistsException": lambda _: AlreadyAnswered(),
    "RefreshTokenReuseException": lambda _: SignInExpired(),
    "InternalErrorException": lambda _: OutOfOrder("The user pool is out of order."),
    "AliasExistsException": lambda _: Unacceptable("taken"),
    "InvalidPasswordException": _bad_password,
    "PasswordHistoryPolicyViolationException": lambda _: Unacceptable("used_before"),
    "InvalidParameterException": _unacceptable,
    # What only whoever runs the site can put right.
    "CodeDeliveryFailureException": _unavailable,
    "FeatureUnavailableInTierException": _unavailable,
    "ForbiddenException": _unavailable,
    "InvalidEmailRoleAccessPolicyException": _unavailable,
    "InvalidLambdaResponseException": _unavailable,
    "InvalidSmsRoleAccessPolicyException": _unavailable,
    "InvalidSmsRoleTrustRelationshipException": _unavailable,
    "InvalidUserPoolConfigurationException": _unavailable,
    "OperationNotEnabledException": _unavailable,
    "UnexpectedLambdaException": _unavailable,
    "UnsupportedOperationException": _unavailable,
    "UnsupportedTokenTypeException": _unavailable,
    "UnauthorizedException": _unavailable,
    "UserPoolAddOnNotEnabledException": _unavailable,
    "UserPoolTaggingException": _unavailable,
    "UsernameExistsException": _unavailable,
}


def translate(operation: str, name: str, message: str, status: int) -> TrustedDevicesError:
    """Return this app's error for one of the pool's. What is not the user's doing is logged, with its name alone."""
    known = TRANSLATIONS.get(name)
    if known is None and status >= 500:  # noqa: PLR2004 - RFC 9110, section 15.6
        error: TrustedDevicesError = OutOfOrder("The user pool is out of order.")
    else:
        error = (known or _unavailable)(message)
    if isinstance(error, BackendUnavailable) and name not in TYPED:
        logger.error("%s: the user pool answered %s.", operation, name)
    return error
