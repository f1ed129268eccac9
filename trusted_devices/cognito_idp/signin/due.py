"""What is due next in a sign-in. The pool's settings decide, and about the device the services alone."""

from __future__ import annotations

import json
from typing import Any

from trusted_devices.cognito_idp import errors, factors, software_tokens
from trusted_devices.cognito_idp.models import PendingDeviceProof, PoolUser
from trusted_devices.cognito_idp.signin import known_device
from trusted_devices.cognito_idp.signin.challenge_session import ChallengeSession, expiry
from trusted_devices.cognito_idp.signin.finish import finish
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.models import Device
from trusted_devices.services import enrolment


def after_password(request: SignInRequest, pool_user: PoolUser, device: Device | None) -> dict[str, Any]:
    """Continue with a password that may stay: to the second factor, unless none is due or the device is trusted."""
    session = ChallengeSession.start(request, pool_user, device_key=device.device_key if device else "")
    found = factors.available(pool_user)
    if factors.are_due(pool_user, found) and not (
        device is not None and known_device.is_trusted(request, pool_user, device)
    ):
        return second_factor(request, pool_user, session, found)
    return device_proof(request, pool_user, session)


def second_factor(
    request: SignInRequest, pool_user: PoolUser, session: ChallengeSession, found: list[factors.Factor]
) -> dict[str, Any]:
    """Ask for one of the factors ``found``, for a choice between them, or for setting one up.

    Raises ``WireError`` where nothing can be asked for and nothing set up. Whoever has a factor that the pool cannot
    ask for sets up none: their password alone would get them another.
    """
    if not found:
        if enrolment.has_factor(pool_user.user):
            raise errors.cannot_ask()
        if not software_tokens.are_offered(pool_user.pool):
            raise errors.cannot_set_up()
        return session.waiting_for("MFA_SETUP").challenge_answer({"MFAS_CAN_SETUP": json.dumps([factors.TOTP])})
    factor = factors.preferred(pool_user, found)
    if factor is not None:
        return code(request, pool_user, session, factor)
    choices = json.dumps([factor.challenge for factor in found], separators=(",", ":"))
    return session.waiting_for("SELECT_MFA_TYPE").challenge_answer(
        {"MFAS_CAN_CHOOSE": choices, "USER_ID_FOR_SRP": pool_user.user.get_username()}
    )


def code(
    request: SignInRequest, pool_user: PoolUser, session: ChallengeSession, factor: factors.Factor
) -> dict[str, Any]:
    """Ask for a code, which is sent where it has to be."""
    asked = factors.ask(pool_user, factor, by=request.by)
    return session.waiting_for(factor.challenge, code=asked.digest).challenge_answer(asked.parameters)


def device_proof(request: SignInRequest, pool_user: PoolUser, session: ChallengeSession) -> dict[str, Any]:
    """Ask a known device for its proof, so that the tokens are bound to it; without one, finish."""
    if not session.device_key or not pool_user.pool.is_tracking:
        return finish(request, pool_user, session, None)
    until = expiry(request)
    session = session.waiting_for("DEVICE_SRP_AUTH", expires=until.timestamp())
    PendingDeviceProof.objects.create(
        app_client=request.app_client,
        pool_user=pool_user,
        device_key=session.device_key,
        sign_in=session.sign_in,
        origin=request.origin,
        state=session.record(),
        expires_at=until,
    )
    return session.challenge_answer({})
