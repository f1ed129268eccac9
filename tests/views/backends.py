"""Backends of which a part cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trusted_devices.backends.base import FirstFactor
from trusted_devices.backends.local import LocalBackend
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.types import DeviceStatus, MfaVerification


class NoPasswords(LocalBackend):
    """Cannot check passwords."""

    def first_factor(self, **arguments: Any) -> FirstFactor:
        raise BackendUnavailable


class NoCodes(LocalBackend):
    """Cannot check or send codes."""

    def second_factor(self, *arguments: Any, **options: Any) -> MfaVerification:
        raise BackendUnavailable

    def send_code(self, *arguments: Any, **options: Any) -> Mapping[str, str]:
        raise BackendUnavailable


class NoDevices(LocalBackend):
    """Cannot change a device."""

    def update_device_status(self, device: Device, status: DeviceStatus) -> None:
        raise BackendUnavailable

    def forget_device(self, device: Device) -> None:
        raise BackendUnavailable
