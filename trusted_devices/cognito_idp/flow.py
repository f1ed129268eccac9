"""Signing in over the wire: first factor, second factor, the device's proof, tokens.

Each function takes one request of a client and returns the members of the answer, or raises ``WireError``. What is
due next hangs on the pool's settings and, about the device, on the services alone.
"""

from __future__ import annotations

import base64
import dataclasses
import hmac
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito_idp import accounts, attempts, errors, factors, passwords, tokens
from trusted_devices.cognito_idp.models import MfaConfiguration, PendingDeviceProof, PoolUser, UserPoolClient
from trusted_devices.cognito_idp.states import SecretBlock, Session, is_spent, spend
from trusted_devices.crypto import srp
from trusted_devices.crypto.encoding import parse_signed, parse_timestamp
from trusted_devices.crypto.errors import ClaimError, SrpError, TimestampError
from trusted_devices.crypto.verifier import SrpVerifier
from trusted_devices.exceptions import DeviceNotFound, InvalidCredentials
from trusted_devices.models import Device
from trusted_devices.services import activity, srp_devices
from trusted_devices.services.stamps import password_stamp
from trusted_devices.types import By, ClientInfo, EventAction, ProofState, TrustReason, VerifiedBy

MAX_CLOCK_SKEW = timedelta(minutes=5)
USER, DEVICE = "user", "device"
NEW_PASSWORD = "NEW_PASSWORD_REQUIRED"  # noqa: S105 - a challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step of a sign-in has: which client, who calls, when, and what it answers.

    ``answers`` are AuthParameters or ChallengeResponses without nulls; ``key_withdrawn`` says that DEVICE_KEY was null.
    """

    app_client: UserPoolClient
    client_info: ClientInfo
    now: datetime
    answers: dict[str, str] = field(repr=False)
    key_withdrawn: bool = False

    def require(self, name: str) -> str:
        """Return an answer. Raises ``WireError`` if it is missing."""
        value = self.answers.get(name)
        if not value:
            raise errors.missing_parameter(name)
        return value

    def require_secret_hash(self, *names: str) -> None:
        """Raise ``WireError`` unless the client with a secret proved it for one of ``names``."""
        accounts.require_secret_hash(self.app_client, self.answers.get("SECRET_HASH"), *names)


@sensitive_variables("password")
def begin_with_password(step: Step) -> dict[str, Any]:
    """USER_PASSWORD_AUTH and ADMIN_USER_PASSWORD_AUTH."""
    username, password = step.require("USERNAME"), step.require("PASSWORD")
    step.require_secret_hash(username)
    pool = step.app_client.pool
    known = accounts.find(pool, username)
    name = known.get_username() if known is not None else username
    subject = attempts.password_subject(pool, name)
    attempts.require_allowed(subject, now=step.now)
    if known is None and not step.app_client.prevent_user_existence_errors:
        raise errors.user_not_found()
    if known is not None and not known.is_active:
        # One hash is computed here, as in the other case: inactive users take as long as anybody.
        if known.check_password(password):
            raise errors.user_disabled()
        user = None
    else:
        user = authenticate(step.client_info.request, username=name, password=password)
    if user is None:
        attempts.failed(subject, now=step.now)
        _log_failure(step, known, InvalidCredentials.code)
        raise errors.incorrect()
    attempts.succeeded(subject)
    pool_user = accounts.get_pool_user(pool, user)
    accounts.keep_verifier(pool_user, password)
    return _after_first_factor(step, pool_user, step.answers.get("DEVICE_KEY", ""))


def begin_with_srp(step: Step) -> dict[str, Any]:
    """USER_SRP_AUTH: the server's half of the exchange. It looks the same for users who do not exist."""
    username, srp_a = step.require("USERNAME"), step.require("SRP_A")
    step.require_secret_hash(username)
    pool = step.app_client.pool
    known = accounts.find(pool, username)
    pool_user = accounts.get_pool_user(pool, known) if known is not None else None
    verifier = accounts.verifier_of(pool_user) if pool_user is not None else None
    if not step.app_client.prevent_user_existence_errors:
        if pool_user is None:
            raise errors.user_not_found()
        if verifier is None:
            raise errors.WireError("PasswordResetRequiredException", "Password reset required for the user")
    name = pool_user.user.get_username() if pool_user is not None else username
    parameters = _exchange(
        step,
        kind=USER,
        username=name,
        pool_user=pool_user if verifier is not None else None,
        verifier=verifier or accounts.decoy(pool, name),
        srp_a=srp_a,
        device_key=step.answers.get("DEVICE_KEY", ""),
    )
    return {
        "ChallengeName": "PASSWORD_VERIFIER",
        "ChallengeParameters": {**parameters, "USERNAME": name, "USER_ID_FOR_SRP": name},
    }


