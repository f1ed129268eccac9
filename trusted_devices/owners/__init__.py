"""Who keeps the devices. ``get_owner()`` returns the owner that the settings name."""

from __future__ import annotations

from django.utils.module_loading import import_string

from trusted_devices.backends import get_choice
from trusted_devices.owners.base import DeviceOwner


def get_owner() -> DeviceOwner:
    """Return the owner of the devices, by ``TRUSTED_DEVICES["BACKEND"]``."""
    path = get_choice().owner
    owner = import_string(path)()
    if not isinstance(owner, DeviceOwner):
        raise TypeError(f"{path} is not a {DeviceOwner.__module__}.DeviceOwner.")
    return owner
