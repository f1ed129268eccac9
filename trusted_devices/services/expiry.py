"""The sweep: making the status say what the dates already decide.

Expiry is enforced whenever trust is read, so nothing hangs on when or whether this runs. Any number of sweeps may run
at once: each claims a batch with ``SKIP LOCKED`` where the database has it, and a device is flipped and logged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from trusted_devices import signals
from trusted_devices.backends import get_backend
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import activity, remote_expiry
from trusted_devices.types import DeviceStatus, EventAction, StatusReason

BATCH_SIZE = 1000


def count_due(now: datetime) -> int:
    """Return how many remembered devices have a trust expiry of ``now`` or earlier."""
    return Device.objects.due(now).count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much a sweep has to do: ``due`` devices, at most ``per_second`` of them (``None``: without a limit), the
    oldest overdue since ``oldest``, and when it will be done."""

    due: int
    oldest: datetime | None
    per_second: float | None
    done_at: datetime


def plan(now: datetime) -> Plan:
    """Return what a sweep that begins now has before it. More may fall due meanwhile."""
    due, per_second = count_due(now), get_backend().background_rate()
    oldest = Device.objects.due(now).values_list("trust_expires_at", flat=True).first()
    seconds = due / per_second if per_second else 0
    return Plan(due=due, oldest=oldest, per_second=per_second, done_at=now + timedelta(seconds=seconds))


def expire_due(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Make the devices whose trust has ended not remembered, oldest expiry first, one transaction a batch.

    Yield how many each batch flipped. Where nothing is due, one query says so and nothing is locked.

    The last expiry is carried forward from batch to batch: rows already flipped need not be stepped over again, which
    matters while an old open transaction keeps their dead versions in the index.

    Where somebody else owns the devices, ``remote_expiry`` does it, device by device. Raises ``BackendUnavailable``.
    """
    backend = get_backend()
    if backend.is_remote:
        yield from remote_expiry.expire_due(backend, now=now, batch_size=min(batch_size, remote_expiry.BATCH_SIZE))
        return
    since = Device.objects.due(now).values_list("trust_expires_at", flat=True).first()
    while since is not None:
        with transaction.atomic():
            claimed = list(Device.objects.due(now, since=since).claim()[:batch_size])
            _expire(claimed, now)
        if claimed:
            yield len(claimed)
        since = claimed[-1].trust_expires_at if len(claimed) == batch_size else None


def _expire(claimed: Sequence[Device], now: datetime) -> None:
    backend = get_backend()
    changes = {
        "status": DeviceStatus.NOT_REMEMBERED,
        "status_reason": StatusReason.EXPIRED,
        "status_changed_at": now,
        "modified_at": now,
    }
    events = []
    for device in claimed:
        backend.update_device_status(device, DeviceStatus.NOT_REMEMBERED)
        for field, value in changes.items():
            setattr(device, field, value)
        events.append(activity.build(EventAction.EXPIRED, device=device, reason=StatusReason.EXPIRED, now=now))
        activity.announce(signals.device_expired, device=device)
    Device.objects.filter(pk__in=[device.pk for device in claimed]).update(**changes)
    DeviceEvent.objects.bulk_create(events)