def answer_password_verifier(step: Step) -> dict[str, Any]:
    """PASSWORD_VERIFIER. The block is used up by success and by a wrong signature, not by an unknown device."""
    username = step.require("USERNAME")
    block, text = _load_block(step, USER)
    step.require_secret_hash(username)
    pool = step.app_client.pool
    known = accounts.find(pool, username)
    name = known.get_username() if known is not None else username
    if name != block.username:
        raise errors.incorrect()
    subject = attempts.password_subject(pool, name)
    attempts.require_allowed(subject, now=step.now)
    pool_user = _pool_user(block.pool_user_id) if block.pool_user_id is not None else None
    verifier = accounts.verifier_of(pool_user) if pool_user is not None else None
    identity = srp.user_identity(pool_name=pool.pool_name, user_id=block.username)
    if not _proved(step, block, text, identity, verifier or accounts.decoy(pool, name)) or pool_user is None:
        _use_up(step, block, text)
        attempts.failed(subject, now=step.now)
        _log_failure(step, pool_user.user if pool_user else known, InvalidCredentials.code)
        user_login_failed.send(sender=__name__, credentials={"username": name}, request=step.client_info.request)
        raise errors.incorrect()
    if not pool_user.user.is_active:
        raise errors.user_disabled()
    # A later step that names the key, or takes it back, wins over the earlier one.
    device_key = "" if step.key_withdrawn else step.answers.get("DEVICE_KEY", block.device_key)
    _find_device(pool_user, device_key)
    if not _use_up(step, block, text):
        raise errors.incorrect()
    attempts.succeeded(subject)
    return _after_first_factor(step, pool_user, device_key)


def answer_code(step: Step, challenge: str, session_text: str | None) -> dict[str, Any]:
    """SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP. A wrong code leaves the session as it is."""
    code = step.require(factors.CODE_MEMBER[challenge])
    session, pool_user = _load_session(step, challenge, session_text)
    factor = next((factor for factor in factors.available(pool_user) if factor.challenge == challenge), None)
    if factor is None:
        raise errors.software_token_not_found() if challenge == factors.TOTP else errors.mfa_method_not_found()
    verified = factors.verify(pool_user, factor, session, code, client_info=step.client_info, now=step.now)
    _spend_session(step, session, session_text)
    return _after_second_factor(step, pool_user, session.after(verified))


def answer_choice(step: Step, session_text: str | None) -> dict[str, Any]:
    """SELECT_MFA_TYPE."""
    answer = step.require("ANSWER")
    session, pool_user = _load_session(step, "SELECT_MFA_TYPE", session_text)
    wanted = factors.ALIASES.get(answer, answer)
    factor = next((factor for factor in factors.available(pool_user) if factor.challenge == wanted), None)
    if factor is None:
        raise errors.mfa_method_not_found()
    _spend_session(step, session, session_text)
    return _ask(step, pool_user, session, factor)


