"""The sweep: making the status say what the dates already decide.

Expiry is enforced whenever trust is read, so nothing hangs on when or whether this runs. Any number of sweeps may run
at once: each claims a batch with ``SKIP LOCKED`` where the database has it, and a device is flipped and logged once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connections, router, transaction

from trusted_devices import signals
from trusted_devices.backends import get_backend
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity
from trusted_devices.types import DeviceStatus, EventAction, StatusReason

BATCH_SIZE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How many devices one batch flipped, and the expiry of the last of them, where the next one starts."""

    expired: int
    last_expiry: datetime


def count_due(now: datetime) -> int:
    """Return how many remembered devices have a trust expiry of ``now`` or earlier."""
    return Device.objects.due(now).count()


def expire_due(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[Batch]:
    """Make the devices whose trust has ended not remembered, oldest expiry first, one transaction a batch.

    The last expiry is carried forward from batch to batch: rows already flipped need not be stepped over again, which
    matters while an old open transaction keeps their dead versions in the index.
    """
    since: datetime | None = None
    while True:
        with transaction.atomic():
            claimed = list(_claim(Device.objects.due(now, since=since))[:batch_size])
            if claimed:
                _expire(claimed, now)
        if not claimed:
            return
        last = claimed[-1].trust_expires_at
        assert last is not None  # due() compares it
        since = last
        yield Batch(expired=len(claimed), last_expiry=last)
        if len(claimed) < batch_size:
            return


def _claim(due: DeviceQuerySet) -> DeviceQuerySet:
    connection = connections[router.db_for_write(Device)]
    if connection.features.has_select_for_update:
        return due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    # SQLite has one lock for all writers: a write, even of no row, takes it before the rows are read.
    Device.objects.filter(pk=0).update(status=DeviceStatus.NOT_REMEMBERED)
    return due


def _expire(claimed: list[Device], now: datetime) -> None:
    backend = get_backend()
    events = []
    for device in claimed:
        backend.update_device_status(device, DeviceStatus.NOT_REMEMBERED)
        device.status, device.status_reason = DeviceStatus.NOT_REMEMBERED, StatusReason.EXPIRED
        device.status_changed_at = device.modified_at = now
        events.append(activity.build(EventAction.EXPIRED, device=device, reason=StatusReason.EXPIRED, now=now))
        activity.announce(signals.device_expired, device=device)
    Device.objects.filter(pk__in=[device.pk for device in claimed]).update(
        status=DeviceStatus.NOT_REMEMBERED,
        status_reason=StatusReason.EXPIRED,
        status_changed_at=now,
        modified_at=now,
    )
    DeviceEvent.objects.bulk_create(events)
