"""The site keeps its devices itself: the rows are the devices."""

from __future__ import annotations

from trusted_devices.owners.base import DeviceOwner


class LocalOwner(DeviceOwner):
    """``TRUSTED_DEVICES = {"BACKEND": "local"}``, the default."""

    name = "local"
