"""Checking trust at sign-in, and offering it after MFA. Granting it is in ``granting``."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error

from trusted_devices import database, signals
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.policy import TrustPolicy, evaluate_device, evaluate_trust
from trusted_devices.services import activity, credentials, devices, stamps, transitions
from trusted_devices.services.credentials import recognise
from trusted_devices.services.site_policy import get_policy
from trusted_devices.types import (
    Binding,
    By,
    ClientInfo,
    DeviceCredential,
    DeviceFacts,
    DeviceStatus,
    EventAction,
    MfaVerification,
    Presented,
    ProofState,
    SecretMatch,
    TrustDecision,
    TrustOffer,
    TrustReason,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a check begins anew because another request changed the device meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustCheck:
    """What came of a check: the decision, the device that was recognised, and the credential that replaces the
    one presented (hand it to the client whenever there is one)."""

    decision: TrustDecision
    device: Device | None = None
    credential: DeviceCredential | None = None


def check(
    *,
    user: AbstractBaseUser,
    presented: Presented,
    mfa_active: bool,
    proof: ProofState = ProofState.NOT_NEEDED,
    stamp: str | None = None,
    by: By,
) -> TrustCheck:
    """Decide whether this sign-in may skip MFA; if so, rotate the device's secret.

    Costs one indexed read, and one narrow write when the answer is yes. Call it only after the first factor. Whatever
    goes wrong, the answer is to ask for MFA. ``proof`` is where that of a device stands that proves a password;
    ``stamp`` is the user's credential stamp now, from a caller who has read their factors.
    """
    question = _Question(user=user, presented=presented, mfa_active=mfa_active, proof=proof, by=by, stamp=stamp)
    try:
        with _savepoint():
            found = _check(question)
    except Error as error:
        # Not the error itself: databases quote the row.
        logger.error("Trust could not be checked (%s).", type(error).__name__)  # noqa: TRY400
        database.reconnect()
        found = _UNAVAILABLE
    reason, device = found.decision.reason, found.device
    if not found.decision.allowed and presented.credential is not None and reason is not TrustReason.MFA_INACTIVE:
        owned = device if device is not None and device.user_id == user.pk else None
        late = owned is not None and credentials.may_be_late(owned, presented.credential, at=by.at)
        try:
            refused(user=user, device=owned, reason=reason, late=late, by=by)
        except Error as error:
            logger.error("A refusal of trust could not be recorded (%s).", type(error).__name__)  # noqa: TRY400
    return found


def check_device(
    *, user: AbstractBaseUser, device: Device, stamp: str, proof: ProofState, policy: TrustPolicy, by: By
) -> TrustDecision:
    """Decide whether a device that is named by its key, and not by a secret, may skip MFA; a refusal is logged.

    With ``proof`` passed before the device has proved anything, the answer is what its proof will be worth. ``stamp``
    is the user's credential stamp now.
    """
    decision = evaluate_device(
        user_id=str(user.pk),
        device=describe(user, device, stamp=stamp, proof=proof),
        limits=policy.limits(user),
        at_risk=_at_risk(policy, user, device, by.client),
        now=by.at,
    )
    if not decision.allowed:
        refused(user=user, device=device, reason=decision.reason, by=by)
    return decision


def refused(*, user: AbstractBaseUser, device: Device | None, reason: TrustReason, late: bool = False, by: By) -> None:
    """Log that a sign-in brought a device along that may not skip MFA. A copied secret ends the trust in the device.

    Where the request may have been ``late``, whether it was copied is left to :func:`familiar`.
    """
    with database.atomic():
        activity.record(EventAction.TRUST_REFUSED, user=user, device=device, reason=reason, by=by)
        if reason is TrustReason.SUPERSEDED_SECRET and device is not None and not late:
            devices.mark_compromised(device, by=by)
        activity.announce(signals.trust_refused, user=user, device=device, reason=reason, client=by.client)


def familiar(*, user: AbstractBaseUser, credential: DeviceCredential | None, by: By) -> Device | None:
    """Return the device in front of ``user``, as ``recognise`` does, once they have used a second factor.

    By now the browser has had the answers to what it sent before. A superseded secret was copied, however recently.
    """
    if credential is None or credential.user_id != str(user.pk):
        return None
    device = Device.objects.of(user).with_key(credential.device_key)
    how = credentials.match(device, credential) if device is not None else SecretMatch.WRONG
    if how is SecretMatch.SUPERSEDED and device is not None:
        try:
            devices.mark_compromised(device, by=by)
        except Error as error:
            logger.error("A copied secret could not be recorded (%s).", type(error).__name__)  # noqa: TRY400
    return device if how in credentials.GOOD else None


def seen(credential: DeviceCredential) -> None:
    """Note that a client has the successor in ``credential``: the secret before it is superseded from now on.

    One narrow write. If the database fails, a later sign-in with the successor does the same.
    """
    try:
        with _savepoint():
            transitions.succeeded(credential)
    except Error as error:
        # Not the error itself: databases quote the row.
        logger.error("A successor could not be noted as seen (%s).", type(error).__name__)  # noqa: TRY400


def recall(*, user: AbstractBaseUser, presented: Presented, by: By) -> DeviceCredential | None:
    """Return the credential of a device that may stand in for MFA once it has proved itself; ``None`` without one.

    One read; it changes and logs nothing, so it may come before the password has been verified.
    """
    question = _Question(user=user, presented=presented, mfa_active=True, proof=ProofState.PASSED, by=by, stamp=None)
    try:
        with _savepoint():
            device, decision = _decide(question)
    except Error as error:
        # Not the error itself: databases quote the row.
        logger.error("A device could not be recalled (%s).", type(error).__name__)  # noqa: TRY400
        return None
    proves = device is not None and device.binding == Binding.SRP
    return presented.credential if decision.allowed and proves else None


def lose(*, user: AbstractBaseUser, credential: DeviceCredential | None, by: By) -> None:
    """Forget a device of which its owner no longer knows."""
    device = recognise(user=user, credential=credential)
    if device is None:
        return
    try:
        devices.forget([device], by=dataclasses.replace(by, note="unknown to its backend"))
    except BackendUnavailable:
        # The user is signing in; ``services.comparison`` forgets it as well.
        logger.warning("Device %s is unknown to its backend and could not be forgotten.", device.device_key)


def offer(*, user: AbstractBaseUser, verification: MfaVerification, client: ClientInfo) -> TrustOffer | None:
    """Return the periods to offer after that second factor, or ``None`` where trust may not be offered."""
    return get_policy().offer(user, verification, client)


def describe(
    user: AbstractBaseUser,
    device: Device,
    *,
    stamp: str | None,
    secret: SecretMatch = SecretMatch.CURRENT,
    proof: ProofState = ProofState.NOT_NEEDED,
) -> DeviceFacts:
    """Return what the policy needs to know of ``device`` when it presents such a secret, or gives such a proof.

    ``stamp`` is the user's credential stamp now; with ``None``, in lists of many users, their passwords alone count.
    """
    given_under = device.credential_stamp
    unchanged = stamps.has_password(given_under, user) if stamp is None else stamps.stands(given_under, stamp)
    return DeviceFacts(
        user_id=str(device.user_id),
        confirmed=device.confirmed_at is not None,
        status=DeviceStatus(device.status),
        trust_granted_at=device.trust_granted_at,
        trust_expires_at=device.trust_expires_at,
        secret=secret,
        credentials_changed=device.trust_granted_at is not None and not unchanged,
        proof=proof,
    )


_UNAVAILABLE = TrustCheck(decision=TrustDecision(allowed=False, reason=TrustReason.BACKEND_UNAVAILABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """May this sign-in skip MFA?"""

    user: AbstractBaseUser
    presented: Presented
    mfa_active: bool
    proof: ProofState
    by: By
    stamp: str | None = field(repr=False)


def _savepoint() -> AbstractContextManager[Any]:
    """Keep a database error from spoiling the transaction around us, where there is one."""
    return database.atomic() if database.connection().in_atomic_block else nullcontext()


def _check(question: _Question) -> TrustCheck:
    credential = question.presented.credential
    for _attempt in range(ATTEMPTS):
        device, decision = _decide(question)
        if not decision.allowed or device is None or credential is None:
            return TrustCheck(decision=decision, device=device)
        how = credentials.match(device, credential)
        rotation = credentials.rotate(device, credential, how, at=question.by.at)
        if transitions.rotated(device, rotation, by=question.by):
            return TrustCheck(decision=decision, device=device, credential=rotation.credential)
    return _UNAVAILABLE


def _decide(question: _Question) -> tuple[Device | None, TrustDecision]:
    user, credential, proof = question.user, question.presented.credential, question.proof
    device = facts = None
    if credential is not None and question.mfa_active:
        device = Device.objects.with_key(credential.device_key)
        if device is not None:
            if device.binding == Binding.SRP and proof is ProofState.NOT_NEEDED:
                proof = ProofState.MISSING
            secret = credentials.match(device, credential)
            stamp = stamps.current(user) if question.stamp is None else question.stamp
            facts = describe(user, device, stamp=stamp, secret=secret, proof=proof)
    policy = get_policy()
    decision = evaluate_trust(
        user_id=str(user.pk),
        presented=question.presented,
        device=facts,
        limits=policy.limits(user),
        mfa_active=question.mfa_active,
        at_risk=device is not None and _at_risk(policy, user, device, question.by.client),
        now=question.by.at,
    )
    return device, decision


def _at_risk(policy: TrustPolicy, user: AbstractBaseUser, device: Device, client: ClientInfo) -> bool:
    try:
        return policy.at_risk(user, device, client)
    except Exception:
        logger.exception("The policy could not tell the risk; MFA is asked.")
        return True
