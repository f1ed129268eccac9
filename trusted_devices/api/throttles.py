"""Politeness, not protection: what must not be guessed is counted elsewhere, under a lock.

The counters are in Django's default cache; while that cannot be reached, nothing is counted.

Rates are those of ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]`` under the names of the scopes, read when they are
needed; ``None`` there lifts a limit.
"""

from __future__ import annotations

import logging
from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

logger = logging.getLogger(__name__)

DEFAULT_RATES = {
    "trusted_devices": "120/minute",
    "trusted_devices_remember": "20/minute",
    "trusted_devices_admin": "600/minute",
    "trusted_devices_bulk": "60/minute",
}


class Throttle(SimpleRateThrottle):
    """Counts the requests of one user, or of one address where nobody is signed in, within one scope."""

    def get_rate(self) -> str | None:
        scope = self.scope or ""
        rates: Any = api_settings.DEFAULT_THROTTLE_RATES
        rate: str | None = rates.get(scope, DEFAULT_RATES[scope])
        return rate

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except Exception as error:  # noqa: BLE001 - whatever the site's cache raises
            logger.warning("Requests cannot be counted (%s).", type(error).__name__)
            return True

    def get_cache_key(self, request: Request, view: APIView) -> str:
        user = request.user
        ident = f"user-{user.pk}" if user.is_authenticated else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}


class UserThrottle(Throttle):
    """What users do with their own devices."""

    scope = "trusted_devices"


class RememberThrottle(Throttle):
    """Remembering, where a code may be tried."""

    scope = "trusted_devices_remember"


class AdminThrottle(Throttle):
    """What staff do."""

    scope = "trusted_devices_admin"


class BulkThrottle(Throttle):
    """What staff do to many devices at once."""

    scope = "trusted_devices_bulk"
