"""A second factor earns trust only if nothing has ended trust since it was verified."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q

from trusted_devices.models import Device, DeviceEvent
from trusted_devices.types import EventAction, MfaVerification, StatusReason

_NOT_AN_END = (StatusReason.CONFIRMED, StatusReason.EXPIRED)
_ENDS = (EventAction.NOT_REMEMBERED, EventAction.FORGOTTEN, EventAction.COMPROMISED)


def is_outdated(verification: MfaVerification, *, user: AbstractBaseUser, device: Device | None = None) -> bool:
    """Return whether trust was ended after ``verification``: in ``device`` by anybody, or in any by others.

    Others are staff, and the alarm about a copied secret. Otherwise whoever waits with a second factor from before
    could undo what was meant to shut them out. At most one read.
    """
    if device is not None and has_ended(device, since=verification.at):
        return True
    by_others = Q(actor__isnull=False) & ~Q(actor=user.pk)
    alarm = Q(action=EventAction.COMPROMISED) | Q(reason=StatusReason.ACCOUNT_DISABLED)
    ends = DeviceEvent.objects.of(user).filter(action__in=_ENDS, created_at__gt=verification.at)
    return ends.filter(by_others | alarm).exists()


def has_ended(device: Device, *, since: datetime) -> bool:
    """Return whether the trust in ``device`` was ended on purpose after ``since``, and not given again."""
    on_purpose = not device.is_remembered and device.status_reason not in _NOT_AN_END
    return on_purpose and device.status_changed_at > since
