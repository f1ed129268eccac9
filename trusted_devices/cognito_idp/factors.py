"""The site's second factors as challenges: SOFTWARE_TOKEN_MFA, EMAIL_OTP, SMS_MFA.

The site's own provider verifies codes of apps and mails; text messages are the endpoint's own. Recovery codes are not
offered: Cognito has none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.utils.translation import gettext as _

from trusted_devices.cognito_idp import attempts, errors, senders
from trusted_devices.cognito_idp.models import MfaConfiguration, PoolUser, UserPool
from trusted_devices.exceptions import CodeMismatch, CodeUsed, TooManyAttempts
from trusted_devices.mfa import get_provider
from trusted_devices.mfa.base import fingerprint
from trusted_devices.services import activity, devices, second_factor, stamps
from trusted_devices.types import By, EventAction, MfaMethod, MfaVerification, StatusReason

SMS, TOTP, EMAIL = "SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP"
KINDS = {"totp": TOTP, "hotp": TOTP, "email": EMAIL}
CODE_MEMBER = {SMS: "SMS_MFA_CODE", TOTP: "SOFTWARE_TOKEN_MFA_CODE", EMAIL: "EMAIL_OTP_CODE"}
MISMATCH = {
    TOTP: "Invalid code received for user",
    SMS: "Invalid code or auth state for the user.",
    EMAIL: "Invalid code or auth state for the user.",
}
ALIASES = {"EMAIL_MFA": EMAIL}
_BY_SMS = "sms/"
_METHODS = "_trusted_devices_methods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One challenge that a user can answer, by any of ``methods``; a text message, sent by the endpoint, has none."""

    challenge: str
    methods: tuple[MfaMethod, ...] = ()


def site_methods(pool_user: PoolUser) -> Sequence[MfaMethod]:
    """Return the factors that the site asks this user for; read once for an instance, which lives for one request."""
    found: Sequence[MfaMethod] | None = vars(pool_user).get(_METHODS)
    if found is None:
        found = second_factor.methods(pool_user.user)
        setattr(pool_user, _METHODS, found)
    return found


def read_again(pool_user: PoolUser, user: Any) -> None:
    """Take over ``user`` as stored now, and forget what was read of their factors and choices before."""
    pool_user.refresh_from_db(fields=["mfa_enabled", "preferred_mfa", "phone_number"])
    pool_user.user = user
    vars(pool_user).pop(_METHODS, None)


def credential_stamp(pool_user: PoolUser) -> str:
    """Return the user's credential stamp now."""
    return stamps.credential_stamp(pool_user.user, site_methods(pool_user))


def is_gone(pool_user: PoolUser, factor_id: str) -> bool:
    """Return whether that is a text message to a phone that is no longer the user's; the stamp tells of the rest."""
    return factor_id.startswith(_BY_SMS) and factor_id != _sms_id(pool_user)


def available(pool_user: PoolUser) -> list[Factor]:
    """Return the challenges that the pool knows and the user can answer, in Cognito's order."""
    pool = pool_user.pool
    methods = site_methods(pool_user)
    found = []
    if pool.sms_mfa and pool_user.phone_number and pool_user.mfa_enabled.get(SMS) and senders.get_sender() is not None:
        found.append(Factor(challenge=SMS))
    for challenge, wanted in ((TOTP, pool.software_token_mfa), (EMAIL, pool.email_mfa)):
        fitting = tuple(method for method in methods if KINDS.get(method.kind) == challenge)
        if wanted and fitting and pool_user.mfa_enabled.get(challenge, True):
            found.append(Factor(challenge=challenge, methods=fitting))
    return found


def not_asked(pool: UserPool) -> list[str]:
    """Return the kinds of factors that users of the site can have and a pool with MFA never asks for."""
    asked = {TOTP: pool.software_token_mfa, EMAIL: pool.email_mfa}
    if pool.mfa == MfaConfiguration.OFF:
        return []
    return sorted(kind for kind in get_provider().kinds() if not asked.get(KINDS.get(kind, "")))


