"""Figures about devices and activity for staff. Each is one aggregate query: no row per device leaves the database.

Days are days of UTC, which every supported database can count in without time zone tables. Windows of ``days`` end
with the present day, oldest first, and have an entry for every day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Q
from django.db.models.functions import TruncDate

from trusted_devices.models import Device, DeviceEvent
from trusted_devices.types import DeviceStatus, EventAction

WITHIN_DAYS = (7, 30, 60, 90)
"""The horizons at which expiring trust is looked at."""
COUNT_LIMIT = 10_000
"""Where counting stops if only "a lot" matters."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """How often something happened on one day."""

    day: date
    count: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often something happened for one reason; ``reason`` is the value that the activity log has."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class DayOfTrust:
    """How many devices were trusted on one day, how many no longer, and how many were remembered at its end."""

    day: date
    given: int
    ended: int
    remembered: int


@dataclass(frozen=True, slots=True)
class UserCount:
    """How many devices a user has, and how many of them are remembered."""

    user: AbstractBaseUser
    devices: int
    remembered: int


@dataclass(frozen=True, slots=True)
class SweepLag:
    """What the sweep has yet to do: how many devices (``COUNT_LIMIT`` stands for more) and since when at most."""

    due: int
    lag: timedelta


def status_counts() -> dict[DeviceStatus, int]:
    """Return how many devices there are of each status."""
    found = dict(Device.objects.order_by().values_list("status").annotate(count=Count("*")))
    return {status: found.get(status, 0) for status in DeviceStatus}


def expiring(*, now: datetime, within_days: Sequence[int] = WITHIN_DAYS) -> dict[int, int]:
    """Return for each number of days how many devices' trust ends within that time from ``now``.

    Those that have ended but are still waiting for the sweep are not among them.
    """
    coming = Device.objects.remembered().filter(
        trust_expires_at__gt=now, trust_expires_at__lte=now + timedelta(days=max(within_days))
    )
    counts = {
        f"within_{days}": Count("trust_expires_at", filter=Q(trust_expires_at__lte=now + timedelta(days=days)))
        for days in within_days
    }
    counted = coming.aggregate(**counts)
    return {days: counted[f"within_{days}"] for days in within_days}


def expiring_per_day(*, now: datetime, days: int) -> list[DayCount]:
    """Return how many devices' trust ends on each of the next ``days`` days, the present one first."""
    start = now.astimezone(UTC).date()
    coming = Device.objects.remembered().filter(
        trust_expires_at__gt=now, trust_expires_at__lt=_midnight(start + timedelta(days=days))
    )
    by_day = coming.order_by().values_list(TruncDate("trust_expires_at", tzinfo=UTC)).annotate(count=Count("*"))
    return _every_day(by_day, start, days)


def trusted_per_day(*, now: datetime, days: int) -> list[DayCount]:
    """Return how often a device was trusted on each of the last ``days`` days."""
    start = _first_day(now, days)
    given = DeviceEvent.objects.filter(action=EventAction.REMEMBERED, created_at__gte=_midnight(start))
    by_day = given.order_by().values_list(TruncDate("created_at", tzinfo=UTC)).annotate(count=Count("*"))
    return _every_day(by_day, start, days)


def trust_over_time(*, now: datetime, days: int) -> list[DayOfTrust]:
    """Return how the number of remembered devices came about over the last ``days`` days.

    Reckoned backwards from the present number through the activity log, so devices that went together with their
    user's account make earlier days look emptier than they were.
    """
    start = _first_day(now, days)
    ended = [EventAction.NOT_REMEMBERED, EventAction.EXPIRED]
    forgotten = Q(action=EventAction.FORGOTTEN, reason=DeviceStatus.REMEMBERED)
    moves = DeviceEvent.objects.filter(
        Q(action__in=[EventAction.REMEMBERED, *ended]) | forgotten, created_at__gte=_midnight(start)
    )
    by_day = moves.order_by().values_list(TruncDate("created_at", tzinfo=UTC), "action").annotate(count=Count("*"))
    given: Counter[date] = Counter()
    gone: Counter[date] = Counter()
    for day, action, count in by_day:
        (given if action == EventAction.REMEMBERED else gone)[day] += count
    remembered = Device.objects.remembered().count()
    history = []
    for day in reversed(_days(start, days)):
        history.append(DayOfTrust(day, given[day], gone[day], remembered))
        remembered = max(remembered - given[day] + gone[day], 0)
    return history[::-1]


def reasons(action: EventAction, *, now: datetime, days: int) -> list[ReasonCount]:
    """Return how often ``action`` happened in the last ``days`` days by reason, most frequent first."""
    happened = DeviceEvent.objects.filter(action=action, created_at__gte=_midnight(_first_day(now, days)))
    by_reason = happened.order_by().values_list("reason").annotate(count=Count("*")).order_by("-count", "reason")
    return [ReasonCount(reason, count) for reason, count in by_reason]


def top_users(limit: int = 10) -> list[UserCount]:
    """Return the users with the most devices."""
    by_user = Device.objects.order_by().values_list("user").annotate(count=Count("*")).order_by("-count", "user")
    most = dict(by_user[:limit])
    of_them = Device.objects.remembered().filter(user__in=most).order_by()
    remembered = dict(of_them.values_list("user").annotate(count=Count("*")))
    users = get_user_model()._default_manager.in_bulk(most)
    return [UserCount(users[key], count, remembered.get(key, 0)) for key, count in most.items() if key in users]


def sweep_lag(*, now: datetime) -> SweepLag:
    """Return how far the sweep is behind. Trust that has ended is refused all the same."""
    due = Device.objects.due(now)
    oldest = due.values_list("trust_expires_at", flat=True).first()
    if oldest is None:
        return SweepLag(due=0, lag=timedelta(0))
    return SweepLag(due=due[:COUNT_LIMIT].count(), lag=now - oldest)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _first_day(now: datetime, days: int) -> date:
    return now.astimezone(UTC).date() - timedelta(days=days - 1)


def _days(start: date, days: int) -> list[date]:
    return [start + timedelta(days=number) for number in range(days)]


def _every_day(counted: Iterable[tuple[date, int]], start: date, days: int) -> list[DayCount]:
    found = Counter(dict(counted))
    return [DayCount(day, found[day]) for day in _days(start, days)]
