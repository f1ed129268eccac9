"""Remembering a device that is confirmed already.

Its user does so from any other device, or staff do (:func:`remember`); or, where nobody is asked for how long, its own
app or its next second factor (:func:`update_status`, :func:`renew`). Trust is then earned by a second factor of the
device's own sign-in and counts from it; a device that is remembered without one is asked for MFA until it has been
through one. Trusting the device in front of the user right after sign-in is in ``granting``.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices import database
from trusted_devices.exceptions import DeviceNotFound, FreshMfaRequired, InvalidPeriod, TrustNotAllowed
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import Change
from trusted_devices.policy import TrustPolicy, has_expired
from trusted_devices.services import devices, proofs, second_factor, stamps, transitions
from trusted_devices.services.site_policy import get_policy
from trusted_devices.services.transitions import Trust
from trusted_devices.types import By, DeviceStatus, MfaVerification, StatusReason, TrackingMode

ENDED_ON_PURPOSE = (StatusReason.USER_STOPPED, StatusReason.STAFF_STOPPED, StatusReason.COMPROMISED)
"""Why a device is not remembered again by the next MFA, even where every device is."""


def check_period(user: AbstractBaseUser, period: timedelta) -> None:
    """Raise ``InvalidPeriod``, naming those allowed, unless the policy allows ``user`` this one."""
    allowed = get_policy().periods(user)
    if period not in allowed:
        raise InvalidPeriod(allowed)


def remember(device: Device, *, period: timedelta, verification: MfaVerification, by: By) -> Device:
    """Let ``device`` skip MFA for ``period`` from now on; return it as it is stored then.

    ``verification`` is the fresh second factor of ``by.actor``, who is the device's user or staff. The policy asked is
    that of the device's user. A device whose secret was copied has to sign in again: its copy would be trusted too.

    Raises ``InvalidPeriod``, ``TrustNotAllowed``, ``FreshMfaRequired``, ``DeviceNotFound`` (forgotten meanwhile),
    ``BackendUnavailable``.
    """
    user, own = device.user, _is_own(device, by)
    check_period(user, period)
    methods = second_factor.methods(user)
    if not (methods and user.is_active and get_policy().may_trust(user, verification, by.client)):
        raise TrustNotAllowed
    stamp = stamps.credential_stamp(user, methods)
    if own and verification.stamp and not stamps.stands(verification.stamp, stamp):
        raise FreshMfaRequired
    trust = Trust(
        since=by.at,
        period=period,
        factor_id=verification.factor_id if own else "",
        stamp=stamp,
    )
    asked = Device.objects.filter(pk=device.pk)
    with get_owner().changing([_checked(asked.first())], Change.REMEMBERED):
        stored = _checked(asked.select_for_update().first())
        if own and proofs.is_outdated(verification, user=user, device=stored):
            raise FreshMfaRequired
        transitions.remembered(stored, reason=_reason(own=own), trust=trust, by=by)
    stored.user = user
    return stored


def earned(
    user: AbstractBaseUser,
    verification: MfaVerification | None,
    *,
    device: Device | None = None,
    policy: TrustPolicy,
    by: By,
) -> Trust | None:
    """Return what a second factor earns for the period that ``policy`` preselects, counted from when it was verified.

    ``None`` if that is nothing, or has ended already. ``device`` is the one that it is for, if it is stored.
    """
    if verification is None or not policy.may_trust(user, verification, by.client):
        return None
    if proofs.is_outdated(verification, user=user, device=device):
        return None
    offer = policy.offer(user, verification, by.client)
    if offer is None or by.at >= verification.at + offer.default:
        return None
    stamp = verification.stamp or stamps.current(user)
    return Trust(since=verification.at, period=offer.default, factor_id=verification.factor_id, stamp=stamp)


def update_status(
    device: Device, status: DeviceStatus, *, verification: MfaVerification | None, policy: TrustPolicy, by: By
) -> None:
    """Make a device remembered or not, for the period that ``policy`` preselects.

    ``verification`` is the second factor of the device's sign-in, ``None`` without one. Without one, trust that was
    earned before and has not ended is taken up again only if staff say so (``by.actor`` is not the device's user).
    Who wants a device not remembered is noted also where it was not.

    Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``BackendUnavailable``.
    """
    own = _is_own(device, by)
    if status is DeviceStatus.NOT_REMEMBERED:
        reason = StatusReason.USER_STOPPED if own else StatusReason.STAFF_STOPPED
        if not devices.stop_trusting([device], reason=reason, by=by):
            transitions.reason_changed(device, reason=reason, by=by)
        return
    user = device.user
    with get_owner().changing([device], Change.REMEMBERED):
        stored = _locked(device)
        if stored.is_remembered and not _earns_more(stored, verification):
            return
        maximum = policy.limits(user).maximum
        transitions.remembered(
            stored,
            reason=_reason(own=own),
            trust=earned(user, verification, device=stored, policy=policy, by=by),
            keep_trust=not own
            and not has_expired(stored.trust_granted_at, stored.trust_expires_at, maximum, now=by.at),
            by=by,
        )


def renew(device: Device, *, verification: MfaVerification | None, policy: TrustPolicy, by: By) -> None:
    """Note that a device signed in, and trust it where the second factor of that sign-in earned it unasked.

    Raises ``DeviceNotFound`` if it was forgotten meanwhile, ``BackendUnavailable``.
    """
    user = device.user
    tracking = policy.tracking(user)
    renewed = verification is not None and _renews(device, tracking)
    with get_owner().changing([device], Change.REMEMBERED) if renewed else database.atomic():
        stored = _locked(device)
        transitions.used(stored, by=by)
        if not renewed or not _renews(stored, tracking):
            return
        always = tracking is TrackingMode.ALWAYS
        transitions.remembered(
            stored,
            reason=StatusReason.TRACKING_ALWAYS if always else StatusReason.USER_TRUSTED,
            trust=earned(user, verification, device=stored, policy=policy, by=by),
            by=dataclasses.replace(by, actor=user),
        )


def _is_own(device: Device, by: By) -> bool:
    return by.actor is not None and by.actor.pk == device.user_id


def _reason(*, own: bool) -> StatusReason:
    return StatusReason.USER_TRUSTED if own else StatusReason.STAFF_TRUSTED


def _renews(device: Device, tracking: TrackingMode) -> bool:
    """Return whether an MFA with this device trusts it anew without anybody being asked."""
    if tracking is TrackingMode.ALWAYS:
        return device.is_remembered or device.status_reason not in ENDED_ON_PURPOSE
    return device.is_remembered and device.trust_granted_at is None


def _earns_more(device: Device, verification: MfaVerification | None) -> bool:
    if verification is None:
        return False
    return device.trust_granted_at is None or verification.at > device.trust_granted_at


def _locked(device: Device) -> Device:
    stored = Device.objects.select_for_update().filter(pk=device.pk).first()
    if stored is None:
        raise DeviceNotFound
    return stored


def _checked(stored: Device | None) -> Device:
    if stored is None:
        raise DeviceNotFound
    if stored.confirmed_at is None or stored.status_reason == StatusReason.COMPROMISED:
        raise TrustNotAllowed
    return stored
