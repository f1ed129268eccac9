"""The pool's words into ours: challenges, attributes, devices. Pure; errors are in ``errors``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from trusted_devices.cognito.errors import MalformedAnswer
from trusted_devices.exceptions import ActionRequired
from trusted_devices.types import DeviceStatus, MfaMethod, OwnedDevice

SMS, TOTP, EMAIL, SELECT = "SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "SELECT_MFA_TYPE"
NEW_PASSWORD, SET_UP = "NEW_PASSWORD_REQUIRED", "MFA_SETUP"
DEVICE = "DEVICE_SRP_AUTH"
CODE_MEMBER = {SMS: "SMS_MFA_CODE", TOTP: "SOFTWARE_TOKEN_MFA_CODE", EMAIL: "EMAIL_OTP_CODE"}
KINDS = {TOTP: "totp", EMAIL: "email", SMS: "sms"}
ALIASES = {"EMAIL_MFA": EMAIL}
LONGEST_ATTRIBUTE = 2048
"""Characters in a custom attribute."""
ATTRIBUTE = "userAttributes."
"""What stands before an attribute's name where it goes with a new password."""
_SECRET = re.compile(r"[A-Za-z0-9]{16,256}")
_DEVICE_KEY = re.compile(r"[\w-]{1,55}", re.ASCII)


