"""The device that a sign-in names: which it is, and whether its proof lets the sign-in skip MFA."""

from __future__ import annotations

from trusted_devices.cognito_idp import factors, pool_devices
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.models import Device
from trusted_devices.services import trust
from trusted_devices.types import ProofState, TrustReason


def find(pool_user: PoolUser, device_key: str) -> Device | None:
    """Return the device that a sign-in named, ``None`` if it named none. Raises ``WireError``."""
    if not device_key or not pool_user.pool.is_tracking:
        return None
    return pool_devices.find(pool_user, device_key)


def is_trusted(request: SignInRequest, pool_user: PoolUser, device: Device) -> bool:
    """Return whether the device's proof, given or to come, lets this sign-in skip MFA."""
    if factors.is_gone(pool_user, device.mfa_factor):
        reason = TrustReason.CREDENTIALS_CHANGED
        trust.refused(user=pool_user.user, device=device, reason=reason, by=request.by)
        return False
    decision = trust.check_device(
        user=pool_user.user,
        device=device,
        stamp=factors.credential_stamp(pool_user),
        proof=ProofState.PASSED,
        policy=PoolPolicy(pool_user.pool),
        by=request.by,
    )
    return decision.allowed
