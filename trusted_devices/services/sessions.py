"""Which live session came from which device, and ending those of a device that is trusted no longer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error

from trusted_devices import conf, database
from trusted_devices.crypto.sealing import Record, Unsealable
from trusted_devices.keyset import Order
from trusted_devices.models import Device, DeviceSession
from trusted_devices.services import activity, session_stores, transitions
from trusted_devices.types import By, EventAction, VerifiedBy

logger = logging.getLogger(__name__)

BATCH_SIZE = 1000
JUST_NOW = timedelta(minutes=1)
digest = session_stores.digest
_OLDEST_FIRST = Order("created_at")
_KEPT = Record("device session v1", keys=conf.secret_keys)


def can_end() -> bool:
    """Return whether the site's engine keeps sessions where they can be ended; in signed cookies they cannot."""
    return settings.SESSION_ENGINE != conf.SIGNED_COOKIES


def attach(*, device: Device, session_key: str, replaces: str = "", now: datetime) -> bool:
    """Note that the session came from ``device``. ``replaces`` is the digest of the key it had before a new one.

    Return whether the device still stands as ``device`` has it. If it was forgotten or lost its trust meanwhile, what
    it must not leave behind is a live session: this one is ended. Sessions that cannot be ended are not noted.
    """
    if not can_end():
        return True
    with database.atomic():
        if replaces:
            DeviceSession.objects.filter(session_digest=replaces).delete()
        stands = _stands(device)
        if stands:
            _store(device, session_key, now)
        else:
            session_stores.end([session_key])
    return stands


def started(
    *, user: AbstractBaseUser, verified_by: VerifiedBy, device: Device | None, session_key: str, by: By
) -> None:
    """Note that ``user`` has a session now, from which device, and how it was verified.

    A session from a device that was forgotten or lost its trust since the check is ended at once.
    """
    with database.atomic(savepoint=False):
        if device is not None and not _stands(device):
            device = None
            session_stores.end([session_key])
        elif device is not None:
            if not _noted(device, by):
                transitions.used(device, by=by)
            if can_end():
                _store(device, session_key, by.at)
        activity.record(EventAction.SIGNED_IN, user=user, device=device, reason=verified_by, by=by)


def detach(*, session_digest: str) -> None:
    """Forget about a session that ended by itself."""
    DeviceSession.objects.filter(session_digest=session_digest).delete()


def count(devices: Iterable[Device]) -> int:
    """Return how many sessions are noted for these devices."""
    return DeviceSession.objects.filter(device__in=list(devices)).count()


def end(devices: Iterable[Device]) -> int:
    """End the live sessions of these devices; return how many were noted.

    Sessions go before the transaction commits: should it fail, somebody has to sign in again, and nobody who was
    to be signed out stays. Those that cannot be reached are ended later.
    """
    ended = list(DeviceSession.objects.filter(device__in=list(devices)))
    session_keys = []
    for session in ended:
        try:
            session_keys.append(_KEPT.open(session.sealed_session_key)["key"])
        except Unsealable:
            logger.warning("The key of a device session can no longer be read; the session was not ended.")
    session_stores.end(session_keys)
    DeviceSession.objects.filter(pk__in=[session.pk for session in ended]).delete()
    return len(ended)


def prune(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Drop the notes of sessions that ended without anybody signing out; yield how many of each batch.

    A session is looked for once its note is older than sessions get without being used (``SESSION_COOKIE_AGE``), all
    of a batch at once. The oldest notes come first.
    """
    old = DeviceSession.objects.filter(created_at__lt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE))
    place = None
    while batch := list(_OLDEST_FIRST.beyond(old, place)[:batch_size]):
        place = _OLDEST_FIRST.place(batch[-1])
        keys = {session.pk: _key(session) for session in batch}
        try:
            living = session_stores.living([key for key in keys.values() if key], now=now)
        except Error:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the site's cache raises
            logger.warning("Notes of sessions are left to the next run (%s).", type(error).__name__)
            return
        ended = [pk for pk, key in keys.items() if key not in living]
        DeviceSession.objects.filter(pk__in=ended).delete()
        yield len(ended)


def _stands(device: Device) -> bool:
    """Lock the row of a device; return whether it was neither forgotten nor lost its trust meanwhile.

    By its key alone: MariaDB could take the index on the status first, and meet what forgetting holds.
    """
    stored = Device.objects.select_for_update().filter(pk=device.pk).first()
    return stored is not None and (stored.is_remembered or not device.is_remembered)


def _noted(device: Device, by: By) -> bool:
    """Return whether the check or the grant of this very sign-in has noted that the device was used."""
    return device.last_authenticated_at is not None and by.at - device.last_authenticated_at < JUST_NOW


def _store(device: Device, session_key: str, now: datetime) -> None:
    """Insert a session's row, or update the one that has its key. One statement."""
    session = DeviceSession(
        device=device,
        session_digest=digest(session_key),
        sealed_session_key=_KEPT.seal({"key": session_key}),
        created_at=now,
    )
    targets = database.connection().features.supports_update_conflicts_with_target
    DeviceSession.objects.bulk_create(
        [session],
        update_conflicts=True,
        unique_fields=["session_digest"] if targets else None,
        update_fields=["device", "sealed_session_key", "created_at"],
    )


def _key(session: DeviceSession) -> str:
    """Return the session's key; empty where it can no longer be read, so that nobody could end the session."""
    try:
        return str(_KEPT.open(session.sealed_session_key)["key"])
    except Unsealable:
        return ""
