"""Devices as a CSV file that spreadsheets can be trusted with, streamed whatever their number."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk

COLUMNS = (
    "device_key",
    "user",
    "name",
    "description",
    "binding",
    "status",
    "status_reason",
    "status_changed_at",
    "trust_granted_at",
    "trust_expires_at",
    "last_authenticated_at",
    "created_at",
)
"""Attributes of a device. Nothing secret; no network addresses."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Line:
    """The file that the CSV writer writes to: hands each line back."""

    def write(self, line: str) -> str:
        return line


def response(chosen: DeviceQuerySet[Device]) -> StreamingHttpResponse:
    """Return the devices as a download; times in UTC, ISO 8601."""
    return StreamingHttpResponse(
        lines(bulk.newest_first(chosen)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="devices-{timezone.now():%Y-%m-%d}.csv"'},
    )


def lines(devices: Iterable[Device]) -> Iterator[str]:
    """Yield the header and one line for each device."""
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for device in devices:
        yield writer.writerow([cell(getattr(device, column)) for column in COLUMNS])


def cell(value: Any) -> str:
    """Return ``value`` as text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    text = str(value)
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