@sensitive_variables("password")
def answer_new_password(step: Step, session_text: str | None) -> dict[str, Any]:
    """NEW_PASSWORD_REQUIRED. A password or attribute that is refused leaves the session as it is.

    Trust ends with the old password, so that what follows is a sign-in without a device.
    """
    password = step.require("NEW_PASSWORD")
    session, pool_user = _load_session(step, NEW_PASSWORD, session_text)
    changed = passwords.assign(pool_user, password, step.answers)
    with transaction.atomic():
        _spend_session(step, session, session_text)
        # Another sign-in, the site's own pages or staff may have been faster.
        stored = type(pool_user.user)._base_manager.select_for_update().filter(pk=pool_user.user.pk).first()
        marked = PoolUser.objects.filter(pk=pool_user.pk, must_change_password=True)
        if stored is None or not _still_good(stored, session) or not marked.update(must_change_password=False):
            raise errors.invalid_session()
        pool_user.user.save(update_fields=changed)
    return _after_password(step, pool_user, None)


def answer_setup(step: Step, session_text: str | None) -> dict[str, Any]:
    """MFA_SETUP, with the session that VerifySoftwareToken gave."""
    session, pool_user = _load_session(step, "MFA_SETUP", session_text)
    if session.verification is None:
        raise errors.invalid_parameter("The software token has not been verified.")
    _spend_session(step, session, session_text)
    return _after_second_factor(step, pool_user, session)


def begin_device_proof(step: Step, session_text: str | None) -> dict[str, Any]:
    """DEVICE_SRP_AUTH: good only against a fresh record that the first factor was passed."""
    username, device_key = step.require("USERNAME"), step.require("DEVICE_KEY")
    srp_a = step.require("SRP_A")
    step.require_secret_hash(username)
    known = accounts.find(step.app_client.pool, username)
    pool_user = accounts.get_pool_user(step.app_client.pool, known) if known is not None else None
    if session_text:
        # Some clients send the session of an earlier step: whose it is counts, not which one.
        session = Session.load(session_text)
        if pool_user is None or session.pool_user_id != pool_user.pk or session.client_id != step.app_client.client_id:
            raise errors.invalid_session()
    if pool_user is None:
        raise errors.incorrect()
    record = _recorded_first_factor(step, pool_user, device_key)
    if record is None:
        raise errors.incorrect()
    device = _find_device(pool_user, device_key)
    if device is None:
        raise errors.incorrect()
    parameters = _exchange(
        step,
        kind=DEVICE,
        username=known.get_username(),
        pool_user=pool_user,
        verifier=_device_verifier(device),
        srp_a=srp_a,
        device_key=device_key,
        session=record.state,
    )
    if not PendingDeviceProof.objects.filter(pk=record.pk, used_at=None).update(used_at=step.now):
        raise errors.incorrect()
    return {
        "ChallengeName": "DEVICE_PASSWORD_VERIFIER",
        "ChallengeParameters": {**parameters, "USERNAME": known.get_username(), "DEVICE_KEY": device_key},
    }


def answer_device_verifier(step: Step) -> dict[str, Any]:
    """DEVICE_PASSWORD_VERIFIER."""
    username, device_key = step.require("USERNAME"), step.require("DEVICE_KEY")
    block, text = _load_block(step, DEVICE)
    step.require_secret_hash(username)
    pool_user = _pool_user(block.pool_user_id)
    if pool_user is None or block.device_key != device_key or not _is_user(step, pool_user, username):
        raise errors.incorrect()
    device = _find_device(pool_user, device_key)
    if device is None:
        raise errors.incorrect()
    identity = srp.device_identity(device_group_key=device.device_group_key, device_key=device_key)
    proved = _proved(step, block, text, identity, _device_verifier(device))
    if not _use_up(step, block, text):
        raise errors.incorrect()
    session = Session(**block.session)
    if not proved:
        # A device that fails its proof never counts against the user's guesses.
        srp_devices.refused(
            user=pool_user.user,
            device=device,
            reason=TrustReason.PROOF_FAILED,
            by=By(client=step.client_info, at=step.now),
        )
        raise errors.incorrect()
    if not _still_good(pool_user.user, session):
        raise errors.incorrect()
    found = factors.available(pool_user)
    if session.verification is None and _mfa_due(pool_user, found) and not _trusted(step, pool_user, device):
        return _second_factor(step, pool_user, session, found)
    try:
        srp_devices.authenticated(
            device,
            terms=pool_user.pool.terms,
            verification=session.verification,
            by=By(client=step.client_info, at=step.now),
        )
    except DeviceNotFound:
        raise errors.device_not_found() from None
    return _finish(step, pool_user, session, device)


