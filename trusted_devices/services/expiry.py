"""The sweep: making the status say what the dates already decide.

Expiry is enforced whenever trust is read, so nothing hangs on when or whether this runs. Any number of sweeps may run
at once: each claims a batch, and a device is changed and logged once.

It also ends the trust of accounts that were disabled without a signal, as by ``QuerySet.update``. While an account is
disabled nobody signs in with it; what ends here does not come back when it is enabled again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.contrib.auth import get_user_model

from trusted_devices import database
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.services import devices, session_stores, transitions
from trusted_devices.types import By, StatusReason

BATCH_SIZE = 1000


def count_due(now: datetime) -> int:
    """Return how many remembered devices have a trust expiry of ``now`` or earlier."""
    return Device.objects.due(now).count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much a sweep has to do: ``due`` devices, at most ``per_second`` of them (``None``: without a limit), the
    oldest overdue since ``oldest``, and when it will be done."""

    due: int
    oldest: datetime | None
    per_second: float | None
    done_at: datetime


def plan(now: datetime) -> Plan:
    """Return what a sweep that begins now has before it. More may fall due meanwhile."""
    due, per_second = count_due(now), get_owner().writes_per_second()
    oldest = Device.objects.due(now).values_list("trust_expires_at", flat=True).first()
    seconds = due / per_second if per_second else 0
    return Plan(due=due, oldest=oldest, per_second=per_second, done_at=now + timedelta(seconds=seconds))


def sweep(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Do all of it; yield how many devices each batch changed. Raises ``BackendUnavailable``.

    Sessions that could not be ended when they should have been go first.
    """
    while session_stores.end_noted():
        pass
    yield from end_disabled(now=now, batch_size=batch_size)
    yield from expire_due(now=now, batch_size=batch_size)


def end_disabled(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """End trust and sessions of the remembered devices of disabled accounts; yield how many of each batch.

    One query says that there are none, and locks nothing: there the database joins what is remembered with who is
    disabled, in whichever order is cheaper. Rows that another transaction holds are left to the next sweep.
    """
    if not any(field.name == "is_active" for field in get_user_model()._meta.concrete_fields):
        return
    # Without an order or a limit, which would lead the database to the devices first.
    found = list(Device.objects.remembered().filter(user__is_active=False).values_list("pk", flat=True))
    for start in range(0, len(found), batch_size):
        with database.atomic():
            claimed = list(Device.objects.remembered().filter(pk__in=found[start : start + batch_size]).claim())
            reason = StatusReason.ACCOUNT_DISABLED
            devices.stop_at_all_costs(claimed, reason=reason, end_sessions=True, by=By(at=now))
        yield len(claimed)


def expire_due(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Make the devices whose trust has ended not remembered, oldest expiry first; yield how many each batch changed.

    How they are claimed is their owner's rule (``DeviceOwner.expire_due``). Raises ``BackendUnavailable``.
    """
    write = partial(transitions.expired, by=By(at=now))
    return get_owner().expire_due(write, now=now, batch_size=batch_size)
