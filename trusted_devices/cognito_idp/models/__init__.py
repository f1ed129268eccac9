"""User pools, their clients and users, and what the endpoint keeps of sign-ins. Devices are ``trusted_devices.Device``.

Everything that would let its reader in is sealed under ``SECRET_KEY`` (``sealed.py``) or kept as a digest.
"""

from __future__ import annotations

from trusted_devices.cognito_idp.models.accounts import AccessKey, PoolUser, SrpCredential
from trusted_devices.cognito_idp.models.pools import (
    AUTH_FLOWS,
    LEGACY_FLOWS,
    REFRESH_FLOW,
    MfaConfiguration,
    UserPool,
    UserPoolClient,
    default_auth_flows,
)
from trusted_devices.cognito_idp.models.state import AuthEventFeedback, FailedAttempts, PendingDeviceProof, SpentToken
from trusted_devices.cognito_idp.models.tokens import RefreshToken, SigningKey, TokenUse

__all__ = [
    "AUTH_FLOWS",
    "LEGACY_FLOWS",
    "REFRESH_FLOW",
    "AccessKey",
    "AuthEventFeedback",
    "FailedAttempts",
    "MfaConfiguration",
    "PendingDeviceProof",
    "PoolUser",
    "RefreshToken",
    "SigningKey",
    "SpentToken",
    "SrpCredential",
    "TokenUse",
    "UserPool",
    "UserPoolClient",
    "default_auth_flows",
]
