"""What staff do to many devices at once: what it would touch, and doing it batch by batch.

A batch is a transaction. Batches follow the primary key, so an act may stop after any of them and go on later, in this
process or another, and doing a batch twice changes nothing more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Count, Max, Q
from django.utils import timezone

from trusted_devices.exceptions import InvalidExpiry
from trusted_devices.models import Device, DeviceSession
from trusted_devices.owners import get_owner
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity, devices
from trusted_devices.types import By, DeviceStatus, EventAction, StatusReason

READ_SIZE = 2000


class BulkKind(StrEnum):
    """What is done."""

    FORGET = "forget"
    STOP_TRUSTING = "stop_trusting"
    SHORTEN_TRUST = "shorten_trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """How much an act would touch: devices, those of them that are remembered, their users and live sessions.

    ``newest`` is the highest primary key among them, ``latest_expiry`` the latest end of trust; ``None`` where
    there is none.
    """

    devices: int
    remembered: int
    users: int
    sessions: int
    newest: int | None
    latest_expiry: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOperation:
    """One act and how far it has come.

    ``newest`` bounds it: devices that came after it was confirmed stay untouched. ``until`` is the new end of trust
    where that is shortened; ``began_at`` is when it was confirmed. ``seen`` devices up to the primary key ``after`` are
    done; ``changed`` of them were not already as they should be. Make one with :func:`begin`.
    """

    kind: BulkKind
    newest: int
    total: int
    note: str = ""
    until: datetime | None = None
    began_at: datetime | None = None
    after: int = 0
    seen: int = 0
    changed: int = 0
    finished: bool = False


def survey(chosen: DeviceQuerySet[Device]) -> Touched:
    """Return what an act on these devices would touch. Two queries; the only ones here that read all of them."""
    remembered = Q(status=DeviceStatus.REMEMBERED)
    counted = chosen.order_by().aggregate(
        devices=Count("pk"),
        remembered=Count("pk", filter=remembered),
        users=Count("user", distinct=True),
        newest=Max("pk"),
        latest_expiry=Max("trust_expires_at", filter=remembered),
    )
    sessions = DeviceSession.objects.filter(device__in=chosen.order_by().values("pk")).count()
    return Touched(sessions=sessions, **counted)


def begin(
    kind: BulkKind,
    touched: Touched,
    *,
    note: str = "",
    until: datetime | None = None,
    now: datetime | None = None,
) -> BulkOperation:
    """Return the act on what was surveyed, not begun yet.

    Raises ``InvalidExpiry`` if trust is to be shortened and ``until`` has passed or would shorten none of it.
    """
    now = now or timezone.now()
    if kind is BulkKind.SHORTEN_TRUST and not _shortens(until, touched.latest_expiry, now):
        raise InvalidExpiry
    newest, total = touched.newest or 0, touched.devices
    return BulkOperation(kind=kind, newest=newest, total=total, note=note, until=until, began_at=now)


def step(
    act: BulkOperation,
    chosen: DeviceQuerySet[Device],
    *,
    by: By,
) -> BulkOperation:
    """Do the next batch; return how far the act has come.

    Raises ``BackendUnavailable``, having done nothing that doing the batch again would not leave as it is.
    """
    size = get_owner().batch_size
    left = chosen.filter(pk__gt=act.after, pk__lte=act.newest).order_by("pk")
    batch = list(left[:size])
    changed = _apply(act, batch, by=dataclasses.replace(by, note=act.note)) if batch else 0
    return dataclasses.replace(
        act,
        after=batch[-1].pk if batch else act.after,
        seen=act.seen + len(batch),
        changed=act.changed + changed,
        finished=len(batch) < size,
    )


def newest_first(chosen: DeviceQuerySet[Device]) -> Iterator[Device]:
    """Yield the devices in batches by key, newest first: whatever their number, only a batch is in memory."""
    rows = chosen.order_by("-pk")
    batch = list(rows[:READ_SIZE])
    while batch:
        yield from batch
        batch = list(rows.filter(pk__lt=batch[-1].pk)[:READ_SIZE]) if len(batch) == READ_SIZE else []


def _shortens(until: datetime | None, latest_expiry: datetime | None, now: datetime) -> bool:
    return until is not None and latest_expiry is not None and now < until < latest_expiry


def _told(act: BulkOperation, batch: list[Device], by: By) -> set[Any]:
    """Return the users whom an earlier batch of the act has told: one mail is enough."""
    if by.actor is None or act.began_at is None or not act.after:
        return set()
    users = {device.user_id for device in batch}
    return activity.known_to(users, EventAction.FORGOTTEN, since=act.began_at, by=by)


def _apply(act: BulkOperation, batch: list[Device], *, by: By) -> int:
    if act.kind is BulkKind.FORGET:
        return devices.forget(batch, told=_told(act, batch, by), by=by)
    if act.kind is BulkKind.STOP_TRUSTING:
        return devices.stop_trusting(batch, reason=StatusReason.STAFF_STOPPED, end_sessions=True, by=by)
    if act.until is None:
        raise InvalidExpiry
    return devices.shorten_trust(batch, until=act.until, by=by)
