"""The ``TRUSTED_DEVICES`` setting: one dict, typed, read lazily, unknown keys and wrong values refused.

Every option is a field of :class:`Settings`; its ``help`` is the sentence in the documentation's table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.encoding import force_bytes

from trusted_devices.types import TrackingMode

NAME = "TRUSTED_DEVICES"
LONGEST_PERIOD = timedelta(days=400)
"""Browsers keep no cookie for longer (RFC 6265bis, section 5.5)."""
LONGEST_DURATION = timedelta(days=36500)
"""What can be subtracted from today's date."""

Validator = Callable[[Any], str | None]


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be True or False"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a non-empty string"


def _dotted_path(value: Any) -> str | None:
    good = isinstance(value, str) and value.count(".") and all(map(str.isidentifier, value.split(".")))
    return None if good else "must be a dotted path to a class or function"


def _period(value: Any) -> str | None:
    if not isinstance(value, timedelta):
        return "must be a datetime.timedelta"
    return None if timedelta(0) < value <= LONGEST_PERIOD else "must be more than nothing and at most 400 days"


def _duration(value: Any) -> str | None:
    if not isinstance(value, timedelta):
        return "must be a datetime.timedelta"
    return None if timedelta(0) < value <= LONGEST_DURATION else "must be more than nothing and at most 36500 days"


def _periods(value: Any) -> str | None:
    if not isinstance(value, list | tuple) or not value:
        return "must be a list of at least one datetime.timedelta"
    return next((message for message in map(_period, value) if message), None)


