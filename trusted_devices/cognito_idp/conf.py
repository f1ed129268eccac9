"""``TRUSTED_DEVICES["COGNITO_IDP"]``: the options of the wire endpoint, typed and read lazily."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from trusted_devices.conf import get_settings

KEY = "COGNITO_IDP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``ENDPOINT``: the URL that clients are pointed at, without a slash at its end; tokens name it as their issuer.

    ``REGION``: what new pool ids begin with and what SigV4 signatures are scoped to; ``None``: the site's ``REGION``.
    ``ACCOUNT_ID``: the twelve digits in the ARNs of devices and pools.
    ``SMS_SENDER``: dotted path of a function ``(phone_number, message)``; ``None``: no codes by text message.
    """

    ENDPOINT: str | None = None
    REGION: str = "local"
    ACCOUNT_ID: str = "000000000000"
    SMS_SENDER: str | None = None


def get_options() -> Options:
    """Return the endpoint's options. Raises ``ImproperlyConfigured`` naming all that is wrong with them."""
    raw = get_settings().COGNITO_IDP
    wrong = list(problems(raw))
    if wrong:
        raise ImproperlyConfigured(f"TRUSTED_DEVICES[{KEY!r}]: " + "; ".join(wrong) + ".")
    return Options(**{"REGION": get_settings().REGION, **{name: raw[name] for name in raw if raw[name] is not None}})


def endpoint() -> str:
    """Return the URL that clients are pointed at. Raises ``ImproperlyConfigured`` if it is not set."""
    configured = get_options().ENDPOINT
    if configured is None:
        raise ImproperlyConfigured(f"TRUSTED_DEVICES[{KEY!r}] must name the ENDPOINT: tokens carry it as their issuer.")
    return configured


def problems(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with ``raw``, a candidate for the option."""
    validators = {
        "ENDPOINT": _endpoint,
        "REGION": _pattern(r"[A-Za-z0-9-]{1,18}", "1 to 18 letters, digits or hyphens"),
        "ACCOUNT_ID": _pattern(r"[0-9]{12}", "twelve digits"),
        "SMS_SENDER": _pattern(r"\w+(\.\w+)+", "the dotted path of a function"),
    }
    assert set(validators) == {option.name for option in fields(Options)}
    for name, value in raw.items():
        if name not in validators:
            yield f"{name} is not an option"
        elif value is not None and (message := validators[name](value)):
            yield f"{name} {message}"


def _endpoint(value: Any) -> str | None:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    good = parts is not None and parts.scheme in ("http", "https") and parts.netloc and not parts.query
    return None if good and not value.endswith("/") else "must be an http or https URL without a slash at its end"


def _pattern(pattern: str, what: str) -> Any:
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"
