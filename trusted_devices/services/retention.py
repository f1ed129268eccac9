"""What is kept no longer: old entries of the log, notes of sessions that ended, devices that have long been dead."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from trusted_devices import conf
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.services import activity, devices, sessions
from trusted_devices.types import By

logger = logging.getLogger(__name__)

BATCH_SIZE = 1000


class Kind(StrEnum):
    """What is pruned."""

    ENTRIES = "entries"
    SESSIONS = "sessions"
    DEVICES = "devices"


def prune(
    *, now: datetime, entries_before: datetime | None = None, batch_size: int = BATCH_SIZE
) -> Iterator[tuple[Kind, int]]:
    """Delete what is kept no longer; yield what each batch deleted, and how much.

    The kinds take turns, so that a backlog of one does not keep the others waiting where a run is cut short. Entries
    go by ``EVENT_RETENTION`` unless ``entries_before`` says otherwise. Any number may run at once.
    """
    before = entries_before or activity.kept_since(now)
    waiting = {
        Kind.ENTRIES: activity.prune(before=before, batch_size=batch_size),
        Kind.SESSIONS: sessions.prune(now=now, batch_size=batch_size),
        Kind.DEVICES: prune_devices(now=now, batch_size=batch_size),
    }
    while waiting:
        for kind, batches in list(waiting.items()):
            deleted = next(batches, None)
            if deleted is None:
                del waiting[kind]
            else:
                yield kind, deleted


def count_dead(now: datetime) -> int:
    """Return how many devices ``DEVICE_RETENTION`` keeps no longer."""
    since = _kept_since(now)
    return Device.objects.dead(since).count() if since is not None else 0


def prune_devices(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Forget the devices that ``DEVICE_RETENTION`` keeps no longer, longest dead first; yield how many of each batch.

    Their owner forgets them as well; one that cannot be reached is asked again at the next run.
    """
    kept_since, after = _kept_since(now), None
    if kept_since is None:
        return
    size, by = min(batch_size, get_owner().batch_size), By(note="retention", at=now)
    while batch := list(Device.objects.dead(kept_since, since=after)[:size]):
        try:
            yield devices.forget(batch, by=by)
        except BackendUnavailable:
            logger.warning("Dead devices are left to the next run: their owner cannot be reached.")
            return
        after = batch[-1].modified_at


def _kept_since(now: datetime) -> datetime | None:
    retention = conf.get_settings().DEVICE_RETENTION
    return now - retention if retention is not None else None