def _group_periods(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return "must map names of groups to datetime.timedelta"
    return next((message for message in map(_period, value.values()) if message), None)


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "must be a dict"


def _number(low: int, high: int) -> Validator:
    def validate(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"must be a whole number from {low} to {high}"

    return validate


def _one_of(*allowed: str) -> Validator:
    return lambda value: (
        None if value in allowed else "must be one of " + ", ".join(repr(str(choice)) for choice in allowed)
    )


def _matching(pattern: str, what: str) -> Validator:
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"


def _optional(validator: Validator) -> Validator:
    return lambda value: None if value is None else validator(value)


def _option(default: Any, validator: Validator, help_text: str) -> Any:
    metadata = {"validator": validator, "help": help_text}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options with their defaults."""

    BACKEND: str = _option(
        "local",
        lambda value: None if value in ("local", "cognito") else _dotted_path(value),
        "Who owns the devices: `local`, `cognito`, or the dotted path of a backend of your own.",
    )
    COGNITO: Mapping[str, Any] = _option({}, _mapping, "Options of the Cognito backend; see its own page.")
    COGNITO_IDP: Mapping[str, Any] = _option({}, _mapping, "Options of the wire endpoint; see its own page.")
    MFA: str | None = _option(
        None,
        _optional(_dotted_path),
        "Dotted path of the second-factor provider that the sign-in pages ask, such as "
        "`trusted_devices.mfa.otp.OTPProvider`. Without one, nobody is asked for a second factor.",
    )
    POLICY: str = _option(
        "trusted_devices.policy.TrustPolicy",
        _dotted_path,
        "Dotted path of the class that decides periods, maximum, who may be offered trust, and risk.",
    )
    TRACKING: str = _option(
        "opt_in",
        _one_of(*TrackingMode),
        "`opt_in`: the user is asked; `always`: every device is remembered after MFA; `off`: none is.",
    )
    CHALLENGE_REQUIRED_ON_NEW_DEVICE: bool = _option(
        True,
        _boolean,
        "As on Cognito: only new devices are asked for MFA. With `False` remembered devices are asked too.",
    )
    PERIODS: tuple[timedelta, ...] = _option(
        (timedelta(days=30), timedelta(days=60), timedelta(days=90)),
        _periods,
        "The periods of trust that users choose from.",
    )
    DEFAULT_PERIOD: timedelta = _option(
        timedelta(days=60),
        _period,
        "The preselected period; the nearest shorter one where it is not allowed.",
    )
    MAX_PERIOD: timedelta = _option(
        timedelta(days=90),
        _period,
        "The longest period for anybody. Shortening it shortens trust already given.",
    )
    STAFF_MAX_PERIOD: timedelta | None = _option(
        None, _optional(_period), "The longest period for staff (`is_staff`); `None`: as for everybody."
    )
    GROUP_MAX_PERIODS: Mapping[str, timedelta] = _option(
        {}, _group_periods, "The longest period by name of group; the shortest of a user's groups counts."
    )
    TRUST_AFTER_RECOVERY_CODE: bool = _option(False, _boolean, "Whether a sign-in by recovery code may earn trust.")
    KEEP_DEVICE_ON_PASSWORD_CHANGE: bool = _option(
        False, _boolean, "Whether users who change their own password stay trusted on the device in hand."
    )
    MAX_DEVICES_PER_USER: int = _option(
        20,
        _number(1, 1000),
        "How many devices a user may have. One more and the longest unused is forgotten, not-remembered ones first.",
    )
    MAX_NAME_LENGTH: int = _option(64, _number(1, 255), "The longest device name in characters.")
    REGION: str = _option(
        "local",
        _matching(r"[A-Za-z0-9-]{1,18}", "1 to 18 letters, digits or hyphens"),
        "The first part of device keys, `<region>_<uuid>`.",
    )
    COOKIE_NAME: str = _option(
        "trusted_device",
        _matching(
            r"(?!__)[A-Za-z0-9_.-]{1,64}",
            "a cookie name of at most 64 letters, digits, `_`, `.` or `-` that does not begin with `__`",
        ),
        "Name of the device-key cookie; `__Host-` goes in front where it is Secure, on path `/` and has no domain.",
    )
    COOKIE_DOMAIN: str | None = _option(None, _optional(_text), "Domain of the cookie; `None`: this host only.")
    COOKIE_PATH: str = _option("/", _matching(r"/[^;\s]*", "a path that begins with /"), "Path of the cookie.")
    COOKIE_SECURE: bool | None = _option(
        None, _optional(_boolean), "Whether the cookie is sent over HTTPS only; `None`: unless `DEBUG` is on."
    )
    COOKIE_SAMESITE: str = _option(
        "Lax", _one_of("Lax", "Strict", "None"), "The cookie's `SameSite`; `None` only together with Secure."
    )
    HEADER_NAME: str = _option(
        "Trusted-Device",
        _matching(r"[A-Za-z][A-Za-z0-9-]{0,63}", "a header name of letters, digits and hyphens"),
        "The header in which clients without cookies carry the same sealed value.",
    )
    SIGN_IN_TIMEOUT: timedelta = _option(timedelta(minutes=10), _duration, "How long a sign-in may stay half finished.")
    MFA_SETUP_URL: str | None = _option(
        None, _optional(_text), "URL or URL name of your page for setting up a second factor."
    )
    ADMIN_REQUIRES_MFA: bool = _option(
        True, _boolean, "Whether the protected admin refuses staff who have no second factor."
    )
    NEW_DEVICE_EMAIL: bool = _option(
        True,
        _boolean,
        "Whether users get a mail when a new device is trusted, a device was misused, or staff forget one.",
    )
    BULK_RUNNER: str | None = _option(
        None,
        _optional(_dotted_path),
        "Who does staff's big acts on many devices in the background, such as `trusted_devices.tasks.start_bulk_act` "
        "(Celery; the cache must be shared by all processes). `None`: the admin's page does them step by step.",
    )
    EVENT_RETENTION: timedelta = _option(
        timedelta(days=365), _duration, "How long the activity log is kept (`prune_events`)."
    )
    STORED_IP: str = _option(
        "truncated",
        _one_of("truncated", "full", "none"),
        "How network addresses are stored: cut to /24 and /48, whole, or not at all.",
    )
    GEOIP: bool = _option(
        False,
        _boolean,
        "Whether the devices page and the API name the place of a network address, by the database at "
        "Django's `GEOIP_PATH` (extra `geoip`).",
    )
    CLIENT_IP: str | None = _option(
        None,
        _optional(_dotted_path),
        "Dotted path of a function from request to network address, for sites behind a proxy; `None`: `REMOTE_ADDR`.",
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the setting. ``unknown`` tells a misspelt key from a bad value."""

    key: str
    message: str
    unknown: bool = False


def options() -> tuple[Field[Any], ...]:
    """Return the options in order, for checks and documentation."""
    return fields(Settings)


def problems(raw: Any) -> Iterator[Problem]:
    """Yield everything that is wrong with ``raw``, a candidate for the ``TRUSTED_DEVICES`` setting."""
    if not isinstance(raw, Mapping):
        yield Problem(NAME, "must be a dict")
        return
    known = {option.name: option for option in options()}
    for key in raw:
        if key not in known:
            yield Problem(str(key), "is not an option", unknown=True)
    bad = False
    for name, option in known.items():
        if name in raw and (message := option.metadata["validator"](raw[name])):
            bad = True
            yield Problem(name, message)
    if not bad:
        yield from _contradictions(_build(raw))


def _contradictions(values: Settings) -> Iterator[Problem]:
    if min(values.PERIODS) > values.MAX_PERIOD:
        yield Problem("PERIODS", "has no period that MAX_PERIOD allows")
    if values.DEFAULT_PERIOD not in values.PERIODS:
        yield Problem("DEFAULT_PERIOD", "must be one of PERIODS")
    if values.COOKIE_SAMESITE == "None" and values.COOKIE_SECURE is False:
        yield Problem("COOKIE_SAMESITE", "can be 'None' only if COOKIE_SECURE is not False")


def _build(raw: Mapping[str, Any]) -> Settings:
    known = {option.name for option in options()}
    chosen: dict[str, Any] = {
        key: tuple(value) if key == "PERIODS" else value for key, value in raw.items() if key in known
    }
    return Settings(**chosen)


@cache
def get_settings() -> Settings:
    """Return the site's options. Raises ``ImproperlyConfigured`` naming all that is wrong with them."""
    raw = getattr(django_settings, NAME, {})
    wrong = [f"{problem.key} {problem.message}" for problem in problems(raw)]
    if wrong:
        raise ImproperlyConfigured(f"{NAME}: " + "; ".join(wrong) + ".")
    return _build(raw)


def secret_keys() -> tuple[bytes, ...]:
    """Return ``SECRET_KEY`` and its fallbacks, newest first."""
    return tuple(force_bytes(key) for key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS))


def cookie_is_secure() -> bool:
    """Return whether the device-key cookie is for HTTPS only."""
    chosen = get_settings().COOKIE_SECURE
    return not django_settings.DEBUG if chosen is None else chosen


def _forget(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        get_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="trusted_devices.conf")
