"""The devices of a user pool: those that were confirmed over the wire and prove a device password."""

from __future__ import annotations

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.crypto.encoding import parse_signed
from trusted_devices.crypto.verifier import SrpVerifier
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.types import Binding


def of(pool_user: PoolUser) -> DeviceQuerySet[Device]:
    """Return the user's devices of the pool."""
    found: DeviceQuerySet[Device] = Device.objects.of(pool_user.user)
    group_key = pool_user.pool.device_group_key
    return found.filter(device_group_key=group_key, binding=Binding.SRP, confirmed_at__isnull=False)


def find(pool_user: PoolUser, device_key: str) -> Device:
    """Return one of them. Raises ``WireError`` (ResourceNotFoundException), also for another user's or pool's."""
    device = of(pool_user).filter(device_key=device_key).first()
    if device is None:
        raise errors.device_not_found()
    device.user = pool_user.user
    return device


def verifier(device: Device) -> SrpVerifier:
    """Return salt and verifier of the device's password."""
    assert device.srp_salt is not None  # every device of a pool has both
    assert device.srp_verifier is not None
    return SrpVerifier(salt=parse_signed(bytes(device.srp_salt)), verifier=parse_signed(bytes(device.srp_verifier)))
