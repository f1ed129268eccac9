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
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from trusted_devices import signals
from trusted_devices.backends import get_backend
from trusted_devices.crypto.encoding import pad
from trusted_devices.crypto.verifier import SrpVerifier
from trusted_devices.exceptions import AlreadyAnswered, DeviceNotFound
from trusted_devices.models import Device
from trusted_devices.policy import evaluate_trust, has_expired
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity, devices, registration, trust
from trusted_devices.types import (
    Binding,
    ClientInfo,
    DeviceCredential,
    DeviceStatus,
    EventAction,
    MfaVerification,
    Presented,
    ProofState,
    SecretMatch,
    StatusReason,
    TrackingMode,
    TrustDecision,
    TrustLimits,
    TrustReason,
)
from trusted_devices.words import browsers, names

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


def of_pool(*, user: Any, group_key: str) -> DeviceQuerySet:
    """Return the user's confirmed devices of the pool with that device group key."""
    found: DeviceQuerySet = Device.objects.of(user)
    return found.filter(device_group_key=group_key, binding=Binding.SRP, confirmed_at__isnull=False)


def find(*, user: Any, group_key: str, device_key: str) -> Device:
    """Return one of them. Raises ``DeviceNotFound``, also for another user's or pool's."""
    device = of_pool(user=user, group_key=group_key).filter(device_key=device_key).first()
    if device is None:
        raise DeviceNotFound
    return device


def remembered_at(now: datetime, *, user: Any, terms: Terms) -> Callable[[Device], bool]:
    """Return the test whether a device of ``user`` is remembered and its trust, if it earned any, has not ended."""
    maximum = _limits(user, terms).maximum

    def counts(device: Device) -> bool:
        if not device.is_remembered:
            return False
        granted, expires = device.trust_granted_at, device.trust_expires_at
        return granted is None or not has_expired(granted, expires, maximum, now=now)

    return counts


def check(
    *, user: Any, device: Device, terms: Terms, proof: ProofState, client: ClientInfo, now: datetime
) -> TrustDecision:
    """Decide whether ``device`` may stand in for the second factor that is due; a refusal is logged.

    With ``proof`` passed before the device has proved anything, the answer is what its proof will be worth.
    """
    policy = trust.get_policy()
    credential = DeviceCredential(user_id=str(user.pk), device_key=device.device_key, secret="", generation=0)
    facts = dataclasses.replace(trust.describe(user, device, SecretMatch.CURRENT), proof=proof)
    decision = evaluate_trust(
        user_id=str(user.pk),
        presented=Presented(credential=credential),
        device=facts,
        limits=_limits(user, terms),
        mfa_active=True,
        at_risk=policy.at_risk(user, device, client),
        now=now,
    )
    if not decision.allowed:
        refused(user=user, device=device, reason=decision.reason, client=client, now=now)
    return decision


def refused(*, user: Any, device: Device | None, reason: TrustReason, client: ClientInfo, now: datetime) -> None:
    """Log that a sign-in brought a device along that may not stand in for MFA."""
    with transaction.atomic():
        activity.record(EventAction.TRUST_REFUSED, user=user, device=device, reason=reason, client=client, now=now)
        activity.announce(signals.trust_refused, user=user, device=device, reason=reason, client=client)


def confirm(
    *,
    user: Any,
    device_key: str,
    group_key: str,
    verifier: SrpVerifier,
    name: str,
    terms: Terms,
    verification: MfaVerification | None,
    client: ClientInfo,
    now: datetime | None = None,
) -> Device:
    """Register a device under the key that its sign-in was given. Where every device is, it is remembered at once.

    ``verification`` is the second factor of that sign-in, if there was one. Raises ``AlreadyAnswered`` if the key has
    been confirmed, ``BackendUnavailable``.
    """
    now = now or timezone.now()
    device = Device(
        user=user,
        device_key=device_key,
        device_group_key=group_key,
        name=names.shown(name, longest=LONGEST_NAME),
        binding=Binding.SRP,
        status_changed_at=now,
        confirmed_at=now,
        srp_salt=pad(verifier.salt),
        srp_verifier=pad(verifier.verifier),
        last_authenticated_at=now,
        last_ip=activity.stored_ip(client.ip_address),
        user_agent=browsers.clean(client.user_agent),
        created_at=now,
        modified_at=now,
    )
    always = terms.tracking is TrackingMode.ALWAYS
    if Device.objects.filter(device_key=device_key).exists():
        raise AlreadyAnswered
    try:
        with registration.registering(device, backend=get_backend(), remembered=always, client=client, now=now):
            if always:
                reason = StatusReason.TRACKING_ALWAYS
                _remember(device, user, terms, verification, reason, actor=user, client=client, now=now)
    except IntegrityError as error:
        raise AlreadyAnswered from error
    return device


