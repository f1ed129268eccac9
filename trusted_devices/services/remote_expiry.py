"""The sweep where somebody else owns the devices and has to be told of each, at a rate that all sweeps share.

No transaction and no lock is held while the owner is asked. A device is told of first and written then; a worker that
dies in between leaves it due, and telling twice is the same as telling once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import partial

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q

from trusted_devices import signals
from trusted_devices.backends.base import BaseDeviceBackend
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.services import activity
from trusted_devices.types import DeviceStatus, EventAction, StatusReason

logger = logging.getLogger(__name__)

BATCH_SIZE = 20
CLAIM_SECONDS = 120
"""For how long a worker has a device to itself, in a cache that the workers share. Without one they do double work."""
GIVE_UP_AFTER = 3
"""Failures in a row: one device that fails must not keep the others waiting, nor is an owner asked who is away."""


def expire_due(backend: BaseDeviceBackend, *, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Make the devices whose trust has ended not remembered, oldest expiry first; yield how many each batch flipped.

    Raises ``BackendUnavailable`` after several failures in a row; what is done is done.
    """
    due = Device.objects.due(now).order_by("trust_expires_at", "pk")
    failures = 0
    batch = list(due[:batch_size])
    while batch:
        flipped = 0
        for device in filter(_claim, batch):
            try:
                flipped += _expire(backend, device, now)
                failures = 0
            except BackendUnavailable:
                cache.delete(_claim_key(device))
                failures += 1
                if failures == GIVE_UP_AFTER:
                    yield flipped
                    raise
                logger.warning("Device %s is left to the next sweep.", device.device_key)
        yield flipped
        moment, pk = batch[-1].trust_expires_at, batch[-1].pk
        later = Q(trust_expires_at__gt=moment) | Q(trust_expires_at=moment, pk__gt=pk)
        batch = list(due.filter(later)[:batch_size])


def _expire(backend: BaseDeviceBackend, device: Device, now: datetime) -> bool:
    backend.in_background(
        partial(backend.update_device_status, device, DeviceStatus.NOT_REMEMBERED), user_id=device.user_id
    )
    changes = {
        "status": DeviceStatus.NOT_REMEMBERED,
        "status_reason": StatusReason.EXPIRED,
        "status_changed_at": now,
        "modified_at": now,
    }
    with transaction.atomic():
        still_due = Device.objects.filter(pk=device.pk).due(now)
        if still_due.update(**changes):
            for field, value in changes.items():
                setattr(device, field, value)
            activity.record(EventAction.EXPIRED, device=device, reason=StatusReason.EXPIRED, now=now)
            activity.announce(signals.device_expired, device=device)
            return True
    _undo_if_renewed(backend, device)
    return False


def _undo_if_renewed(backend: BaseDeviceBackend, device: Device) -> None:
    """Have a device remembered again that was given trust while its owner was told that it has none."""
    if Device.objects.filter(pk=device.pk).remembered().exists():
        backend.in_background(
            partial(backend.update_device_status, device, DeviceStatus.REMEMBERED), user_id=device.user_id
        )


def _claim(device: Device) -> bool:
    try:
        return bool(cache.add(_claim_key(device), 1, CLAIM_SECONDS))
    except Exception as error:  # noqa: BLE001 - whatever the site's cache raises: claims only save double work
        logger.warning("Devices cannot be claimed (%s).", type(error).__name__)
        return True


def _claim_key(device: Device) -> str:
    assert device.trust_expires_at is not None  # it is due
    return f"trusted_devices:expiring:{device.pk}:{device.trust_expires_at.timestamp():.0f}"
