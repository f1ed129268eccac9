"""The sessions where the site's engine keeps them: which of them live, and ending them, at once or later.

That trust has ended is stored whether or not a cache that holds sessions answers. What is still to be ended is noted
in the same transaction, and done by the next sweep or sign-in.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core.cache import caches
from django.db import Error

from trusted_devices import conf
from trusted_devices.crypto.sealing import Record, Unsealable
from trusted_devices.models import SessionToEnd

logger = logging.getLogger(__name__)

BATCH_SIZE = 100
DATABASE = "django.contrib.sessions.backends.db"
_KEPT = Record("session to end v1", keys=conf.secret_keys)


def digest(session_key: str) -> str:
    """Return what a session key is found by: SHA-256 in hex."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def living(keys: Collection[str], *, now: datetime) -> set[str]:
    """Return those of ``keys`` whose sessions have not ended.

    One query where the engine keeps them in the database or in the cache, whether or not ``clearsessions`` has run; in
    files and in engines of other kinds a look each.
    """
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, DatabaseStore):
        rows = store.get_model_class()._default_manager.filter(session_key__in=keys, expire_date__gt=now)
        return set(rows.values_list("session_key", flat=True))
    if issubclass(store, CacheStore):
        by_name = {store.cache_key_prefix + key: key for key in keys}
        return {by_name[name] for name in caches[settings.SESSION_CACHE_ALIAS].get_many(by_name)}
    return {key for key in keys if store().exists(key)}


def end(session_keys: Sequence[str]) -> None:
    """End sessions; note those that cannot be ended now, in the transaction that is running."""
    for position, session_key in enumerate(session_keys):
        if not _end(session_key):
            end_later(session_keys[position:])  # an engine that is away is not asked on
            return


def end_later(session_keys: Sequence[str]) -> None:
    """Note sessions that are still to be ended."""
    notes = [
        SessionToEnd(session_digest=digest(key), sealed_session_key=_KEPT.seal({"key": key})) for key in session_keys
    ]
    SessionToEnd.objects.bulk_create(notes, ignore_conflicts=True)


def end_noted() -> int:
    """End a batch of the sessions that could not be ended before; return how many. Any number may run at once.

    An engine whose sessions are in the database alone costs no query: it is there whenever the notes are.
    """
    if settings.SESSION_ENGINE == DATABASE:
        return 0
    ended = []
    for note in SessionToEnd.objects.order_by("pk")[:BATCH_SIZE]:
        try:
            session_key = _KEPT.open(note.sealed_session_key)["key"]
        except Unsealable:
            logger.warning("The key of a session that is to end can no longer be read.")
        else:
            if not _end(session_key):
                break
        ended.append(note.pk)
    if ended:
        SessionToEnd.objects.filter(pk__in=ended).delete()
    return len(ended)


def _end(session_key: str) -> bool:
    try:
        import_module(settings.SESSION_ENGINE).SessionStore(session_key).delete()
    except Error:
        raise  # the transaction is spoilt
    except Exception as error:  # noqa: BLE001 - whatever the site's cache raises
        logger.error("Sessions cannot be ended now, and are ended later (%s).", type(error).__name__)  # noqa: TRY400
        return False
    return True
