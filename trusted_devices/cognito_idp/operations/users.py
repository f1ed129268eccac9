"""The user behind an access token: attributes, and second factors."""

from __future__ import annotations

from functools import partial
from typing import Any

from trusted_devices.cognito_idp import errors, factors, profile, software_tokens, tokens
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.cognito_idp.signin import challenge_session
from trusted_devices.cognito_idp.software_tokens import FirstCode
from trusted_devices.types import MfaVerification

ONLY_VERIFIED = "A user who has a second factor anywhere on the site must have used one in that sign-in."
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
    differs=ONLY_VERIFIED + " Changes end the trust in devices. In a pool that requires MFA one factor stays enabled.",
)
def set_user_mfa_preference(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    wanted = preferences(call.params)
    with software_tokens.changing(bearer):
        factors.set_preference(bearer.pool_user, wanted)
    return {}


@operation("AssociateSoftwareToken", Access.SESSION, differs=ONLY_VERIFIED)
def associate_software_token(call: Call) -> Answer:
    text = call.params.get("Session")
    if text is None:
        bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
        with software_tokens.changing(bearer):
            return {"SecretCode": software_tokens.begin(bearer.pool_user)[1]}
    session, pool_user = challenge_session.load_for_setup(text, now=call.now)
    with software_tokens.setting_up(pool_user):
        challenge_session.use_up(session, text, now=call.now)
        setup, key = software_tokens.begin(pool_user)
    return {"SecretCode": key, "Session": session.waiting_for("MFA_SETUP", setup=setup).seal()}


@operation(
    "VerifySoftwareToken",
    Access.SESSION,
    differs=ONLY_VERIFIED + " From then on the sign-in counts as one with MFA.",
)
def verify_software_token(call: Call) -> Answer:
    text = call.params.get("Session")
    code, name = call.params["UserCode"], call.params.get("FriendlyDeviceName", "")
    if text is None:
        bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
        first = FirstCode(code=code, name=name, then=partial(tokens.verified, bearer.refresh_token))
        held = software_tokens.changing(bearer)
        software_tokens.finish(bearer.pool_user, first, held=held, by=call.by)
        return {"Status": "SUCCESS"}
    session, pool_user = challenge_session.load_for_setup(text, now=call.now)

    def use_up(_verification: MfaVerification) -> None:
        challenge_session.use_up(session, text, now=call.now)

    first = FirstCode(code=code, name=name, then=use_up, setup=session.setup)
    verified = software_tokens.finish(pool_user, first, held=software_tokens.setting_up(pool_user), by=call.by)
    return {"Status": "SUCCESS", "Session": session.after(verified).waiting_for("MFA_SETUP").seal()}


def attributes(pool_user: PoolUser) -> dict[str, Any]:
    """Return ``Username`` and ``UserAttributes``, whose values are texts here."""
    listed = [{"Name": "sub", "Value": str(pool_user.sub)}]
    listed += [{"Name": name, "Value": text} for name, text in profile.attribute_texts(pool_user).items()]
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
