"""Checking trust at sign-in, granting it after MFA, and offering it.

Sites whose sign-in belongs to another library call :func:`check` after the first factor, :func:`offer` and
:func:`grant` after the second, and :func:`signed_in` once the session exists.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import Error, IntegrityError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from trusted_devices import conf, signals
from trusted_devices.backends import get_backend
from trusted_devices.backends.base import BaseDeviceBackend
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import AlreadyAnswered, BackendUnavailable, InvalidPeriod, TrustNotAllowed
from trusted_devices.models import Device
from trusted_devices.policy import TrustPolicy, evaluate_trust
from trusted_devices.services import activity, devices, registration, sessions
from trusted_devices.types import (
    Binding,
    ClientInfo,
    DeviceCredential,
    DeviceFacts,
    DeviceStatus,
    EventAction,
    MfaVerification,
    Presented,
    ProofState,
    SecretMatch,
    StatusReason,
    TrackingMode,
    TrustDecision,
    TrustOffer,
    TrustReason,
    VerifiedBy,
)
from trusted_devices.words import browsers

logger = logging.getLogger(__name__)

ROTATION_GRACE = timedelta(seconds=60)
"""How long a rotation goes on handing out the same successor: two tabs that sign in at once must end up with the
same secret, whichever answer the browser keeps. After that the same secret is given another successor, so that of two
copies of one cookie each use ends the other's."""


