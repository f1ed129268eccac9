"""The user behind an access token: attributes, and second factors."""

from __future__ import annotations

from typing import Any

from trusted_devices.cognito_idp import errors, factors, tokens
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.cognito_idp.signin import challenge_session
from trusted_devices.cognito_idp.tokens import Bearer

PREFERENCES = {
    "SMSMfaSettings": factors.SMS,
    "SoftwareTokenMfaSettings": factors.TOTP,
    "EmailMfaSettings": factors.EMAIL,
}


@operation("GetUser", Access.TOKEN)
def get_user(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    return {**attributes(bearer.pool_user), **mfa_settings(bearer.pool_user)}


@operation("GetUserAuthFactors", Access.TOKEN)
def get_user_auth_factors(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    return {
        "Username": bearer.user.get_username(),
        "ConfiguredUserAuthFactors": ["PASSWORD"],
        **mfa_settings(bearer.pool_user),
    }


@operation(
    "SetUserMFAPreference",
    Access.TOKEN,
    differs="A user with a second factor must have used it in that sign-in. Changes end the trust in devices.",
)
def set_user_mfa_preference(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    _require_mfa(bearer)
    factors.set_preference(bearer.pool_user, preferences(call.params))
    return {}


@operation(
    "AssociateSoftwareToken",
    Access.SESSION,
    differs="A user who has a second factor must have used it in that sign-in.",
)
def associate_software_token(call: Call) -> Answer:
    text = call.params.get("Session")
    if text is None:
        bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
        _require_mfa(bearer)
        _require_software_tokens(bearer.pool_user)
        return {"SecretCode": factors.begin_setup(bearer.pool_user)[1]}
    session, pool_user = challenge_session.load_for_setup(text, now=call.now)
    _require_software_tokens(pool_user)
    challenge_session.use_up(session, text, now=call.now)
    setup, key = factors.begin_setup(pool_user)
    return {"SecretCode": key, "Session": session.waiting_for("MFA_SETUP", setup=setup).seal()}


@operation("VerifySoftwareToken", Access.SESSION)
def verify_software_token(call: Call) -> Answer:
    text = call.params.get("Session")
    code, name = call.params["UserCode"], call.params.get("FriendlyDeviceName", "")
    if text is None:
        bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
        _require_mfa(bearer)
        factors.finish_setup(bearer.pool_user, code, friendly_name=name, by=call.by)
        return {"Status": "SUCCESS"}
    session, pool_user = challenge_session.load_for_setup(text, now=call.now)
    verified = factors.finish_setup(pool_user, code, setup=session.setup, friendly_name=name, by=call.by)
    challenge_session.use_up(session, text, now=call.now)
    return {"Status": "SUCCESS", "Session": session.after(verified).waiting_for("MFA_SETUP").seal()}


def attributes(pool_user: PoolUser) -> dict[str, Any]:
    """Return ``Username`` and ``UserAttributes``, whose values are texts here."""
    listed = [{"Name": "sub", "Value": str(pool_user.sub)}]
    listed += [{"Name": name, "Value": text} for name, text in tokens.attribute_texts(pool_user).items()]
    return {"Username": pool_user.user.get_username(), "UserAttributes": listed}


def mfa_settings(pool_user: PoolUser) -> dict[str, Any]:
    """Return which factors the user can be asked for, and which one they prefer; nothing where there is none."""
    found = factors.available(pool_user)
    settings: dict[str, Any] = {}
    if found:
        settings["UserMFASettingList"] = [factor.challenge for factor in found]
    chosen = factors.preferred(pool_user, found)
    if chosen is not None:
        settings["PreferredMfaSetting"] = chosen.challenge
    return settings


def preferences(params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a SetUserMFAPreference or its Admin twin says of each challenge. Raises ``WireError``."""
    found = {challenge: params[name] for name, challenge in PREFERENCES.items() if name in params}
    if sum(bool(wanted.get("PreferredMfa")) for wanted in found.values()) > 1:
        raise errors.invalid_parameter("Only one preferred MFA method is allowed.")
    return found


def _require_mfa(bearer: Bearer) -> None:
    """Raise ``WireError`` for a user with a second factor whose sign-in skipped it because of its device."""
    if bearer.refresh_token.verification is None and factors.available(bearer.pool_user):
        raise errors.not_authorized("Access Token is of a sign-in without MFA")


def _require_software_tokens(pool_user: PoolUser) -> None:
    if not factors.can_set_up(pool_user.pool):
        raise errors.WireError("SoftwareTokenMFANotFoundException", "Software token MFA is not enabled for the pool.")
