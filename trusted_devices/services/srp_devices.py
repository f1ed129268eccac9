"""Devices that prove a device password (binding ``srp``): confirming, checking, remembering.

A user pool may ask for more than the site's policy (:class:`Terms`), never for less. Trust is earned by a second
factor that was really verified in the sign-in in hand and counts from then; a device that is remembered without one
is asked for MFA until it has been through one, and trusted from then on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from trusted_devices import signals
from trusted_devices.crypto.encoding import pad
from trusted_devices.crypto.verifier import SrpVerifier
from trusted_devices.exceptions import AlreadyAnswered, DeviceNotFound
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import Change
from trusted_devices.policy import evaluate_trust, has_expired
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity, devices, registration, transitions, trust
from trusted_devices.services.site_policy import get_policy
from trusted_devices.services.stamps import password_stamp
from trusted_devices.services.transitions import Trust
from trusted_devices.types import (
    Binding,
    By,
    ClientInfo,
    DeviceCredential,
    EventAction,
    MfaVerification,
    NewDevice,
    Presented,
    ProofState,
    SecretMatch,
    StatusReason,
    TrackingMode,
    TrustDecision,
    TrustLimits,
    TrustReason,
)
from trusted_devices.words import names

ENDED_ON_PURPOSE = (StatusReason.USER_STOPPED, StatusReason.STAFF_STOPPED, StatusReason.COMPROMISED)
"""Why a device is not remembered again by the next MFA, even where every device is."""

LONGEST_NAME = 1024
"""How much of the name that a client gives is kept: all of what Cognito takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a user pool says of its devices. ``skip_mfa``: a remembered device may stand in for MFA at all.

    ``period`` is for how long; ``None`` is what the site preselects.
    """

    tracking: TrackingMode
    skip_mfa: bool
    period: timedelta | None = None


def of_pool(*, user: AbstractBaseUser, group_key: str) -> DeviceQuerySet[Device]:
    """Return the user's confirmed devices of the pool with that device group key."""
    found: DeviceQuerySet[Device] = Device.objects.of(user)
    return found.filter(device_group_key=group_key, binding=Binding.SRP, confirmed_at__isnull=False)


def find(*, user: AbstractBaseUser, group_key: str, device_key: str) -> Device:
    """Return one of them. Raises ``DeviceNotFound``, also for another user's or pool's."""
    device = of_pool(user=user, group_key=group_key).filter(device_key=device_key).first()
    if device is None:
        raise DeviceNotFound
    return device


def remembered_at(now: datetime, *, user: AbstractBaseUser, terms: Terms) -> Callable[[Device], bool]:
    """Return the test whether a device of ``user`` is remembered and its trust, if it earned any, has not ended."""
    maximum = _limits(user, terms).maximum

    def counts(device: Device) -> bool:
        if not device.is_remembered:
            return False
        granted, expires = device.trust_granted_at, device.trust_expires_at
        return granted is None or not has_expired(granted, expires, maximum, now=now)

    return counts


def check(*, user: AbstractBaseUser, device: Device, terms: Terms, proof: ProofState, by: By) -> TrustDecision:
    """Decide whether ``device`` may stand in for the second factor that is due; a refusal is logged.

    With ``proof`` passed before the device has proved anything, the answer is what its proof will be worth.
    """
    policy = get_policy()
    credential = DeviceCredential(user_id=str(user.pk), device_key=device.device_key, secret="", generation=0)
    facts = dataclasses.replace(trust.describe(user, device, SecretMatch.CURRENT), proof=proof)
    decision = evaluate_trust(
        user_id=str(user.pk),
        presented=Presented(credential=credential),
        device=facts,
        limits=_limits(user, terms),
        mfa_active=True,
        at_risk=policy.at_risk(user, device, by.client),
        now=by.at,
    )
    if not decision.allowed:
        refused(user=user, device=device, reason=decision.reason, by=by)
    return decision


def refused(*, user: AbstractBaseUser, device: Device | None, reason: TrustReason, by: By) -> None:
    """Log that a sign-in brought a device along that may not stand in for MFA."""
    with transaction.atomic():
        activity.record(EventAction.TRUST_REFUSED, user=user, device=device, reason=reason, by=by)
        activity.announce(signals.trust_refused, user=user, device=device, reason=reason, client=by.client)


