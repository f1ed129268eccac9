"""The ``TRUSTED_DEVICES`` setting: one dict, typed, read lazily, unknown keys and wrong values refused.

Every option is a field of :class:`Settings`; its ``help`` is the sentence in the documentation's table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from django.conf import settings as django_settings
from django.utils.encoding import force_bytes

from trusted_devices.conf.section import NAME, Problem, Section, option, read_anew
from trusted_devices.conf.validators import (
    LONGEST_PERIOD,
    boolean,
    dotted_path,
    duration,
    group_periods,
    mapping,
    matching,
    one_of,
    optional,
    period,
    periods,
    text,
    whole_number,
)
from trusted_devices.types import TrackingMode

__all__ = [
    "LONGEST_PERIOD",
    "NAME",
    "NEEDS_TIME_ZONES",
    "SIGNED_COOKIES",
    "Problem",
    "Settings",
    "cookie_is_secure",
    "get_settings",
    "read_anew",
    "secret_keys",
]

SIGNED_COOKIES = "django.contrib.sessions.backends.signed_cookies"
"""Django's session engine that keeps sessions in the browser, where they cannot be ended."""


NEEDS_TIME_ZONES = (
    "trusted_devices needs USE_TZ = True: in local time an hour comes twice a year, and nobody could tell "
    "whether trust, a code or a token has ended."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Section):
    """The options of the site with their defaults."""

    BACKEND: str = option(
        "local",
        lambda value: None if value in ("local", "cognito") else dotted_path(value),
        "Who owns the devices and who signs people in: `local`, `cognito`, or the dotted path of a "
        "`trusted_devices.backends.Backend` of your own.",
    )
    COGNITO: Mapping[str, Any] = option({}, mapping, "Options of the Cognito backend; see its own page.")
    COGNITO_IDP: Mapping[str, Any] = option({}, mapping, "Options of the wire endpoint; see its own page.")
    MFA: str | None = option(
        None,
        optional(dotted_path),
        "Dotted path of the second-factor provider that the sign-in pages ask, such as "
        "`trusted_devices.mfa.otp.OTPProvider`. Without one, nobody is asked for a second factor.",
    )
    POLICY: str = option(
        "trusted_devices.policy.TrustPolicy",
        dotted_path,
        "Dotted path of the class that decides periods, maximum, who may be offered trust, and risk.",
    )
    TRACKING: str = option(
        "opt_in",
        one_of(*TrackingMode),
        "`opt_in`: the user is asked; `always`: every device is remembered after MFA; `off`: none is.",
    )
    CHALLENGE_REQUIRED_ON_NEW_DEVICE: bool = option(
        True,
        boolean,
        "As on Cognito: only new devices are asked for MFA. With `False` remembered devices are asked too.",
    )
    PERIODS: tuple[timedelta, ...] = option(
        (timedelta(days=30), timedelta(days=60), timedelta(days=90)),
        periods,
        "The periods of trust that users choose from.",
    )
    DEFAULT_PERIOD: timedelta = option(
        timedelta(days=60),
        period,
        "The preselected period; the nearest shorter one where it is not allowed.",
    )
    MAX_PERIOD: timedelta = option(
        timedelta(days=90),
        period,
        "The longest period for anybody. Shortening it shortens trust already given.",
    )
    STAFF_MAX_PERIOD: timedelta | None = option(
        None, optional(period), "The longest period for staff (`is_staff`); `None`: as for everybody."
    )
    GROUP_MAX_PERIODS: Mapping[str, timedelta] = option(
        {}, group_periods, "The longest period by name of group; the shortest of a user's groups counts."
    )
    TRUST_AFTER_RECOVERY_CODE: bool = option(False, boolean, "Whether a sign-in by recovery code may earn trust.")
    KEEP_DEVICE_ON_PASSWORD_CHANGE: bool = option(
        False, boolean, "Whether users who change their own password stay trusted on the current device."
    )
    MAX_DEVICES_PER_USER: int = option(
        20,
        whole_number(1, 1000),
        "How many devices a user may have. One more and the longest unused is forgotten, those trusted after MFA last.",
    )
    MAX_NAME_LENGTH: int = option(64, whole_number(1, 255), "The longest device name in characters.")
    REGION: str = option(
        "local",
        matching(r"[A-Za-z0-9-]{1,18}", "1 to 18 letters, digits or hyphens"),
        "The first part of device keys, `<region>_<uuid>`.",
    )
    COOKIE_NAME: str = option(
        "trusted_device",
        matching(
            r"(?!__)[A-Za-z0-9_.-]{1,64}",
            "a cookie name of at most 64 letters, digits, `_`, `.` or `-` that does not begin with `__`",
        ),
        "Name of the device-key cookie; `__Host-` goes in front where it is Secure, on path `/` and has no domain.",
    )
    COOKIE_DOMAIN: str | None = option(None, optional(text), "Domain of the cookie; `None`: this host only.")
    COOKIE_PATH: str = option("/", matching(r"/[^;\s]*", "a path that begins with /"), "Path of the cookie.")
    COOKIE_SECURE: bool | None = option(
        None,
        optional(boolean),
        "Whether the cookie is sent over HTTPS only; `None`: unless `DEBUG` is on. "
        "Over plain HTTP browsers do not keep it then, and nobody is asked about trust.",
    )
    COOKIE_SAMESITE: str = option(
        "Lax", one_of("Lax", "Strict", "None"), "The cookie's `SameSite`; `None` only together with Secure."
    )
    HEADER_NAME: str = option(
        "Trusted-Device",
        matching(r"[A-Za-z][A-Za-z0-9-]{0,63}", "a header name of letters, digits and hyphens"),
        "The header in which clients without cookies carry the same sealed value.",
    )
    SIGN_IN_TIMEOUT: timedelta = option(timedelta(minutes=10), duration, "How long a sign-in may stay half finished.")
    MFA_SETUP_URL: str | None = option(
        None, optional(text), "URL or URL name of your page for setting up a second factor."
    )
    ADMIN_REQUIRES_MFA: bool = option(
        True, boolean, "Whether the protected admin refuses staff who have no second factor."
    )
    NEW_DEVICE_EMAIL: bool = option(
        True,
        boolean,
        "Whether users get a mail when a new device is trusted, a device was misused, or staff forget one.",
    )
    MAIL_RUNNER: str = option(
        "thread",
        lambda value: None if value in ("thread", "inline") else dotted_path(value),
        "Who talks to the mail server: `thread`, one of the web process, so that no request waits; the dotted path of "
        "a function that takes a mail on, such as `trusted_devices.tasks.start_mail` (Celery); or `inline`, the "
        "request itself.",
    )
    BULK_RUNNER: str | None = option(
        None,
        optional(dotted_path),
        "Who runs staff's bulk operations in the background, such as "
        "`trusted_devices.tasks.start_bulk_operation` "
        "(Celery; the cache must be shared by all processes). `None`: the admin's page does them step by step.",
    )
    EVENT_RETENTION: timedelta = option(
        timedelta(days=365),
        duration,
        "How long the activity log is kept (task `prune_events`, command `prune_device_events`).",
    )
    DEVICE_RETENTION: timedelta | None = option(
        timedelta(days=365),
        optional(duration),
        "How long a device that is not remembered is kept after its last use or change, by the same task; "
        "`None`: until somebody forgets it.",
    )
    STORED_IP: str = option(
        "truncated",
        one_of("truncated", "full", "none"),
        "How network addresses are stored: cut to /24 and /48, whole, or not at all.",
    )
    GEOIP: bool = option(
        False,
        boolean,
        "Whether the devices page and the API name the place of a network address, by the database at "
        "Django's `GEOIP_PATH` (extra `geoip`).",
    )
    CLIENT_IP: str | None = option(
        None,
        optional(dotted_path),
        "Dotted path of a function from request to network address, for sites behind a proxy; `None`: `REMOTE_ADDR`.",
    )

    @classmethod
    def raw(cls) -> Any:
        return getattr(django_settings, NAME, {})

    @classmethod
    def build(cls, given: Mapping[str, Any]) -> Self:
        values = dict(given)
        if "PERIODS" in values:
            values["PERIODS"] = tuple(values["PERIODS"])
        return cls(**values)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        if min(self.PERIODS) > self.MAX_PERIOD:
            yield "PERIODS", "has no period that MAX_PERIOD allows"
        if self.DEFAULT_PERIOD not in self.PERIODS:
            yield "DEFAULT_PERIOD", "must be one of PERIODS"
        if self.COOKIE_SAMESITE == "None" and self.COOKIE_SECURE is False:
            yield "COOKIE_SAMESITE", "can be 'None' only if COOKIE_SECURE is not False"


get_settings = Settings.get


def secret_keys() -> tuple[bytes, ...]:
    """Return ``SECRET_KEY`` and its fallbacks, newest first."""
    return tuple(force_bytes(key) for key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS))


def cookie_is_secure() -> bool:
    """Return whether the device-key cookie is for HTTPS only."""
    chosen = get_settings().COOKIE_SECURE
    return not django_settings.DEBUG if chosen is None else chosen
