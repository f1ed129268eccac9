"""A cache of a test that is away for a while."""

from contextlib import contextmanager
from unittest.mock import patch

from django.core.cache.backends.locmem import LocMemCache


class BrokenCache(LocMemCache):
    """A cache in memory that fails as long as its server is ``away``."""

    away = False

    def _reach(self):
        if type(self).away:
            raise ConnectionError("redis://:secret@cache")

    def add(self, *args, **kwargs):
        self._reach()
        return super().add(*args, **kwargs)

    def get(self, *args, **kwargs):
        self._reach()
        return super().get(*args, **kwargs)

    def set(self, *args, **kwargs):
        self._reach()
        return super().set(*args, **kwargs)

    def delete(self, *args, **kwargs):
        self._reach()
        return super().delete(*args, **kwargs)


CACHES = {"default": {"BACKEND": f"{__name__}.{BrokenCache.__name__}"}}


@contextmanager
def cache_away():
    """Keep everybody from the cache meanwhile."""
    with patch.object(BrokenCache, "away", new=True):
        yield