def require(answer: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return these ChallengeParameters. Raises ``MalformedAnswer`` unless all are there."""
    parameters = answer.get("ChallengeParameters")
    values = [parameters.get(name) for name in names] if isinstance(parameters, Mapping) else [None]
    if not all(isinstance(value, str) and value for value in values):
        raise MalformedAnswer("A challenge without its parameters.")
    return tuple(str(value) for value in values)


def challenge_methods(answer: Mapping[str, Any]) -> list[MfaMethod]:
    """Return the second factors that a challenge asks for or lets choose from, those that need no sending first.

    Raises ``MalformedAnswer`` for anything that is not a second factor.
    """
    name = answer.get("ChallengeName")
    if name == SELECT:
        choices = [ALIASES.get(choice, choice) for choice in _listed(answer, "MFAS_CAN_CHOOSE")]
        found = [method(challenge, choosing=True) for challenge in KINDS if challenge in choices]
    elif name in CODE_MEMBER:
        found = [method(name, destination=destination(answer))]
    else:
        found = []
    if not found:
        raise MalformedAnswer(f"A challenge that is not known here: {name}.")
    return found


def ensure_authenticator(answer: Mapping[str, Any]) -> None:
    """Raise ``ActionRequired`` unless MFA_SETUP lets an authenticator be set up: in a sign-in that is all there is."""
    if TOTP not in _listed(answer, "MFAS_CAN_SETUP"):
        raise ActionRequired("set_up_mfa")


def set_up_method(key: str) -> MfaMethod:
    """Return the authenticator that is being set up with ``key``."""
    return MfaMethod(id=SET_UP, kind=KINDS[TOTP], label=_("Authenticator app"), set_up_key=key)


def set_up_key(answer: Mapping[str, Any]) -> str:
    """Return the key of AssociateSoftwareToken."""
    key = answer.get("SecretCode")
    if not isinstance(key, str) or not _SECRET.fullmatch(key):
        raise MalformedAnswer("An authenticator without a key.")
    return key


def due_attributes(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the attributes that NEW_PASSWORD_REQUIRED asks for as well, each once, without their prefix."""
    if "requiredAttributes" not in (answer.get("ChallengeParameters") or {}):
        return ()
    names = [name.removeprefix(ATTRIBUTE) for name in _listed(answer, "requiredAttributes")]
    if not all(name and name.isprintable() for name in names):
        raise MalformedAnswer("An attribute that cannot be asked for.")
    return tuple(dict.fromkeys(names))


def destination(answer: Mapping[str, Any]) -> str:
    """Return where the code of a challenge went, as the pool masks it; empty where none was sent or none is chosen."""
    if answer.get("ChallengeName") not in (SMS, EMAIL):
        return ""
    parameters = answer.get("ChallengeParameters") or {}
    return str(parameters.get("CODE_DELIVERY_DESTINATION") or "")


def method(challenge: str, *, destination: str = "", choosing: bool = False) -> MfaMethod:
    """Return the second factor behind a challenge; ``destination`` is where its code went, as the pool masks it."""
    labels = {
        TOTP: _("Code from your authenticator app"),
        EMAIL: _("Code by e-mail"),
        SMS: _("Code by text message"),
    }
    return MfaMethod(
        id=challenge,
        kind=KINDS[challenge],
        label=labels[challenge],
        needs_sending=challenge != TOTP,
        needs_choosing=choosing,
        sent_to=destination,
    )


def user_claims(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what AdminGetUser says of a user under the names that an ID token has for it."""
    claims = _attributes(answer.get("UserAttributes"))
    if "sub" not in claims or not isinstance(answer.get("Username"), str):
        raise MalformedAnswer("A user without a sub.")
    return {**claims, "cognito:username": answer["Username"]}


def user_methods(answer: Mapping[str, Any]) -> list[MfaMethod]:
    """Return the second factors that AdminGetUser says are active, the preferred one first."""
    active = [ALIASES.get(name, name) for name in answer.get("UserMFASettingList") or ()]
    preferred = answer.get("PreferredMfaSetting")
    return [method(name) for name in sorted(KINDS, key=lambda name: name != preferred) if name in active]


def user_attribute(answer: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute of a user of AdminGetUser, ``None`` if it was never written."""
    return _attributes(answer.get("UserAttributes")).get(name)


def expiry_attribute(dates: Mapping[str, datetime]) -> str:
    """Return what other apps read: a JSON object from device keys to seconds since 1970, the longest trust first.

    An attribute holds 2,048 characters. What does not fit, trust that ends sooner, is left out: an app that does not
    find a device asks for MFA.
    """
    kept: dict[str, int] = {}
    for key in sorted(dates, key=lambda key: (-dates[key].timestamp(), key)):
        candidate = {**kept, key: int(dates[key].timestamp())}
        if len(_compact(candidate)) > LONGEST_ATTRIBUTE:
            break
        kept = candidate
    return _compact(kept)


def device(raw: Mapping[str, Any]) -> OwnedDevice:
    """Return one device of AdminListDevices or AdminGetDevice."""
    attributes = _attributes(raw.get("DeviceAttributes"))
    key = raw.get("DeviceKey")
    if not isinstance(key, str) or not _DEVICE_KEY.fullmatch(key):
        raise MalformedAnswer("A device without a key.")
    remembered = attributes.get("dev:device_remembered_status") == DeviceStatus.REMEMBERED
    return OwnedDevice(
        device_key=key,
        status=DeviceStatus.REMEMBERED if remembered else DeviceStatus.NOT_REMEMBERED,
        name=attributes.get("device_name", ""),
        last_ip=attributes.get("last_ip_used"),
        created_at=_moment(raw.get("DeviceCreateDate")),
        modified_at=_moment(raw.get("DeviceLastModifiedDate")),
        last_authenticated_at=_moment(raw.get("DeviceLastAuthenticatedDate")),
    )


def _compact(record: Mapping[str, int]) -> str:
    return json.dumps(record, separators=(",", ":"))


def _listed(answer: Mapping[str, Any], name: str) -> Sequence[str]:
    """Return one of the ChallengeParameters that are JSON lists of names."""
    try:
        listed = json.loads(answer["ChallengeParameters"][name])
    except (KeyError, TypeError, ValueError):
        listed = [None]
    listed = listed if isinstance(listed, list) else []
    if not all(isinstance(each, str) for each in listed):
        raise MalformedAnswer("A challenge that does not say what there is to choose from.")
    return listed


def _attributes(raw: Any) -> dict[str, str]:
    try:
        return {str(attribute["Name"]): str(attribute.get("Value", "")) for attribute in raw or ()}
    except (TypeError, KeyError, AttributeError):
        raise MalformedAnswer("Attributes that cannot be read.") from None


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
