"""New devices: their keys, their registration with their owner, and the room that others make for them."""

from __future__ import annotations

import dataclasses
import logging
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error, IntegrityError
from django.db.models import BooleanField, Case, ExpressionWrapper, F, Q, When

from trusted_devices import conf
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import AlreadyAnswered, BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.policy import TrustPolicy
from trusted_devices.services import devices, remembering, transitions
from trusted_devices.services.transitions import Trust
from trusted_devices.types import (
    By,
    DeviceCredential,
    DeviceStatus,
    MfaVerification,
    NewDevice,
    StatusReason,
    TrackingMode,
)

logger = logging.getLogger(__name__)

JUST_NOW = timedelta(minutes=1)
POOL = ("binding", "device_group_key")
"""What the devices of one user pool have in common; one of the site's own has a group key of its own."""


def confirm(
    *, user: AbstractBaseUser, name: str = "", after_mfa: bool = False, by: By, owner: DeviceOwner | None = None
) -> tuple[Device, DeviceCredential]:
    """Register a new device with a secret of its own; it is not remembered yet.

    ``after_mfa`` says that its sign-in went through MFA, ``owner`` is the owner as that sign-in reaches it. Raises
    ``TrustNotAllowed`` where it has no device to register, and as :func:`register` does.
    """
    owner = owner or get_owner()
    device, credential = draft(user, owner.new_device(), name=name, by=by)
    register(device, owner=owner, after_mfa=after_mfa, by=by)
    return device, credential


def confirm_as(
    new: NewDevice,
    *,
    user: AbstractBaseUser,
    name: str,
    verification: MfaVerification | None,
    policy: TrustPolicy,
    by: By,
) -> Device:
    """Register a device under the key that its sign-in was given. Where ``policy`` has every device remembered, it is.

    ``verification`` is the second factor of that sign-in, if there was one. Raises ``AlreadyAnswered`` if the key has
    been registered, ``BackendUnavailable``.
    """
    if Device.objects.filter(device_key=new.device_key).exists():
        raise AlreadyAnswered
    by, reason, trust = dataclasses.replace(by, actor=user), None, None
    if policy.tracking(user) is TrackingMode.ALWAYS:
        reason = StatusReason.TRACKING_ALWAYS
        trust = remembering.earned(user, verification, policy=policy, by=by)
    device = transitions.draft(user, new, name=name, by=by)
    try:
        register(
            device,
            owner=get_owner(),
            remembered=reason,
            trust=trust,
            after_mfa=verification is not None,
            by=by,
        )
    except IntegrityError as error:
        raise AlreadyAnswered from error
    return device


def draft(user: AbstractBaseUser, new: NewDevice | None, *, name: str, by: By) -> tuple[Device, DeviceCredential]:
    """Return a device that is not stored yet, and what its client holds. Without ``new`` the site makes the keys."""
    new = new or NewDevice(
        device_key=devices.new_device_key(), group_key=devices.new_group_key(), secret=device_secret.new_secret()
    )
    credential = DeviceCredential(
        user_id=str(user.pk),
        device_key=new.device_key,
        secret=new.secret,
        generation=0,
        group_key=new.group_key,
    )
    return transitions.draft(user, new, name=name, by=by), credential


def register(
    device: Device,
    *,
    owner: DeviceOwner,
    remembered: StatusReason | None = None,
    trust: Trust | None = None,
    known: bool = False,
    after_mfa: bool = False,
    by: By,
) -> None:
    """Register a new device with its owner and store it; the arguments are those of ``transitions.confirmed``.

    Where the user has more devices than are allowed, the longest unused ones go afterwards; which may go depends on
    whether the sign-in of this one went through MFA. If they cannot go now, they go when the next one comes.

    Raises ``AlreadyAnswered`` if its owner has it registered, ``BackendUnavailable``.
    """
    with owner.registering(device, remembered=remembered is not None):
        transitions.confirmed(device, remembered=remembered, trust=trust, known=known, by=by)
    try:
        surplus = _surplus(device, after_mfa=after_mfa or trust is not None)
        if surplus:
            found = list(Device.objects.filter(pk__in=surplus))
            devices.forget(found, by=By(note="limit", at=by.at))
    except (Error, BackendUnavailable) as failure:
        name = type(failure).__name__
        logger.warning("User %s has too many devices until there is another (%s).", device.user_id, name)


def _surplus(device: Device, *, after_mfa: bool) -> list[int]:
    """Return the keys of the devices that are too many: not-remembered ones first, then the longest unused.

    Those whose trust was earned by MFA come after all others, and those that were registered just now last, the latest
    of them at the end, so that a new device is not the first to go. A device that came without MFA makes room only
    among those of its own pool that earned nothing, and is kept: whoever has a password alone can fill a pool with
    devices. One read in an order that does not depend on ``device``: requests that look at once find the same.
    """
    earned = Q(status=DeviceStatus.REMEMBERED, trust_expires_at__gt=device.created_at)
    rank = Case(
        When(created_at__gt=device.created_at - JUST_NOW, then=3),  # its user may not have been asked yet
        When(earned, then=2),
        When(status=DeviceStatus.REMEMBERED, then=1),
        default=0,
    )
    longest_unused = rank, F("last_authenticated_at").asc(nulls_first=True), "pk"
    every = Device.objects.of(device.user_id).order_by(*longest_unused)
    rows = list(every.annotate(earned=ExpressionWrapper(earned, BooleanField())).values("pk", "earned", *POOL))
    too_many = max(len(rows) - conf.get_settings().MAX_DEVICES_PER_USER, 0)
    if not after_mfa:
        own = {name: getattr(device, name) for name in POOL}
        rows = [row for row in rows if not row["earned"] and row.items() >= own.items()][:-1]
    return [row["pk"] for row in rows[:too_many]]
