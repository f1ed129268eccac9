"""Remembering a device that is confirmed already, by its user from any other device or by staff.

Trusting the device in front of the user right after sign-in is :func:`trusted_devices.services.trust.grant`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import Error, transaction
from django.utils import timezone

from trusted_devices import signals
from trusted_devices.backends import get_backend
from trusted_devices.exceptions import DeviceNotFound, InvalidPeriod, TrustNotAllowed
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity, second_factor, trust
from trusted_devices.types import ClientInfo, DeviceStatus, EventAction, MfaVerification, StatusReason


def check_period(user: Any, period: timedelta) -> None:
    """Raise ``InvalidPeriod``, naming those allowed, unless the policy allows ``user`` this one."""
    allowed = trust.get_policy().periods(user)
    if period not in allowed:
        raise InvalidPeriod(allowed)


def remember(
    device: Device,
    *,
    period: timedelta,
    verification: MfaVerification,
    actor: Any,
    note: str = "",
    client: ClientInfo = activity.NOBODY,
    now: datetime | None = None,
) -> Device:
    """Let ``device`` skip MFA for ``period`` from now on; return it as it is stored then.

    ``verification`` is the fresh second factor of ``actor``, who is the device's user or staff. The policy asked is
    that of the device's user. A device whose secret was copied has to sign in again: its copy would be trusted too.

    Raises ``InvalidPeriod``, ``TrustNotAllowed``, ``DeviceNotFound`` (forgotten meanwhile), ``BackendUnavailable``.
    """
    now = now or timezone.now()
    user = device.user
    check_period(user, period)
    if not _may_remember(user, verification, client):
        raise TrustNotAllowed
    reason = StatusReason.USER_TRUSTED if actor.pk == user.pk else StatusReason.STAFF_TRUSTED
    backend, asked = get_backend(), Device.objects.filter(pk=device.pk)
    stored = _checked(asked.first())
    # Before the transaction: none is held open while somebody else is told.
    backend.update_device_status(stored, DeviceStatus.REMEMBERED)
    try:
        return _remember(asked, user, period, verification, actor, reason, note, client, now)
    except (TrustNotAllowed, Error):
        backend.update_device_status(stored, DeviceStatus.NOT_REMEMBERED)
        raise


def _checked(stored: Device | None) -> Device:
    if stored is None:
        raise DeviceNotFound
    if stored.confirmed_at is None or stored.status_reason == StatusReason.COMPROMISED:
        raise TrustNotAllowed
    return stored


def _remember(
    asked: DeviceQuerySet,
    user: Any,
    period: timedelta,
    verification: MfaVerification,
    actor: Any,
    reason: StatusReason,
    note: str,
    client: ClientInfo,
    now: datetime,
) -> Device:
    with transaction.atomic():
        stored = _checked(asked.select_for_update().first())
        new = stored.trust_granted_at is None
        changes: dict[str, Any] = {
            "status": DeviceStatus.REMEMBERED,
            "status_reason": reason,
            "status_changed_at": now,
            "trust_granted_at": now,
            "trust_period": period,
            "trust_expires_at": now + period,
            "mfa_factor": verification.factor_id if reason is StatusReason.USER_TRUSTED else "",
            "password_stamp": trust.password_stamp(user),
            "modified_at": now,
        }
        Device.objects.filter(pk=stored.pk).update(**changes)
        for name, value in changes.items():
            setattr(stored, name, value)
        activity.record(
            EventAction.REMEMBERED, device=stored, reason=reason, actor=actor, note=note, client=client, now=now
        )
        activity.announce(signals.device_remembered, device=stored, client=client, new=new)
    stored.user = user
    return stored


def _may_remember(user: Any, verification: MfaVerification, client: ClientInfo) -> bool:
    policy = trust.get_policy()
    return user.is_active and policy.may_trust(user, verification, client) and bool(second_factor.methods(user))