def confirm(
    *,
    user: AbstractBaseUser,
    new: NewDevice,
    verifier: SrpVerifier,
    name: str,
    terms: Terms,
    verification: MfaVerification | None,
    by: By,
) -> Device:
    """Register a device under the key that its sign-in was given. Where every device is, it is remembered at once.

    ``verification`` is the second factor of that sign-in, if there was one. Raises ``AlreadyAnswered`` if the key has
    been confirmed, ``BackendUnavailable``.
    """
    columns = {"srp_salt": pad(verifier.salt), "srp_verifier": pad(verifier.verifier)}
    device = transitions.draft(user, new, name=names.shown(name, longest=LONGEST_NAME), by=by, **columns)
    always = terms.tracking is TrackingMode.ALWAYS
    if Device.objects.filter(device_key=new.device_key).exists():
        raise AlreadyAnswered
    try:
        with registration.registering(device, owner=get_owner(), remembered=always, by=by):
            transitions.confirmed(
                device,
                remembered=StatusReason.TRACKING_ALWAYS if always else None,
                trust=_earned(user, terms, verification, by) if always else None,
                by=dataclasses.replace(by, actor=user),
            )
    except IntegrityError as error:
        raise AlreadyAnswered from error
    return device


def remember(device: Device, *, terms: Terms, verification: MfaVerification | None, by: By) -> None:
    """Make a device remembered. ``verification`` is the second factor of its user's sign-in, ``None`` without one.

    Without one, trust that was earned before and has not ended is taken up again only if staff say so (``by.actor``
    is not the device's user). Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``BackendUnavailable``.
    """
    with get_owner().changing([device], Change.REMEMBERED):
        stored = _locked(device)
        own = by.actor is not None and by.actor.pk == stored.user_id
        reason = StatusReason.USER_TRUSTED if own else StatusReason.STAFF_TRUSTED
        if stored.is_remembered and not _earns_more(stored, verification):
            return
        _remember(stored, terms, verification, reason, by)


def stop(device: Device, *, reason: StatusReason, by: By) -> None:
    """Make a device not remembered, and say who wanted that also where it was not."""
    if not devices.stop_trusting([device], reason=reason, by=by):
        transitions.reason_changed(device, reason=reason, by=by)


def authenticated(device: Device, *, terms: Terms, verification: MfaVerification | None, by: By) -> None:
    """Note that the device proved itself in a sign-in, and trust it where the second factor of that earned it.

    Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``BackendUnavailable``.
    """
    renewed = verification is not None and _renews(device, terms)
    with get_owner().changing([device], Change.REMEMBERED) if renewed else transaction.atomic():
        stored = _locked(device)
        transitions.used(stored, by=by)
        if not renewed or not _renews(stored, terms):
            return
        reason = StatusReason.TRACKING_ALWAYS if terms.tracking is TrackingMode.ALWAYS else StatusReason.USER_TRUSTED
        _remember(stored, terms, verification, reason, dataclasses.replace(by, actor=stored.user))


def _renews(device: Device, terms: Terms) -> bool:
    """Return whether an MFA with this device trusts it anew without anybody being asked."""
    if terms.tracking is TrackingMode.ALWAYS:
        return device.is_remembered or device.status_reason not in ENDED_ON_PURPOSE
    return device.is_remembered and device.trust_granted_at is None


def _earns_more(device: Device, verification: MfaVerification | None) -> bool:
    if verification is None:
        return False
    return device.trust_granted_at is None or verification.at > device.trust_granted_at


def _locked(device: Device) -> Device:
    stored: Device | None = Device.objects.select_for_update().filter(pk=device.pk).first()
    if stored is None:
        raise DeviceNotFound
    return stored


def _limits(user: AbstractBaseUser, terms: Terms) -> TrustLimits:
    limits = get_policy().limits(user)
    allowed = limits.allowed and terms.skip_mfa and terms.tracking is not TrackingMode.OFF
    maximum = limits.maximum if terms.period is None else min(limits.maximum, terms.period)
    return TrustLimits(allowed=allowed, maximum=maximum)


def _expired(device: Device, user: AbstractBaseUser, terms: Terms, now: datetime) -> bool:
    return has_expired(device.trust_granted_at, device.trust_expires_at, _limits(user, terms).maximum, now=now)


def _period(
    user: AbstractBaseUser, terms: Terms, verification: MfaVerification, client: ClientInfo
) -> timedelta | None:
    """Return for how long that second factor earns trust; ``None`` if it earns none."""
    policy = get_policy()
    if not policy.may_trust(user, verification, client):
        return None
    if terms.period is not None:
        return min(terms.period, policy.maximum(user))
    offer = policy.offer(user, verification, client)
    return offer.default if offer else None


def _earned(user: AbstractBaseUser, terms: Terms, verification: MfaVerification | None, by: By) -> Trust | None:
    period = _period(user, terms, verification, by.client) if verification is not None else None
    if verification is None or period is None or by.at >= verification.at + period:
        return None
    return Trust(since=verification.at, period=period, factor_id=verification.factor_id, stamp=password_stamp(user))


def _remember(device: Device, terms: Terms, verification: MfaVerification | None, reason: StatusReason, by: By) -> None:
    user = device.user
    trust_earned = _earned(user, terms, verification, by)
    keep = reason is StatusReason.STAFF_TRUSTED and not _expired(device, user, terms, by.at)
    transitions.remembered(device, reason=reason, trust=trust_earned, keep_trust=keep, by=by)
