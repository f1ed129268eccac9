"""Which sessions live, asked of the site's session engine for many at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core.cache import caches


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