def setup_session(text: str, *, now: datetime) -> tuple[Session, PoolUser]:
    """Return the session of a sign-in that has to set up a factor, and whose it is. Raises ``WireError``."""
    session = Session.load(text)
    pool_user = _pool_user(session.pool_user_id)
    if pool_user is None or session.challenge != "MFA_SETUP" or not _still_good(pool_user.user, session):
        raise errors.invalid_session()
    if now.timestamp() >= session.expires:
        raise errors.session_expired()
    if is_spent(text):
        raise errors.session_used()
    return session, pool_user


def _after_first_factor(step: Step, pool_user: PoolUser, device_key: str) -> dict[str, Any]:
    device = _find_device(pool_user, device_key)
    if pool_user.must_change_password:
        session = Session.start(step.app_client, pool_user, device_key="", now=step.now).waiting_for(NEW_PASSWORD)
        parameters = passwords.challenge_parameters(pool_user)
        return {"ChallengeName": NEW_PASSWORD, "Session": session.dump(), "ChallengeParameters": parameters}
    return _after_password(step, pool_user, device)


def _after_password(step: Step, pool_user: PoolUser, device: Device | None) -> dict[str, Any]:
    """Go on with a password that may stay."""
    session = Session.start(step.app_client, pool_user, device_key=device.device_key if device else "", now=step.now)
    found = factors.available(pool_user)
    if _mfa_due(pool_user, found) and (device is None or not _trusted(step, pool_user, device)):
        return _second_factor(step, pool_user, session, found)
    return _after_second_factor(step, pool_user, session)


def _second_factor(step: Step, pool_user: PoolUser, session: Session, found: list[factors.Factor]) -> dict[str, Any]:
    if not found:
        if not factors.can_set_up(pool_user.pool):
            raise errors.WireError(
                "InvalidUserPoolConfigurationException", "MFA is required and cannot be set up here."
            )
        session = session.waiting_for("MFA_SETUP")
        setup = {"MFAS_CAN_SETUP": json.dumps([factors.TOTP])}
        return {"ChallengeName": "MFA_SETUP", "Session": session.dump(), "ChallengeParameters": setup}
    factor = factors.preferred(pool_user, found)
    if factor is not None:
        return _ask(step, pool_user, session, factor)
    session = session.waiting_for("SELECT_MFA_TYPE")
    choices = json.dumps([factor.challenge for factor in found], separators=(",", ":"))
    return {
        "ChallengeName": "SELECT_MFA_TYPE",
        "Session": session.dump(),
        "ChallengeParameters": {"MFAS_CAN_CHOOSE": choices, "USER_ID_FOR_SRP": pool_user.user.get_username()},
    }


def _ask(step: Step, pool_user: PoolUser, session: Session, factor: factors.Factor) -> dict[str, Any]:
    session, parameters = factors.ask(pool_user, factor, session, client_info=step.client_info)
    return {"ChallengeName": factor.challenge, "Session": session.dump(), "ChallengeParameters": parameters}


def _after_second_factor(step: Step, pool_user: PoolUser, session: Session) -> dict[str, Any]:
    """Ask a known device for its proof, so that the tokens are bound to it; otherwise finish."""
    if not session.device_key or not pool_user.pool.is_tracking:
        return _finish(step, pool_user, session, None)
    lifetime = timedelta(minutes=step.app_client.auth_session_validity)
    session = session.waiting_for("DEVICE_SRP_AUTH", expires=(step.now + lifetime).timestamp())
    PendingDeviceProof.objects.create(
        app_client=step.app_client,
        pool_user=pool_user,
        device_key=session.device_key,
        state=session.record(),
        expires_at=step.now + lifetime,
    )
    return {"ChallengeName": "DEVICE_SRP_AUTH", "Session": session.dump(), "ChallengeParameters": {}}


