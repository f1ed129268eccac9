"""``TRUSTED_DEVICES["COGNITO_IDP"]``: the options of the wire endpoint, typed and read lazily."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.core.exceptions import ImproperlyConfigured

from trusted_devices.conf import get_settings
from trusted_devices.conf.section import Section, option
from trusted_devices.conf.validators import boolean, dotted_path, matching, url


def _endpoint(value: Any) -> str | None:
    good = url(value) is None and not value.endswith("/")
    return None if good else "must be an http or https URL without a slash at its end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Section):
    """The options with their defaults; ``REGION`` is the site's unless it is given."""

    key: ClassVar[str] = "COGNITO_IDP"

    ENDPOINT: str | None = option(
        None, _endpoint, "The URL that clients are pointed at; tokens name it and the pool's id as their issuer."
    )
    REGION: str = option(
        "local",
        matching(r"[A-Za-z0-9-]{1,18}", "1 to 18 letters, digits or hyphens"),
        "What new pool ids begin with and what SigV4 signatures are scoped to.",
    )
    ACCOUNT_ID: str = option(
        "000000000000", matching(r"[0-9]{12}", "twelve digits"), "The digits in the ARNs of devices and pools."
    )
    FORWARDED_FOR: bool = option(
        False,
        boolean,
        "Whether servers that sign their calls name their user's network address first in `X-Forwarded-For`, where "
        "there is none in ContextData.",
    )
    SMS_SENDER: str | None = option(
        None,
        dotted_path,
        "Dotted path of a function `(phone_number, message)`; without one there are no codes by text message.",
    )

    @classmethod
    def raw(cls) -> Any:
        return get_settings().COGNITO_IDP

    @classmethod
    def build(cls, given: Mapping[str, Any]) -> Self:
        return cls(**{"REGION": get_settings().REGION, **given})


get_options = Options.get


def endpoint() -> str:
    """Return the URL that clients are pointed at. Raises ``ImproperlyConfigured`` if it is not set."""
    configured = get_options().ENDPOINT
    if configured is None:
        raise ImproperlyConfigured(f"{Options.name()} must name the ENDPOINT: tokens carry it as their issuer.")
    return configured
