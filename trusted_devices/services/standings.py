"""A user's devices as they stand now: what the policy would say of each at its next sign-in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from trusted_devices import conf
from trusted_devices.models import Device
from trusted_devices.policy import TrustPolicy, effective_expiry, evaluate_device, has_expired
from trusted_devices.services import stamps, trust
from trusted_devices.services.site_policy import get_policy
from trusted_devices.types import TrustDecision, TrustLimits

_Devices = TypeVar("_Devices", bound="QuerySet[Device]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One device, whether it is the current one, what a sign-in from it would be answered, and until when at most.

    ``trusted_until`` is the effective expiry; ``None`` unless the device is trusted now.
    """

    device: Device
    is_current: bool
    decision: TrustDecision
    trusted_until: datetime | None


def standings(*, user: AbstractBaseUser, current_key: str = "", now: datetime | None = None) -> list[Standing]:
    """Return all devices of ``user``: the one with ``current_key`` first, then the latest used.

    One query for them, and those for the user's factors. The decisions suppose that each device still holds its secret
    and that MFA is active.
    """
    now = now or timezone.now()
    limits, stamp = get_policy().limits(user), stamps.current(user)
    found = [
        _standing(device, user, limits, stamp=stamp, current_key=current_key, now=now)
        for device in Device.objects.of(user).latest_used_first()
    ]
    return sorted(found, key=lambda standing: not standing.is_current)


def standing(*, user: AbstractBaseUser, device: Device, current_key: str = "", now: datetime | None = None) -> Standing:
    """Return how one device of ``user`` stands."""
    limits, stamp = get_policy().limits(user), stamps.current(user)
    return _standing(device, user, limits, stamp=stamp, current_key=current_key, now=now or timezone.now())


def with_users(devices: _Devices) -> _Devices:
    """Load along with devices of many users what :func:`survey` asks of those, in a fixed number of queries."""
    devices = devices.select_related("user")
    return devices.prefetch_related("user__groups") if conf.get_settings().GROUP_MAX_PERIODS else devices


def survey(
    devices: Iterable[Device], *, stamp: str | None = None, current_key: str = "", now: datetime | None = None
) -> list[Standing]:
    """Return how devices of any users stand, in the order given; see :func:`with_users`.

    Whether second factors were changed behind this site's back shows only where the list is of one user, with the
    credential ``stamp`` that they have now: nobody reads the factors of many.
    """
    now = now or timezone.now()
    policy = get_policy()
    limits: dict[Any, TrustLimits] = {}
    found = []
    for device in devices:
        if device.user_id not in limits:
            limits[device.user_id] = policy.limits(device.user)
        of_user = limits[device.user_id]
        found.append(_standing(device, device.user, of_user, stamp=stamp, current_key=current_key, now=now))
    return found


def remembered_at(now: datetime, *, user: AbstractBaseUser, policy: TrustPolicy) -> Callable[[Device], bool]:
    """Return the test whether a device of ``user`` is remembered and its trust, if it earned any, has not ended."""
    maximum = policy.limits(user).maximum

    def counts(device: Device) -> bool:
        if not device.is_remembered:
            return False
        granted, expires = device.trust_granted_at, device.trust_expires_at
        return granted is None or not has_expired(granted, expires, maximum, now=now)

    return counts


def _standing(
    device: Device, user: AbstractBaseUser, limits: TrustLimits, *, stamp: str | None, current_key: str, now: datetime
) -> Standing:
    facts = trust.describe(user, device, stamp=stamp)
    decision = evaluate_device(user_id=str(user.pk), device=facts, limits=limits, at_risk=False, now=now)
    expiry = effective_expiry(device.trust_granted_at, device.trust_expires_at, limits.maximum)
    return Standing(
        device=device,
        is_current=device.device_key == current_key,
        decision=decision,
        trusted_until=expiry if decision.allowed else None,
    )