def _finish(step: Step, pool_user: PoolUser, session: Session, device: Device | None) -> dict[str, Any]:
    """Sign in: log it and issue tokens; give an unknown device the key under which it may be confirmed."""
    pool, verification = pool_user.pool, session.verification
    by = VerifiedBy.MFA if verification is not None else VerifiedBy.PASSWORD
    if verification is None and device is not None and _mfa_due(pool_user, factors.available(pool_user)):
        by = VerifiedBy.TRUSTED_DEVICE
    event = activity.record(
        EventAction.SIGNED_IN,
        user=pool_user.user,
        device=device,
        reason=by,
        by=By(client=step.client_info, at=step.now),
    )
    update_last_login(type(pool_user.user), pool_user.user)
    metadata: dict[str, Any] = {}
    device_key = device.device_key if device is not None else ""
    if device is None and pool.is_tracking:
        device_key = f"{pool.region}_{uuid.uuid4()}"
        metadata = {"NewDeviceMetadata": {"DeviceKey": device_key, "DeviceGroupKey": pool.device_group_key}}
    result = tokens.start(
        app_client=step.app_client,
        pool_user=pool_user,
        device_key=device_key,
        device_confirmed=device is not None,
        verification=verification,
        event_id=uuid.UUID(int=event.pk),
        now=step.now,
    )
    return {"ChallengeParameters": {}, "AuthenticationResult": {**result, **metadata}}


def _trusted(step: Step, pool_user: PoolUser, device: Device) -> bool:
    """Return whether the device's proof, given or to come, lets this sign-in skip MFA."""
    decision = srp_devices.check(
        user=pool_user.user,
        device=device,
        terms=pool_user.pool.terms,
        proof=ProofState.PASSED,
        by=By(client=step.client_info, at=step.now),
    )
    return decision.allowed


def _mfa_due(pool_user: PoolUser, found: list[factors.Factor]) -> bool:
    if pool_user.pool.mfa == MfaConfiguration.OFF:
        return False
    return bool(found) or pool_user.pool.mfa == MfaConfiguration.ON


def _find_device(pool_user: PoolUser, device_key: str) -> Device | None:
    """Return the device that a sign-in named, ``None`` if it named none. Raises ``WireError``."""
    if not device_key or not pool_user.pool.is_tracking:
        return None
    try:
        return srp_devices.find(user=pool_user.user, group_key=pool_user.pool.device_group_key, device_key=device_key)
    except DeviceNotFound:
        raise errors.device_not_found() from None


def _recorded_first_factor(step: Step, pool_user: PoolUser, device_key: str) -> PendingDeviceProof | None:
    record = (
        PendingDeviceProof.objects.filter(
            app_client=step.app_client,
            pool_user=pool_user,
            device_key=device_key,
            used_at=None,
            expires_at__gt=step.now,
        )
        .order_by("-pk")
        .first()
    )
    if record is None or not _still_good(pool_user.user, Session(**record.state)):
        return None
    return record


def _exchange(
    step: Step,
    *,
    kind: str,
    username: str,
    pool_user: PoolUser | None,
    verifier: SrpVerifier,
    srp_a: str,
    device_key: str,
    session: dict[str, Any] | None = None,
) -> dict[str, str]:
    """Return SALT, SRP_B and SECRET_BLOCK. Raises ``WireError`` (InvalidParameterException) for a bad SRP_A."""
    try:
        client_public = srp.parse_srp_a(srp_a)
    except SrpError as error:
        raise errors.invalid_parameter(str(error)) from None
    ephemeral = srp.server_ephemeral(verifier=verifier.verifier, client_public=client_public)
    block = SecretBlock(
        kind=kind,
        client_id=step.app_client.client_id,
        username=username,
        pool_user_id=pool_user.pk if pool_user is not None else None,
        device_key=device_key,
        client_public=client_public,
        ephemeral=ephemeral,
        session=session or {},
        expires=(step.now + timedelta(minutes=step.app_client.auth_session_validity)).timestamp(),
    )
    return {"SALT": verifier.salt_hex, "SRP_B": ephemeral.srp_b, "SECRET_BLOCK": block.dump()}