_GOOD = (SecretMatch.CURRENT, SecretMatch.SUCCESSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustCheck:
    """What came of a check: the decision, the device that was recognised, and the credential that replaces the
    one presented (hand it to the client whenever there is one)."""

    decision: TrustDecision
    device: Device | None = None
    credential: DeviceCredential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A device that is trusted now, and the credential to hand to the client."""

    device: Device
    credential: DeviceCredential


def get_policy() -> TrustPolicy:
    """Return the site's policy."""
    settings = conf.get_settings()
    return _policy_class(settings.POLICY)(settings)


@cache
def _policy_class(path: str) -> type[TrustPolicy]:
    chosen: type[TrustPolicy] = import_string(path)
    return chosen


def password_stamp(user: Any) -> str:
    """Return what tells one stored password hash from another: a digest of the hash, itself salted and slow."""
    return hashlib.sha256(b"trusted_devices:password\0" + user.password.encode()).hexdigest()


def check(
    *,
    user: Any,
    presented: Presented,
    client: ClientInfo,
    mfa_active: bool,
    proof: ProofState = ProofState.NOT_NEEDED,
    now: datetime | None = None,
) -> TrustCheck:
    """Decide whether this sign-in may skip MFA; if so, rotate the device's secret.

    Costs one indexed read, and one narrow write when the answer is yes. Call it only after the first factor. Whatever
    goes wrong, the answer is to ask for MFA. ``proof`` is where that of a device stands that proves a password.
    """
    now = now or timezone.now()
    try:
        with _savepoint():
            found = _check(user, presented, client, mfa_active=mfa_active, proof=proof, now=now)
    except Error as error:
        # Not the error itself: databases quote the row.
        logger.error("Trust could not be checked (%s).", type(error).__name__)  # noqa: TRY400
        return _UNAVAILABLE
    if not found.decision.allowed and presented.credential is not None:
        try:
            _refused(user, found, client, now)
        except Error as error:
            logger.error("A refusal of trust could not be recorded (%s).", type(error).__name__)  # noqa: TRY400
    return found


def recall(
    *, user: Any, presented: Presented, client: ClientInfo, now: datetime | None = None
) -> DeviceCredential | None:
    """Return the credential of a device that may stand in for MFA once it has proved itself; ``None`` without one.

    One read; it changes and logs nothing, so it may come before the password has been verified.
    """
    try:
        with _savepoint():
            device, decision = _decide(
                user, presented, client, mfa_active=True, proof=ProofState.PASSED, now=now or timezone.now()
            )
    except Error as error:
        # Not the error itself: databases quote the row.
        logger.error("A device could not be recalled (%s).", type(error).__name__)  # noqa: TRY400
        return None
    proves = device is not None and device.binding == Binding.SRP
    return presented.credential if decision.allowed and proves else None


def lose(*, user: Any, credential: DeviceCredential | None, client: ClientInfo, now: datetime | None = None) -> None:
    """Forget a device of which its backend no longer knows."""
    device = recognise(user=user, credential=credential)
    if device is None:
        return
    try:
        devices.forget([device], note="unknown to its backend", client=client, now=now)
    except BackendUnavailable:
        # The user is signing in; ``services.sync`` forgets it as well.
        logger.warning("Device %s is unknown to its backend and could not be forgotten.", device.device_key)


def recognise(*, user: Any, credential: DeviceCredential | None) -> Device | None:
    """Return the user's device that holds this credential, remembered or not; ``None`` for anything else. One read."""
    if credential is None:
        return None
    device = Device.objects.with_key(credential.device_key)
    if device is None or device.user_id != user.pk or credential.user_id != str(user.pk):
        return None
    return device if match(device, credential) in _GOOD else None


def match(device: Device, credential: DeviceCredential) -> SecretMatch:
    """Tell how the secret in ``credential`` relates to those that ``device`` knows."""
    found = device_secret.match(
        credential.secret,
        generation=credential.generation,
        current_digest=device.secret_digest,
        next_digest=device.next_secret_digest,
        current_generation=device.secret_generation,
    )
    # A device password is never replaced.
    never_replaced = device.binding == Binding.SRP and found is SecretMatch.SUPERSEDED
    return SecretMatch.WRONG if never_replaced else found


def offer(*, user: Any, verification: MfaVerification, client: ClientInfo) -> TrustOffer | None:
    """Return the periods to offer after that second factor, or ``None`` where trust may not be offered."""
    return get_policy().offer(user, verification, client)


def grant(
    *,
    user: Any,
    period: timedelta,
    verification: MfaVerification,
    presented: Presented,
    client: ClientInfo,
    name: str = "",
    grant_id: str = "",
    backend: BaseDeviceBackend | None = None,
    now: datetime | None = None,
) -> Grant:
    """Trust the device in front of the user for ``period``. Only in the same flow, right after a second factor.

    A device that the client still holds the secret of is revived with its name and history, or, where somebody else
    owns the devices, replaced by one of the same name; otherwise a new one is confirmed. ``grant_id`` identifies the
    question that is answered, so that it is answered once. ``backend`` is the one of the sign-in in hand.

    Call it outside of transactions where somebody else owns the devices, who is asked over a network.

    Raises ``TrustNotAllowed``, ``InvalidPeriod``, ``InvalidDeviceName``, ``AlreadyAnswered``, ``BackendUnavailable``.
    """
    now = now or timezone.now()
    grant_id = grant_id or uuid.uuid4().hex
    policy = get_policy()
    if not policy.may_trust(user, verification, client):
        raise TrustNotAllowed
    if period not in policy.periods(user):
        raise InvalidPeriod
    name = devices.clean_name(name) if name else ""
    reason = StatusReason.USER_TRUSTED
    if policy.tracking(user) is TrackingMode.ALWAYS:
        reason = StatusReason.TRACKING_ALWAYS
    backend = backend or get_backend()
    replaced = _replaced(user, presented, backend)
    if replaced is not None:
        name = name or replaced.name
    wish = _Wish(
        period=period,
        verification=verification,
        name=name,
        grant_id=grant_id,
        reason=reason,
        known=replaced is not None,
    )
    try:
        granted = _grant(user, wish, presented, client, backend, now)
    except IntegrityError:
        # In another tab the same question was answered at the same moment; or it is an error like any other.
        if Device.objects.filter(grant_id=grant_id).exists():
            raise AlreadyAnswered from None
        raise
    if replaced is not None:
        try:
            devices.forget([replaced], note="replaced", client=client, now=now)
        except BackendUnavailable:
            logger.warning("Device %s was replaced and could not be forgotten.", replaced.device_key)
    return granted


def signed_in(
    *,
    user: Any,
    by: VerifiedBy,
    device: Device | None,
    session_key: str,
    client: ClientInfo,
    now: datetime | None = None,
) -> None:
    """Note that ``user`` has a session now, from which device, and how it was verified.

    A session from a device that was forgotten or lost its trust since the check is ended at once.
    """
    now = now or timezone.now()
    with transaction.atomic():
        if device is not None and not sessions.attach(device=device, session_key=session_key, now=now):
            device = None
        if device is not None and by is not VerifiedBy.TRUSTED_DEVICE:
            Device.objects.filter(pk=device.pk).update(**_seen(device, client, now))
        activity.record(EventAction.SIGNED_IN, user=user, device=device, reason=by, client=client, now=now)


_UNAVAILABLE = TrustCheck(decision=TrustDecision(allowed=False, reason=TrustReason.BACKEND_UNAVAILABLE))


def _savepoint() -> AbstractContextManager[Any]:
    """Keep a database error from spoiling the transaction around us, where there is one."""
    return transaction.atomic() if transaction.get_connection().in_atomic_block else nullcontext()


def _check(
    user: Any, presented: Presented, client: ClientInfo, *, mfa_active: bool, proof: ProofState, now: datetime
) -> TrustCheck:
    for _attempt in range(3):
        found = _check_once(user, presented, client, mfa_active=mfa_active, proof=proof, now=now)
        if found is not None:
            return found
    return _UNAVAILABLE


def _check_once(
    user: Any, presented: Presented, client: ClientInfo, *, mfa_active: bool, proof: ProofState, now: datetime
) -> TrustCheck | None:
    """Check against what is stored now; ``None`` if that changed before the rotation could be written."""
    credential = presented.credential
    device, decision = _decide(user, presented, client, mfa_active=mfa_active, proof=proof, now=now)
    if not decision.allowed or device is None or credential is None:
        return TrustCheck(decision=decision, device=device)
    rotation = _rotate(device, credential, match(device, credential), now)
    if not _replace_secret(device, rotation, client, now):
        return None
    return TrustCheck(decision=decision, device=device, credential=rotation.credential)


def _replace_secret(device: Device, rotation: _Rotation, client: ClientInfo, now: datetime) -> bool:
    """Write the rotation, and that the device was seen; return whether it was still stored as it had been read."""
    changes = {**rotation.changes, **_seen(device, client, now)}
    unchanged = Device.objects.filter(
        pk=device.pk,
        status=DeviceStatus.REMEMBERED,
        secret_digest=device.secret_digest,
        next_secret_digest=device.next_secret_digest,
    )
    if not unchanged.update(**changes):
        return False
    _apply(device, changes)
    return True


def _decide(
    user: Any, presented: Presented, client: ClientInfo, *, mfa_active: bool, proof: ProofState, now: datetime
) -> tuple[Device | None, TrustDecision]:
    credential = presented.credential
    device = facts = None
    if credential is not None and mfa_active:
        device = Device.objects.with_key(credential.device_key)
        if device is not None:
            if device.binding == Binding.SRP and proof is ProofState.NOT_NEEDED:
                proof = ProofState.MISSING
            facts = describe(user, device, match(device, credential), proof)
    policy = get_policy()
    decision = evaluate_trust(
        user_id=str(user.pk),
        presented=presented,
        device=facts,
        limits=policy.limits(user),
        mfa_active=mfa_active,
        at_risk=device is not None and _at_risk(policy, user, device, client),
        now=now,
    )
    return device, decision


def _at_risk(policy: TrustPolicy, user: Any, device: Device, client: ClientInfo) -> bool:
    try:
        return policy.at_risk(user, device, client)
    except Exception:
        logger.exception("The policy could not tell the risk; MFA is asked.")
        return True


def describe(user: Any, device: Device, secret: SecretMatch, proof: ProofState = ProofState.NOT_NEEDED) -> DeviceFacts:
    """Return what the policy needs to know of ``device`` when it presents such a secret for ``user``."""
    return DeviceFacts(
        user_id=str(device.user_id),
        confirmed=device.confirmed_at is not None,
        status=DeviceStatus(device.status),
        trust_granted_at=device.trust_granted_at,
        trust_expires_at=device.trust_expires_at,
        secret=secret,
        credentials_changed=device.trust_granted_at is not None and device.password_stamp != password_stamp(user),
        proof=proof,
    )


def _refused(user: Any, found: TrustCheck, client: ClientInfo, now: datetime) -> None:
    device, reason = found.device, found.decision.reason
    if reason is TrustReason.MFA_INACTIVE:
        return
    owned = device if device is not None and device.user_id == user.pk else None
    with transaction.atomic():
        activity.record(EventAction.TRUST_REFUSED, user=user, device=owned, reason=reason, client=client, now=now)
        if reason is TrustReason.SUPERSEDED_SECRET and owned is not None:
            devices.mark_compromised(owned, client=client, now=now)
        activity.announce(signals.trust_refused, user=user, device=owned, reason=reason, client=client)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rotation:
    credential: DeviceCredential
    changes: dict[str, Any] = field(repr=False)


def _rotate(device: Device, presented: DeviceCredential, how: SecretMatch, now: datetime) -> _Rotation:
    """Work out the successor of the presented secret. The presented one stays good until the successor is seen.

    Always true of a stored device: what follows its current secret under its nonce is the secret expected next.
    """
    if device.binding == Binding.SRP:
        return _Rotation(credential=devices.with_expiry(presented, device.trust_expires_at), changes={})
    generation = device.secret_generation
    changes: dict[str, Any] = {}
    if how is SecretMatch.SUCCESSOR:
        generation += 1
        changes = {"secret_digest": device.next_secret_digest, "secret_generation": generation}
    again = not changes and device.rotated_at is not None and now - device.rotated_at < ROTATION_GRACE
    nonce = bytes(device.rotation_nonce) if again else device_secret.new_nonce()
    secret = device_secret.successor(presented.secret, nonce=nonce)
    # The time counts from when the successor was last handed out, whether for the first time or again.
    changes["rotated_at"] = max(now, device.rotated_at) if again and device.rotated_at else now
    if not again:
        changes |= {"rotation_nonce": nonce, "next_secret_digest": device_secret.digest(secret)}
    credential = DeviceCredential(
        user_id=str(device.user_id),
        device_key=device.device_key,
        secret=secret,
        generation=generation + 1,
        group_key=device.device_group_key,
        expires_at=device.trust_expires_at,
    )
    return _Rotation(credential=credential, changes=changes)


def _seen(device: Device, client: ClientInfo, now: datetime) -> dict[str, Any]:
    return {
        "last_authenticated_at": now,
        "last_ip": activity.stored_ip(client.ip_address),
        "user_agent": browsers.clean(client.user_agent) or device.user_agent,
        "modified_at": now,
    }


def _apply(device: Device, changes: dict[str, Any]) -> Device:
    for name, value in changes.items():
        setattr(device, name, value)
    return device


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What the user answered; ``known`` says that the device was trusted before under another key."""

    period: timedelta
    verification: MfaVerification
    name: str
    grant_id: str
    reason: StatusReason
    known: bool


def _grant(
    user: Any, wish: _Wish, presented: Presented, client: ClientInfo, backend: BaseDeviceBackend, now: datetime
) -> Grant:
    with nullcontext() if backend.is_remote else transaction.atomic():
        if Device.objects.filter(grant_id=wish.grant_id).exists():
            raise AlreadyAnswered
        revived = None if backend.is_remote else _revived(user, presented, now)
        if revived is not None:
            device, credential = revived
            backend.update_device_status(device, DeviceStatus.REMEMBERED)
            return _remember(device, credential, user, wish, client, now)
        device, credential = registration.draft(user=user, client=client, name=wish.name, backend=backend, now=now)
        with registration.registering(device, backend=backend, remembered=True, client=client, now=now):
            return _remember(device, credential, user, wish, client, now)


def _remember(
    device: Device, credential: DeviceCredential, user: Any, wish: _Wish, client: ClientInfo, now: datetime
) -> Grant:
    new = device.trust_granted_at is None and not wish.known
    expires_at = now + wish.period
    changes: dict[str, Any] = {
        "status": DeviceStatus.REMEMBERED,
        "status_reason": wish.reason,
        "status_changed_at": now,
        "trust_granted_at": now,
        "trust_period": wish.period,
        "trust_expires_at": expires_at,
        "mfa_factor": wish.verification.factor_id,
        "password_stamp": password_stamp(user),
        "grant_id": wish.grant_id,
        **({"name": wish.name} if wish.name else {}),
        **_seen(device, client, now),
    }
    Device.objects.filter(pk=device.pk).update(**changes)
    _apply(device, changes)
    activity.record(
        EventAction.REMEMBERED, user=user, device=device, reason=wish.reason, actor=user, client=client, now=now
    )
    activity.announce(signals.device_remembered, device=device, client=client, new=new)
    return Grant(device=device, credential=devices.with_expiry(credential, expires_at))


def _replaced(user: Any, presented: Presented, backend: BaseDeviceBackend) -> Device | None:
    """Return the device that is about to be confirmed anew under another key, by whoever gives out the keys."""
    device = recognise(user=user, credential=presented.credential)
    anew = device is not None and (backend.is_remote or device.binding == Binding.SRP)
    return device if anew else None


def _revived(user: Any, presented: Presented, now: datetime) -> tuple[Device, DeviceCredential] | None:
    """Return the device whose secret the client still holds, with its secret rotated; ``None`` if there is none.

    One whose secret was copied is not revived: nobody can tell how many hold what the client holds.
    """
    credential = presented.credential
    if credential is None or credential.user_id != str(user.pk):
        return None
    known = Device.objects.of(user).select_for_update().exclude(status_reason=StatusReason.COMPROMISED)
    device = known.with_key(credential.device_key)
    how = match(device, credential) if device is not None else SecretMatch.WRONG
    if device is None or device.binding == Binding.SRP or how not in _GOOD:
        return None
    rotation = _rotate(device, credential, how, now)
    Device.objects.filter(pk=device.pk).update(**rotation.changes)
    return _apply(device, rotation.changes), rotation.credential
