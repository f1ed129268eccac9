"""A cache of a test that is away for a while."""

from contextlib import contextmanager
from unittest.mock import patch

from django.core.cache.backends.locmem import LocMemCache


class BrokenCache(LocMemCache):
    """A cache in memory that fails as long as its server is ``away``, or takes nothing but can be read."""

    away = read_only = False

    def _reach(self, *, writing=True):
        if type(self).away or (writing and type(self).read_only):
            raise ConnectionError("redis://:secret@cache")

    def add(self, *args, **kwargs):
        self._reach()
        return super().add(*args, **kwargs)

    def get(self, *args, **kwargs):
        self._reach(writing=False)
        return super().get(*args, **kwargs)

    def set(self, *args, **kwargs):
        self._reach()
        return super().set(*args, **kwargs)

    def delete(self, *args, **kwargs):
        self._reach()
        return super().delete(*args, **kwargs)


CACHES = {"default": {"BACKEND": f"{__name__}.{BrokenCache.__name__}"}}


@contextmanager
def cache_away(*, how="away"):
    """Keep everybody from the cache meanwhile, or with ``read_only`` from changing it."""
    with patch.object(BrokenCache, how, new=True):
        yield
