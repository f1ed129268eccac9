"""``TRUSTED_DEVICES["COGNITO"]``: the options of the Cognito backend, typed and read lazily."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from trusted_devices import conf

KEY = "COGNITO"
NAME = f"{conf.NAME}[{KEY!r}]"
FLOWS = ("USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH")
QUOTA = 25
"""Changes of devices a second that Amazon allows an account in a region, for all its pools together."""
USER_QUOTA = 10
"""Changes a second that it allows one user."""

Validator = Callable[[Any], str | None]


def _matching(pattern: str, what: str) -> Validator:
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"


def _url(value: Any) -> str | None:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    good = parts is not None and parts.scheme in ("http", "https") and parts.netloc and not parts.query
    return None if good else "must be an http or https URL"


def _between(low: float, high: float) -> Validator:
    def validate(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"must be a number from {low:g} to {high:g}"

    return validate


def _option(validator: Validator, help_text: str, default: Any = MISSING, *, secret: bool = False) -> Any:
    metadata = {"validator": validator, "help": help_text}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options; those without a default must be given. ``None`` stands for an option that is not given."""

    USER_POOL_ID: str = _option(
        _matching(r"[\w-]+_[0-9a-zA-Z]+", "a user pool id such as 'eu-central-1_AbCdEf123'"), "The user pool."
    )
    CLIENT_ID: str = _option(_matching(r"[\w+]{1,128}", "an app client id"), "The app client that this site is.")
    CLIENT_SECRET: str | None = _option(
        _matching(r"[\w+]{1,64}", "an app client secret"), "Its secret, if it has one.", None, secret=True
    )
    REGION: str | None = _option(
        _matching(r"[a-z0-9-]{1,32}", "a region such as 'eu-central-1'"),
        "The pool's region; by default what its id begins with.",
        None,
    )
    ENDPOINT_URL: str | None = _option(
        _url, "Where to call instead of Amazon's endpoint of the region: a VPC endpoint, or a pool of your own.", None
    )
    ISSUER: str | None = _option(
        _url, "What the pool's tokens name as their issuer; by default what follows from region or endpoint.", None
    )
    AUTH_FLOW: str = _option(
        lambda value: None if value in FLOWS else "must be one of " + ", ".join(map(repr, FLOWS)),
        "`USER_SRP_AUTH`: passwords never travel. `ADMIN_USER_PASSWORD_AUTH`: the pool is told the password.",
        "USER_SRP_AUTH",
    )
    USER_MAPPER: str = _option(
        _matching(r"\w+(\.\w+)+", "the dotted path of a class"),
        "Dotted path of a subclass of `UserMapper`: which Django user a user of the pool is.",
        "trusted_devices.cognito.identities.UserMapper",
    )
    USERNAME_CLAIM: str = _option(
        _matching(r"[\w:.-]{1,64}", "the name of a claim"),
        "The claim that new Django users get their user name from.",
        "cognito:username",
    )
    KEEP_TOKENS: bool = _option(
        lambda value: None if isinstance(value, bool) else "must be True or False",
        "Whether sessions keep the tokens of their sign-in, sealed, for calls on behalf of the user.",
        True,
    )
    SEND_IP_ADDRESS: bool = _option(
        lambda value: None if isinstance(value, bool) else "must be True or False",
        "Whether the pool is told the user's network address. The app client must be set up to take it.",
        False,
    )
    EXPIRY_ATTRIBUTE: str | None = _option(
        _matching(r"custom:\w{1,20}", "a custom attribute such as 'custom:trusted_until'"),
        "A custom attribute of the pool's users in which other apps find until when which devices are trusted.",
        None,
    )
    CONNECT_TIMEOUT: float = _option(_between(0.1, 60), "Seconds to wait for a connection.", 2.0)
    READ_TIMEOUT: float = _option(_between(0.1, 60), "Seconds to wait for an answer.", 5.0)
    WRITES_PER_SECOND: float = _option(
        _between(0.01, QUOTA), "Changes of devices a second that all sweeps together may make.", 5.0
    )
    READS_PER_SECOND: float = _option(_between(0.01, 50), "Lists of devices a second for `sync_devices`.", 10.0)
    REDIS_URL: str | None = _option(
        _matching(r"(rediss?|unix)://\S+", "a redis:// URL"),
        "The Redis in which all processes share these two budgets; without one each process has its own.",
        None,
    )

    @property
    def region(self) -> str:
        """The pool's region."""
        return self.REGION or self.USER_POOL_ID.partition("_")[0]

    @property
    def issuer(self) -> str:
        """What ``iss`` says in its tokens; the JWKS is below it."""
        if self.ISSUER:
            return self.ISSUER.rstrip("/")
        if self.ENDPOINT_URL:
            return f"{self.ENDPOINT_URL.rstrip('/')}/{self.USER_POOL_ID}"
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"https://cognito-idp.{self.region}.{domain}/{self.USER_POOL_ID}"


def get_options() -> Options:
    """Return the backend's options. Raises ``ImproperlyConfigured`` naming all that is wrong with them."""
    raw = conf.get_settings().COGNITO
    wrong = list(problems(raw))
    if wrong:
        raise ImproperlyConfigured(f"{NAME}: " + "; ".join(wrong) + ".")
    return Options(**{name: value for name, value in raw.items() if value is not None})


def problems(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with ``raw``, a candidate for the option."""
    known = {option.name: option for option in fields(Options)}
    for name, value in raw.items():
        if name not in known:
            yield f"{name} is not an option"
        elif value is not None and (message := known[name].metadata["validator"](value)):
            yield f"{name} {message}"
    for name, option in known.items():
        if option.default is MISSING and raw.get(name) is None:
            yield f"{name} is missing"