def remember(
    device: Device,
    *,
    terms: Terms,
    verification: MfaVerification | None,
    actor: Any,
    client: ClientInfo,
    now: datetime | None = None,
) -> None:
    """Make a device remembered. ``verification`` is the second factor of its user's sign-in, ``None`` without one.

    Without one, trust that was earned before and has not ended is taken up again only if staff say so (``actor`` is
    not the device's user). Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``BackendUnavailable``.
    """
    now = now or timezone.now()
    # Before the transaction, whether or not there is anything new in it: none is held open while somebody else is told.
    get_backend().update_device_status(device, DeviceStatus.REMEMBERED)
    with transaction.atomic():
        stored = _locked(device)
        own = actor is not None and actor.pk == stored.user_id
        reason = StatusReason.USER_TRUSTED if own else StatusReason.STAFF_TRUSTED
        if stored.is_remembered and not _earns_more(stored, verification):
            return
        _remember(stored, stored.user, terms, verification, reason, actor=actor, client=client, now=now)


def stop(device: Device, *, reason: StatusReason, actor: Any, client: ClientInfo, now: datetime | None = None) -> None:
    """Make a device not remembered, and say who wanted that also where it was not."""
    now = now or timezone.now()
    if devices.stop_trusting([device], reason=reason, actor=actor, client=client, now=now):
        return
    changes = {"status_reason": reason, "status_changed_at": now, "modified_at": now}
    Device.objects.filter(pk=device.pk, status=DeviceStatus.NOT_REMEMBERED).update(**changes)


def authenticated(
    device: Device,
    *,
    terms: Terms,
    verification: MfaVerification | None,
    client: ClientInfo,
    now: datetime | None = None,
) -> None:
    """Note that the device proved itself in a sign-in, and trust it where the second factor of that earned it.

    Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``BackendUnavailable``.
    """
    now = now or timezone.now()
    renewed = verification is not None and _renews(device, terms)
    if renewed:
        get_backend().update_device_status(device, DeviceStatus.REMEMBERED)
    with transaction.atomic():
        stored = _locked(device)
        Device.objects.filter(pk=stored.pk).update(
            last_authenticated_at=now,
            last_ip=activity.stored_ip(client.ip_address),
            user_agent=browsers.clean(client.user_agent) or stored.user_agent,
            modified_at=now,
        )
        if not renewed or not _renews(stored, terms):
            return
        reason = StatusReason.TRACKING_ALWAYS if terms.tracking is TrackingMode.ALWAYS else StatusReason.USER_TRUSTED
        _remember(stored, stored.user, terms, verification, reason, actor=stored.user, client=client, now=now)


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


def _limits(user: Any, terms: Terms) -> TrustLimits:
    limits = trust.get_policy().limits(user)
    allowed = limits.allowed and terms.skip_mfa and terms.tracking is not TrackingMode.OFF
    maximum = limits.maximum if terms.period is None else min(limits.maximum, terms.period)
    return TrustLimits(allowed=allowed, maximum=maximum)


def _expired(device: Device, user: Any, terms: Terms, now: datetime) -> bool:
    return has_expired(device.trust_granted_at, device.trust_expires_at, _limits(user, terms).maximum, now=now)


def _period(user: Any, terms: Terms, verification: MfaVerification, client: ClientInfo) -> timedelta | None:
    """Return for how long that second factor earns trust; ``None`` if it earns none."""
    policy = trust.get_policy()
    if not policy.may_trust(user, verification, client):
        return None
    if terms.period is not None:
        return min(terms.period, policy.maximum(user))
    offer = policy.offer(user, verification, client)
    return offer.default if offer else None


def _remember(
    device: Device,
    user: Any,
    terms: Terms,
    verification: MfaVerification | None,
    reason: StatusReason,
    *,
    actor: Any,
    client: ClientInfo,
    now: datetime,
) -> None:
    new = device.trust_granted_at is None
    period = _period(user, terms, verification, client) if verification is not None else None
    changes: dict[str, Any] = {
        "status": DeviceStatus.REMEMBERED,
        "status_reason": reason,
        "status_changed_at": now,
        "modified_at": now,
    }
    if verification is not None and period is not None and now < verification.at + period:
        changes |= {
            "trust_granted_at": verification.at,
            "trust_period": period,
            "trust_expires_at": verification.at + period,
            "mfa_factor": verification.factor_id,
            "password_stamp": trust.password_stamp(user),
        }
    elif reason is not StatusReason.STAFF_TRUSTED or _expired(device, user, terms, now):
        changes |= {"trust_granted_at": None, "trust_period": None, "trust_expires_at": None, "mfa_factor": ""}
    Device.objects.filter(pk=device.pk).update(**changes)
    for field, value in changes.items():
        setattr(device, field, value)
    activity.record(
        EventAction.REMEMBERED, user=user, device=device, reason=reason, actor=actor, client=client, now=now
    )
    activity.announce(signals.device_remembered, device=device, client=client, new=new)
