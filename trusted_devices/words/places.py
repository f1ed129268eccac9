"""Where in the world a network address is, by GeoIP2 (extra ``geoip``), if the site switched that on.

The database is the site's own: Django's setting ``GEOIP_PATH`` says where it lies. Places are for people to recognise
a sign-in by; nothing is ever decided by them.
"""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache
from typing import Any

from django.contrib.gis import geoip2
from django.core.signals import setting_changed

from trusted_devices import conf


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
    except (geoip2.GeoIP2Exception, OSError, RuntimeError) as error:
        return str(error)
    return ""


@cache
def _reader() -> Any:
    return geoip2.GeoIP2()


@lru_cache(maxsize=1024)
def _find(address: str) -> str:
    from geoip2.errors import AddressNotFoundError

    reader = _reader()
    try:
        found = (reader.city if reader.is_city else reader.country)(ipaddress.ip_address(address))
    except (AddressNotFoundError, ValueError):
        return ""
    return ", ".join(filter(None, (found.get("city"), found["country_name"])))


def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith("GEOIP_"):
        for remembered in (problem, _reader, _find):
            remembered.cache_clear()


setting_changed.connect(_forget, dispatch_uid="trusted_devices.words.places")
