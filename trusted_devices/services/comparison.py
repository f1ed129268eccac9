"""Comparing the mirror with whoever owns the devices elsewhere, user by user, and mending what differs.

Where the two disagree on whether a device is remembered, "not remembered" wins on both sides. A run goes over the
users whose devices were not compared since it began: one that was killed is taken up again by asking for the same
moment, and twice is the same as once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from trusted_devices import conf
from trusted_devices.backends import get_backend
from trusted_devices.backends.base import BaseDeviceBackend, OwnedDevice
from trusted_devices.exceptions import BackendUnavailable, DeviceNotFound, InvalidDeviceName
from trusted_devices.models import CognitoUser, Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity, devices, publishing
from trusted_devices.types import Binding, DeviceStatus, EventAction, StatusReason

logger = logging.getLogger(__name__)

PAGE = 100
GIVE_UP_AFTER = 3
"""Failures in a row."""
NOTE = "found by comparing"


class Drift(StrEnum):
    """How mirror and owner differ about a device."""

    UNKNOWN_THERE = "unknown_there"
    UNKNOWN_HERE = "unknown_here"
    REMEMBERED_HERE_ONLY = "remembered_here_only"
    REMEMBERED_THERE_ONLY = "remembered_there_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came of comparing one user's devices: ``drift`` maps device keys to how they differed."""

    user_id: Any
    devices: int
    drift: dict[str, Drift] = field(default_factory=dict)


def count(*, since: datetime) -> int:
    """Return how many users were not compared since that moment."""
    pending: int = _pending(since).count()
    return pending


def compare(*, since: datetime, now: datetime, mend: bool = True) -> Iterator[Compared]:
    """Compare, and ``mend``, the devices of every user who was not compared since; yield what came of each.

    Without ``mend`` nothing is changed but the time of comparing. Raises ``NotImplementedError`` where the site owns
    its devices itself, ``BackendUnavailable`` after several failures in a row.
    """
    backend, after, failures = get_backend(), 0, 0
    page = list(_pending(since)[:PAGE])
    while page:
        for member in page:
            try:
                found = _compare(backend, member.user, now=now, mend=mend)
            except BackendUnavailable:
                failures += 1
                if failures == GIVE_UP_AFTER:
                    raise
                logger.warning("The devices of user %s could not be compared.", member.user_id)
                continue
            failures = 0
            CognitoUser.objects.filter(pk=member.pk).update(synced_at=now)
            yield found
        after = page[-1].pk
        page = list(_pending(since).filter(pk__gt=after)[:PAGE])


def _pending(since: datetime) -> Any:
    due = CognitoUser.objects.filter(Q(synced_at=None) | Q(synced_at__lt=since))
    return due.select_related("user").order_by("pk")


def _compare(backend: BaseDeviceBackend, user: Any, *, now: datetime, mend: bool) -> Compared:
    try:
        owned = {device.device_key: device for device in backend.list_devices(user)}
    except DeviceNotFound:
        owned = {}
    # A device that is confirmed while its owner is asked is in one of the two lists only.
    mirrored = {device.device_key: device for device in _mirror(user, owned).filter(confirmed_at__lt=now)}
    drift: dict[str, Drift] = {}
    for key in sorted(owned.keys() | mirrored.keys()):
        kind = _drift(mirrored.get(key), owned.get(key))
        if kind is None or (kind is Drift.UNKNOWN_HERE and Device.objects.of(user).filter(device_key=key).exists()):
            continue
        drift[key] = kind
        if mend:
            _mend(backend, user, kind, mirrored.get(key), owned.get(key), now)
    if mend:
        _follow(mirrored, owned)
        publishing.publish(user.pk)
    return Compared(user_id=user.pk, devices=len(owned.keys() | mirrored.keys()), drift=drift)


def _mirror(user: Any, owned: Collection[str]) -> DeviceQuerySet:
    """Return the user's devices but for those that this site owns itself."""
    found: DeviceQuerySet = Device.objects.of(user)
    return found.filter(Q(binding=Binding.SRP) | Q(device_key__in=list(owned)))


def _drift(here: Device | None, there: OwnedDevice | None) -> Drift | None:
    if here is None:
        return Drift.UNKNOWN_HERE
    if there is None:
        return Drift.UNKNOWN_THERE
    if here.is_remembered is (there.status is DeviceStatus.REMEMBERED):
        return None
    return Drift.REMEMBERED_HERE_ONLY if here.is_remembered else Drift.REMEMBERED_THERE_ONLY


def _mend(
    backend: BaseDeviceBackend,
    user: Any,
    drift: Drift,
    here: Device | None,
    there: OwnedDevice | None,
    now: datetime,
) -> None:
    if here is None:
        assert there is not None  # somebody knows it
        _adopt(user, there, now)
    elif drift is Drift.UNKNOWN_THERE:
        devices.forget([here], note=NOTE, now=now)
    elif drift is Drift.REMEMBERED_HERE_ONLY:
        devices.stop_trusting([here], reason=StatusReason.STAFF_STOPPED, note=NOTE, now=now)
    else:
        stop = partial(backend.update_device_status, here, DeviceStatus.NOT_REMEMBERED)
        backend.in_background(stop, user_id=user.pk)


def _adopt(user: Any, there: OwnedDevice, now: datetime) -> None:
    """Take a device into the mirror that another app of the owner's confirmed. It never skips MFA on this site."""
    device = Device(
        user=user,
        device_key=there.device_key,
        name=_name(there),
        binding=Binding.SRP,
        status=there.status,
        status_changed_at=there.modified_at or now,
        confirmed_at=there.created_at or now,
        last_authenticated_at=there.last_authenticated_at,
        last_ip=activity.stored_ip(there.last_ip),
        created_at=there.created_at or now,
        modified_at=there.modified_at or now,
    )
    try:
        with transaction.atomic():
            device.save(force_insert=True)
            activity.record(EventAction.CONFIRMED, device=device, note=NOTE, now=now)
    except IntegrityError:
        # Confirmed at this moment; or on this site it is still somebody else's.
        logger.warning("Device %s could not be taken into the list.", device.device_key)


def _name(there: OwnedDevice) -> str:
    """Return the name that the user's app gave the device, if it can be shown."""
    try:
        return devices.clean_name(there.name[: conf.get_settings().MAX_NAME_LENGTH])
    except InvalidDeviceName:
        return ""


def _follow(mirrored: dict[str, Device], owned: dict[str, OwnedDevice]) -> None:
    """Take over when a device was last used at its owner's other apps."""
    for key in mirrored.keys() & owned.keys():
        there = owned[key].last_authenticated_at
        if there is not None:
            newer = Q(last_authenticated_at=None) | Q(last_authenticated_at__lt=there)
            Device.objects.filter(newer, pk=mirrored[key].pk).update(
                last_authenticated_at=there, last_ip=_address(owned[key]) or F("last_ip")
            )


def _address(device: OwnedDevice) -> str | None:
    return activity.stored_ip(device.last_ip)
