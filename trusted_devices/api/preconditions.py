"""``ETag`` and ``If-Match`` (RFC 9110, sections 8.8.3 and 13.1.1): a version of a device as HTTP says it."""

from __future__ import annotations

from django.utils.http import parse_etags
from rest_framework.request import Request

from trusted_devices.models import Device
from trusted_devices.services import versions


def etag(device: Device) -> str:
    """Return the entity tag of ``device``."""
    return f'"{versions.version(device)}"'


def seen(request: Request) -> versions.Matches:
    """Return what tells whether a version is one that ``If-Match`` names; without the header any is."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return lambda version: True
    tags = parse_etags(header)
    return lambda version: f'"{version}"' in tags
