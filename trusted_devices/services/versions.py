"""Two people editing one device: neither overwrites what the other did unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.exceptions import DeviceNotFound, StaleDevice
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.owners import get_owner
from trusted_devices.services import devices
from trusted_devices.types import EventAction

Matches = Callable[[str], bool]
"""Answers whether a version is the one that the caller has seen."""


def version(device: Device) -> str:
    """Return what tells one state of ``device`` from another: 32 hex digits that change with name, status and expiry.

    A sign-in changes neither, so that nobody's edit fails because the device was used meanwhile.
    """
    moments = (device.status_changed_at, device.trust_expires_at)
    state = [
        device.device_key,
        device.name,
        device.status,
        *(moment and int(moment.timestamp() * 1_000_000) for moment in moments),
    ]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]


@contextmanager
def unchanged(device: Device, seen: Matches) -> Iterator[Device]:
    """Hold the stored row of ``device``, as its owner allows, while the block changes it.

    Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``StaleDevice`` if ``seen`` does not accept its version.
    """
    with get_owner().holding(device) as stored:
        if stored is None:
            raise DeviceNotFound
        if not seen(version(stored)):
            raise StaleDevice
        yield stored


def was_forgotten(device_key: str, *, user: AbstractBaseUser | None = None) -> bool:
    """Return whether the log says that a device with this key was forgotten; of ``user``, where given."""
    if not devices.may_be_key(device_key):
        return False
    forgotten = DeviceEvent.objects.filter(device_key=device_key, action=EventAction.FORGOTTEN)
    if user is not None:
        forgotten = forgotten.filter(user_id=user.pk)
    return forgotten.exists()
