"""Remembering a device that is confirmed already, by its user from any other device or by staff.

Trusting the device in front of the user right after sign-in is :func:`trusted_devices.services.trust.grant`.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.exceptions import DeviceNotFound, InvalidPeriod, TrustNotAllowed
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import Change
from trusted_devices.services import second_factor, transitions
from trusted_devices.services.site_policy import get_policy
from trusted_devices.services.stamps import password_stamp
from trusted_devices.services.transitions import Trust
from trusted_devices.types import By, MfaVerification, StatusReason


def check_period(user: AbstractBaseUser, period: timedelta) -> None:
    """Raise ``InvalidPeriod``, naming those allowed, unless the policy allows ``user`` this one."""
    allowed = get_policy().periods(user)
    if period not in allowed:
        raise InvalidPeriod(allowed)


def remember(device: Device, *, period: timedelta, verification: MfaVerification, by: By) -> Device:
    """Let ``device`` skip MFA for ``period`` from now on; return it as it is stored then.

    ``verification`` is the fresh second factor of ``by.actor``, who is the device's user or staff. The policy asked is
    that of the device's user. A device whose secret was copied has to sign in again: its copy would be trusted too.

    Raises ``InvalidPeriod``, ``TrustNotAllowed``, ``DeviceNotFound`` (forgotten meanwhile), ``BackendUnavailable``.
    """
    user = device.user
    check_period(user, period)
    if not _may_remember(user, verification, by):
        raise TrustNotAllowed
    own = by.actor is not None and by.actor.pk == user.pk
    trust = Trust(
        since=by.at,
        period=period,
        factor_id=verification.factor_id if own else "",
        stamp=password_stamp(user),
    )
    asked = Device.objects.filter(pk=device.pk)
    with get_owner().changing([_checked(asked.first())], Change.REMEMBERED):
        stored = _checked(asked.select_for_update().first())
        reason = StatusReason.USER_TRUSTED if own else StatusReason.STAFF_TRUSTED
        transitions.remembered(stored, reason=reason, trust=trust, by=by)
    stored.user = user
    return stored


def _checked(stored: Device | None) -> Device:
    if stored is None:
        raise DeviceNotFound
    if stored.confirmed_at is None or stored.status_reason == StatusReason.COMPROMISED:
        raise TrustNotAllowed
    return stored


def _may_remember(user: AbstractBaseUser, verification: MfaVerification, by: By) -> bool:
    earned = user.is_active and get_policy().may_trust(user, verification, by.client)
    return earned and bool(second_factor.methods(user))
