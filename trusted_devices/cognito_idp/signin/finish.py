"""The end of a sign-in: it is logged, and tokens are issued."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import update_last_login

from trusted_devices.cognito_idp import factors, tokens
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.signin.challenge_session import ChallengeSession
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.models import Device
from trusted_devices.services import activity
from trusted_devices.types import EventAction, VerifiedBy


def finish(
    request: SignInRequest, pool_user: PoolUser, session: ChallengeSession, device: Device | None
) -> dict[str, Any]:
    """Log the sign-in and issue tokens; give an unknown device the key under which it may be confirmed."""
    pool = pool_user.pool
    event = activity.record(
        EventAction.SIGNED_IN,
        user=pool_user.user,
        device=device,
        reason=_verified_by(pool_user, session, device),
        by=request.by,
    )
    update_last_login(type(pool_user.user), pool_user.user)
    metadata: dict[str, Any] = {}
    device_key = device.device_key if device is not None else ""
    if device is None and pool.is_tracking:
        device_key = f"{pool.region}_{uuid.uuid4()}"
        metadata = {"NewDeviceMetadata": {"DeviceKey": device_key, "DeviceGroupKey": pool.device_group_key}}
    result = tokens.start(
        app_client=request.app_client,
        pool_user=pool_user,
        device_key=device_key,
        device_confirmed=device is not None,
        verification=session.verification,
        stamp=session.stamp,
        event=event,
    )
    return {"ChallengeParameters": {}, "AuthenticationResult": {**result, **metadata}}


def _verified_by(pool_user: PoolUser, session: ChallengeSession, device: Device | None) -> VerifiedBy:
    if session.verification is not None:
        return VerifiedBy.MFA
    skipped = device is not None and factors.are_due(pool_user, factors.available(pool_user))
    return VerifiedBy.TRUSTED_DEVICE if skipped else VerifiedBy.PASSWORD