def preferred(pool_user: PoolUser, found: list[Factor]) -> Factor | None:
    """Return the one to ask for without a choice, ``None`` where the user has to choose."""
    if len(found) == 1:
        return found[0]
    return next((factor for factor in found if factor.challenge == pool_user.preferred_mfa), None)


def are_due(pool_user: PoolUser, found: list[Factor]) -> bool:
    """Return whether the pool asks this user, who has the factors ``found``, for MFA."""
    if pool_user.pool.mfa == MfaConfiguration.OFF:
        return False
    return bool(found) or pool_user.pool.mfa == MfaConfiguration.ON


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question for a code: the ChallengeParameters, and the digest of a code that was sent by text message."""

    parameters: dict[str, str]
    digest: str = field(default="", repr=False)


def ask(pool_user: PoolUser, factor: Factor, *, by: By) -> Asked:
    """Send a code where one has to be sent. Raises ``WireError`` (TooManyRequestsException)."""
    user = pool_user.user
    parameters = {"USER_ID_FOR_SRP": user.get_username()}
    if factor.challenge == TOTP:
        return Asked(parameters={**parameters, "FRIENDLY_DEVICE_NAME": _friendly_name(factor)})
    if factor.challenge == SMS:
        code = f"{secrets.randbelow(1_000_000):06}"
        senders.send(pool_user, _("Your sign-in code is %(code)s.") % {"code": code}, now=by.at)
        return Asked(
            parameters={**parameters, **_delivery("SMS", "+*******" + pool_user.phone_number[-4:])},
            digest=_digest(pool_user, code),
        )
    try:
        second_factor.send(second_factor.ask_again(user, client=by.client), factor.methods[0])
    except TooManyAttempts:
        raise errors.too_many_requests() from None
    address = getattr(user, user.get_email_field_name(), "") or ""
    return Asked(parameters={**parameters, **_delivery("EMAIL", mask(address))})


def verify(pool_user: PoolUser, factor: Factor, code: str, *, sent: str, by: By) -> MfaVerification:
    """Verify ``code`` and use it up. ``sent`` is the digest that :func:`ask` gave.

    Raises ``WireError`` (CodeMismatchException, ExpiredCodeException, NotAuthorizedException).
    """
    user = pool_user.user
    with attempts.guess(attempts.code_subject(user.pk), user.get_username(), by=by) as guess:
        try:
            if factor.challenge == SMS:
                return _verify_sms(pool_user, code, sent, by)
            return _verify(pool_user, factor, code, by)
        except CodeUsed:
            raise errors.code_used() from None
        except CodeMismatch:
            guess.wrong = True
            raise errors.WireError("CodeMismatchException", MISMATCH[factor.challenge]) from None
        except TooManyAttempts:
            raise errors.too_many_requests() from None


def set_preference(pool_user: PoolUser, settings: dict[str, dict[str, Any]]) -> None:
    """Enable, disable and prefer factors; ends the trust in all devices where that takes one away or adds one.

    ``settings`` maps challenges to ``{"Enabled": ..., "PreferredMfa": ...}``. Raises ``WireError``, also where MFA is
    required and nothing would be left that can be asked for: the next sign-in could set nothing up.
    """
    before = {factor.challenge for factor in available(pool_user)}
    enabled, chosen = dict(pool_user.mfa_enabled), pool_user.preferred_mfa
    for challenge, wanted in settings.items():
        # What nobody has cannot be turned off: it would be off already once its owner has set it up.
        if wanted.get("Enabled") or (wanted.get("Enabled") is False and challenge in before):
            enabled[challenge] = wanted["Enabled"]
        if wanted.get("PreferredMfa"):
            chosen = challenge
        elif chosen == challenge and wanted.get("PreferredMfa") is False:
            chosen = ""
    pool_user.mfa_enabled, pool_user.preferred_mfa = enabled, chosen
    after = {factor.challenge for factor in available(pool_user)}
    for challenge, wanted in settings.items():
        if (wanted.get("Enabled") or wanted.get("PreferredMfa")) and challenge not in after:
            raise _not_set_up(challenge)
    if before and not after and pool_user.pool.mfa == MfaConfiguration.ON:
        raise errors.invalid_parameter("MFA is required in the user pool. Leave one factor enabled.")
    if chosen not in after:
        pool_user.preferred_mfa = ""
    pool_user.save(update_fields=["mfa_enabled", "preferred_mfa"])
    if before != after:
        devices.end_trust(user=pool_user.user, reason=StatusReason.MFA_CHANGED, by=By(actor=pool_user.user))


def enable(pool_user: PoolUser, challenge: str) -> None:
    """Have the pool ask for a factor that was set up just now."""
    pool_user.refresh_from_db(fields=["mfa_enabled"])
    pool_user.mfa_enabled[challenge] = True
    pool_user.save(update_fields=["mfa_enabled"])
    vars(pool_user).pop(_METHODS, None)


def has_text_messages(user: AbstractBaseUser) -> bool:
    """Return whether any pool asks ``user`` for codes by text message: those are no factors of the site's provider."""
    if senders.get_sender() is None:
        return False
    known = PoolUser.objects.filter(user=user.pk, pool__sms_mfa=True).exclude(phone_number="")
    return any(pool_user.mfa_enabled.get(SMS) for pool_user in known)


