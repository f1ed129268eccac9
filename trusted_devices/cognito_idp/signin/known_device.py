"""The device that a sign-in names: which it is, and whether its proof lets the sign-in skip MFA."""

from __future__ import annotations

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.exceptions import DeviceNotFound
from trusted_devices.models import Device
from trusted_devices.services import srp_devices
from trusted_devices.types import ProofState


def find(pool_user: PoolUser, device_key: str) -> Device | None:
    """Return the device that a sign-in named, ``None`` if it named none. Raises ``WireError``."""
    if not device_key or not pool_user.pool.is_tracking:
        return None
    try:
        return srp_devices.find(user=pool_user.user, group_key=pool_user.pool.device_group_key, device_key=device_key)
    except DeviceNotFound:
        raise errors.device_not_found() from None


def is_trusted(request: SignInRequest, pool_user: PoolUser, device: Device) -> bool:
    """Return whether the device's proof, given or to come, lets this sign-in skip MFA."""
    decision = srp_devices.check(
        user=pool_user.user,
        device=device,
        terms=pool_user.pool.terms,
        proof=ProofState.PASSED,
        by=request.by,
    )
    return decision.allowed
