"""The device's proof that it holds its password: DEVICE_SRP_AUTH and DEVICE_PASSWORD_VERIFIER."""

from __future__ import annotations

from typing import Any

from trusted_devices.cognito_idp import accounts, errors, factors, pool_devices
from trusted_devices.cognito_idp.models import PendingDeviceProof, PoolUser
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.cognito_idp.signin import due, exchange, known_device
from trusted_devices.cognito_idp.signin.challenge_session import ChallengeSession
from trusted_devices.cognito_idp.signin.finish import finish
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.crypto import srp
from trusted_devices.exceptions import DeviceNotFound
from trusted_devices.models import Device
from trusted_devices.services import remembering, trust
from trusted_devices.types import TrustReason


def begin(request: SignInRequest) -> dict[str, Any]:
    """DEVICE_SRP_AUTH: good only in a sign-in whose first factor was passed and that waits for this very device.

    Which sign-in that is says a session of any of its steps, or else where it comes from: the holder of a device's
    password alone must not finish the sign-in that its owner has begun elsewhere.
    """
    username, device_key = request.require("USERNAME"), request.require("DEVICE_KEY")
    request.require("SRP_A")
    request.require_secret_hash(username)
    session = None
    if request.session_text:
        # Some clients send the session of an earlier step: of which sign-in it is counts, not of which step.
        session = ChallengeSession.open(request.session_text)
        whose = accounts.load_pool_user(session.pool_user_id)
        named = whose is not None and accounts.is_name_of(whose, username)
        if not named or session.client_id != request.app_client.client_id:
            raise errors.invalid_session()
    pending = _pending(request, device_key, session)
    if pending is None or not accounts.is_name_of(pending.pool_user, username):
        raise errors.incorrect()
    pool_user = pending.pool_user
    device = known_device.find(pool_user, device_key)
    if device is None:
        raise errors.incorrect()
    name = pool_user.user.get_username()
    parameters = exchange.begin(
        request,
        exchange.DEVICE,
        username=name,
        srp_name=name,
        pool_user=pool_user,
        verifier=pool_devices.verifier(device),
        session=pending.state,
    )
    if not PendingDeviceProof.objects.filter(pk=pending.pk, used_at=None).update(used_at=request.now):
        raise errors.incorrect()
    return {
        "ChallengeName": "DEVICE_PASSWORD_VERIFIER",
        "ChallengeParameters": {**parameters, "USERNAME": name, "DEVICE_KEY": device_key},
    }


def answer(request: SignInRequest) -> dict[str, Any]:
    """DEVICE_PASSWORD_VERIFIER. The block is used up by success and by a wrong signature."""
    username, device_key = request.require("USERNAME"), request.require("DEVICE_KEY")
    block = exchange.load(request, exchange.DEVICE)
    request.require_secret_hash(username)
    pool_user = accounts.load_pool_user(block.pool_user_id)
    if pool_user is None or block.device_key != device_key or not accounts.is_name_of(pool_user, username):
        raise errors.incorrect()
    device = known_device.find(pool_user, device_key)
    if device is None:
        raise errors.incorrect()
    identity = srp.device_identity(device_group_key=device.device_group_key, device_key=device_key)
    proved = exchange.is_proved(request, block, identity, pool_devices.verifier(device))
    if not exchange.use_up(request, block):
        raise errors.incorrect()
    if not proved:
        # A device that fails its proof never counts against the user's guesses.
        trust.refused(user=pool_user.user, device=device, reason=TrustReason.PROOF_FAILED, by=request.by)
        raise errors.incorrect()
    session = ChallengeSession(**block.session)
    if not session.stands(pool_user):
        raise errors.incorrect()
    return _proved(request, pool_user, session, device)


def _proved(request: SignInRequest, pool_user: PoolUser, session: ChallengeSession, device: Device) -> dict[str, Any]:
    """Continue with a device that proved itself: finish, unless MFA was skipped by trust that has ended meanwhile."""
    found = factors.available(pool_user)
    skips_mfa = session.verification is None and factors.are_due(pool_user, found)
    if skips_mfa and not known_device.is_trusted(request, pool_user, device):
        return due.second_factor(request, pool_user, session, found)
    try:
        remembering.renew(
            device,
            verification=session.verification,
            policy=PoolPolicy(pool_user.pool),
            by=request.by,
        )
    except DeviceNotFound:
        raise errors.device_not_found() from None
    return finish(request, pool_user, session, device)


def _pending(request: SignInRequest, device_key: str, session: ChallengeSession | None) -> PendingDeviceProof | None:
    """Return the sign-in that waits for the device, if the password it began with still stands.

    It is that of ``session``, or the latest from where the request comes.
    """
    own = {"sign_in": session.sign_in} if session is not None else {"origin": request.origin}
    pending = (
        PendingDeviceProof.objects.select_related("pool_user__user", "pool_user__pool")
        .filter(
            app_client=request.app_client,
            device_key=device_key,
            used_at=None,
            expires_at__gt=request.now,
            **own,
        )
        .order_by("-pk")
        .first()
    )
    if pending is None or not ChallengeSession(**pending.state).stands(pending.pool_user):
        return None
    return pending
