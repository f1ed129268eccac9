"""Where in the world a network address is, by GeoIP2 (extra ``geoip``), if the site switched that on.

The database is the site's own: Django's setting ``GEOIP_PATH`` says where it lies. Places are for people to recognise
a sign-in by; nothing is ever decided by them.
"""

from __future__ import annotations

import ipaddress
import logging
from functools import cache, lru_cache
from typing import Any

from django.contrib.gis import geoip2
from django.core.signals import setting_changed

from trusted_devices import conf

logger = logging.getLogger(__name__)


def find(address: str | None) -> str:
    """Return city and country such as "Boxford, United Kingdom", or the country; empty where nothing is known."""
    if not address or not conf.get_settings().GEOIP or problem():
        return ""
    return _find(address)


@cache
def problem() -> str:
    """Return what keeps places from being found, in a sentence; empty if nothing does."""
    if not geoip2.HAS_GEOIP2:
        return "The package geoip2 is not installed."
    try:
        _reader()
    except Exception as error:  # noqa: BLE001 - whatever a file that is no database makes of its reader
        return str(error) or type(error).__name__
    return ""


@cache
def _reader() -> Any:
    # The reader in C crashes the process on a damaged database, and a mapped file on one that is cut short.
    return geoip2.GeoIP2(cache=geoip2.GeoIP2.MODE_FILE)


@lru_cache(maxsize=1024)
def _find(address: str) -> str:
    from geoip2.errors import AddressNotFoundError

    reader = _reader()
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    try:
        found = (reader.city if reader.is_city else reader.country)(parsed)
        return ", ".join(filter(None, (found.get("city"), found["country_name"])))
    except AddressNotFoundError:
        return ""
    except Exception as error:  # noqa: BLE001 - a damaged database gives other errors with each address
        _warn(type(error).__name__)
        return ""


@cache
def _warn(error: str) -> None:
    """Say once that there are addresses whose place cannot be read."""
    logger.warning("The place of an address could not be read (%s): is the database of GEOIP_PATH damaged?", error)


def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith("GEOIP_"):
        for remembered in (problem, _reader, _find, _warn):
            remembered.cache_clear()


setting_changed.connect(_forget, dispatch_uid="trusted_devices.words.places")
