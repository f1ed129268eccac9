"""Comparing the mirror with the list of their owner, user by user, and mending what differs.

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
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError
from django.db.models import Q

from trusted_devices import conf, database
from trusted_devices.exceptions import BackendUnavailable, DeviceNotFound
from trusted_devices.models import CognitoUser, Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import devices, transitions
from trusted_devices.types import Binding, By, DeviceStatus, OwnedDevice, StatusReason

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
    owner, after, failures = get_owner(), 0, 0
    page = list(_pending(since)[:PAGE])
    while page:
        for member in page:
            try:
                found = _compare(owner, member.user, now=now, mend=mend)
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


def _compare(owner: DeviceOwner, user: AbstractBaseUser, *, now: datetime, mend: bool) -> Compared:
    try:
        owned = {device.device_key: device for device in owner.list_devices(user)}
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
            _mend(owner, user, kind, mirrored.get(key), owned.get(key), By(note=NOTE, at=now))
    if mend:
        _follow(mirrored, owned)
        owner.publish(user.pk)
    return Compared(user_id=user.pk, devices=len(owned.keys() | mirrored.keys()), drift=drift)


def _mirror(user: AbstractBaseUser, owned: Collection[str]) -> DeviceQuerySet[Device]:
    """Return the user's devices but for those that this site owns itself."""
    found: DeviceQuerySet[Device] = Device.objects.of(user)
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
    owner: DeviceOwner,
    user: AbstractBaseUser,
    drift: Drift,
    here: Device | None,
    there: OwnedDevice | None,
    by: By,
) -> None:
    if here is None:
        assert there is not None  # somebody knows it
        _adopt(user, there, by)
    elif drift is Drift.UNKNOWN_THERE:
        devices.forget([here], by=by)
    elif drift is Drift.REMEMBERED_HERE_ONLY:
        devices.stop_trusting([here], reason=StatusReason.STAFF_STOPPED, by=by)
    else:
        owner.correct(here)


def _adopt(user: AbstractBaseUser, there: OwnedDevice, by: By) -> None:
    try:
        with database.atomic():
            transitions.adopted(user, there, name=_name(there), by=by)
    except IntegrityError:
        # Confirmed at this moment; or on this site it is still another user's.
        logger.warning("Device %s could not be taken into the list.", there.device_key)


def _name(there: OwnedDevice) -> str:
    """Return what can be shown of the name that the user's app gave the device."""
    return devices.shown_name(there.name, longest=conf.get_settings().MAX_NAME_LENGTH)


def _follow(mirrored: dict[str, Device], owned: dict[str, OwnedDevice]) -> None:
    """Take over when a device was last used at its owner's other apps."""
    for key in mirrored.keys() & owned.keys():
        there = owned[key]
        if there.last_authenticated_at is not None:
            transitions.used_elsewhere(mirrored[key], at=there.last_authenticated_at, ip_address=there.last_ip)