def _load_block(step: Step, kind: str) -> tuple[SecretBlock, str]:
    """Return the secret block that comes back. Raises ``WireError`` unless it is this client's, fresh and unused."""
    text = step.require("PASSWORD_CLAIM_SECRET_BLOCK")
    step.require("PASSWORD_CLAIM_SIGNATURE")
    step.require("TIMESTAMP")
    block = SecretBlock.load(text)
    if block.kind != kind or block.client_id != step.app_client.client_id or step.now.timestamp() >= block.expires:
        raise errors.incorrect()
    if is_spent(text):
        raise errors.incorrect()
    return block, text


def _proved(step: Step, block: SecretBlock, text: str, identity: srp.Identity, verifier: SrpVerifier) -> bool:
    """Return whether timestamp and signature are right."""
    try:
        if abs(parse_timestamp(step.answers["TIMESTAMP"]) - step.now) > MAX_CLOCK_SKEW:
            return False
        srp.verify_claim(
            verifier=verifier.verifier,
            client_public=block.client_public,
            ephemeral=block.ephemeral,
            identity=identity,
            secret_block=base64.b64decode(text),
            timestamp=step.answers["TIMESTAMP"],
            signature=step.answers["PASSWORD_CLAIM_SIGNATURE"],
        )
    except (TimestampError, ClaimError, SrpError):
        return False
    return True


def _use_up(step: Step, block: SecretBlock, text: str) -> bool:
    return spend(text, expires=block.expires, now=step.now)


def _load_session(step: Step, challenge: str, text: str | None) -> tuple[Session, PoolUser]:
    """Return the session of a challenge and whose it is. Raises ``WireError`` unless it is the caller's and fresh."""
    username = step.require("USERNAME")
    session = Session.load(text)
    step.require_secret_hash(username)
    pool_user = _pool_user(session.pool_user_id)
    if pool_user is None or session.client_id != step.app_client.client_id or not _is_user(step, pool_user, username):
        raise errors.invalid_session()
    if session.challenge != challenge:
        raise errors.invalid_session()
    if step.now.timestamp() >= session.expires:
        raise errors.session_expired()
    if is_spent(text or ""):
        raise errors.session_used()
    if not pool_user.user.is_active:
        raise errors.user_disabled()
    if not _still_good(pool_user.user, session):
        raise errors.invalid_session()
    return session, pool_user


def _spend_session(step: Step, session: Session, text: str | None) -> None:
    if not spend(text or "", expires=session.expires, now=step.now):
        raise errors.session_used()


def _is_user(step: Step, pool_user: PoolUser, username: str) -> bool:
    """Return whether ``username``, as typed or as the server named it, means this user."""
    if username == pool_user.user.get_username():
        return True
    known = accounts.find(step.app_client.pool, username)
    return known is not None and known.pk == pool_user.user_id


def _pool_user(pk: int | None) -> PoolUser | None:
    return PoolUser.objects.select_related("user", "pool").filter(pk=pk or 0).first()


def _still_good(user: Any, session: Session) -> bool:
    """Return whether the user is still active and still has the password that the sign-in began with."""
    return bool(user.is_active) and hmac.compare_digest(password_stamp(user), session.stamp)


def _device_verifier(device: Device) -> SrpVerifier:
    assert device.srp_salt is not None  # srp_devices.find() returns no others
    assert device.srp_verifier is not None
    return SrpVerifier(salt=parse_signed(bytes(device.srp_salt)), verifier=parse_signed(bytes(device.srp_verifier)))


def _log_failure(step: Step, user: Any, reason: str) -> None:
    activity.record(EventAction.SIGN_IN_FAILED, user=user, reason=reason, by=By(client=step.client_info, at=step.now))


def with_address(info: ClientInfo, address: str | None, user_agent: str | None = None) -> ClientInfo:
    """Return ``info`` with the address and agent that a trusted caller names."""
    changes: dict[str, Any] = {}
    if address:
        changes["ip_address"] = address
    if user_agent:
        changes["user_agent"] = user_agent
    return dataclasses.replace(info, **changes)