def mask(address: str) -> str:
    """Return an e-mail address with all but the first letters of both halves hidden."""
    local, _at, domain = address.partition("@")
    return f"{local[:1]}***@{domain[:1]}***"


def _verify(pool_user: PoolUser, factor: Factor, code: str, by: By) -> MfaVerification:
    """Try ``code`` on each of the methods: the wire does not say which app it is from.

    It is wrong, and announced as such, if it is none of any of them.
    """
    conversation, stamp = second_factor.ask_again(pool_user.user, client=by.client), credential_stamp(pool_user)
    for method in factor.methods[:-1]:
        try:
            return replace(conversation.answer_code(method, code), stamp=stamp)
        except CodeUsed:
            raise
        except (CodeMismatch, TooManyAttempts):
            continue
    return second_factor.verify(conversation, factor.methods[-1], code, stamp=stamp, by=by)


def _verify_sms(pool_user: PoolUser, code: str, sent: str, by: By) -> MfaVerification:
    user = pool_user.user
    if not sent or not hmac.compare_digest(_digest(pool_user, code), sent):
        activity.record(EventAction.SIGN_IN_FAILED, user=user, reason=CodeMismatch.code, by=by)
        credentials = {"username": user.get_username()}
        user_login_failed.send(sender=__name__, credentials=credentials, request=by.client.request)
        raise CodeMismatch
    return MfaVerification(kind="sms", factor_id=_sms_id(pool_user), at=by.at, stamp=credential_stamp(pool_user))


def _sms_id(pool_user: PoolUser) -> str:
    """Return what names this very phone in the log without telling its number."""
    return f"{_BY_SMS}{pool_user.pk}/{fingerprint(pool_user.sub, pool_user.phone_number)[:16]}"


def _digest(pool_user: PoolUser, code: str) -> str:
    return hashlib.sha256(f"{pool_user.sub}:{code}".encode()).hexdigest()


def _delivery(medium: str, destination: str) -> dict[str, str]:
    return {"CODE_DELIVERY_DELIVERY_MEDIUM": medium, "CODE_DELIVERY_DESTINATION": destination}


def _friendly_name(factor: Factor) -> str:
    """Return the name that the user gave the app when it was set up, if the site's provider keeps one."""
    label, _slash, key = factor.methods[0].id.partition("/")
    try:
        token = apps.get_model(label).objects.filter(pk=key).first()
    except (LookupError, ValueError):
        return ""
    return str(getattr(token, "name", ""))


def _not_set_up(challenge: str) -> errors.WireError:
    words = {
        TOTP: "User has not set up software token mfa",
        SMS: "User does not have delivery config set to turn on SMS_MFA",
        EMAIL: "User does not have delivery config set to turn on EMAIL_OTP",
    }
    return errors.invalid_parameter(words[challenge])
