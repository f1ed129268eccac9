"""The database of this package's tables, which the site's router names: transactions there, and what follows a commit.

Users, their second factors and these tables refer to each other, so they are in one database, be it ``default`` or not
(``checks``). The router is asked anew each time: what it says may depend on the tenant of the moment. Nothing else here
opens a transaction, as Django's own functions would open one in ``default``.
"""

from __future__ import annotations

from collections.abc import Callable

from django.apps import apps
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


def alias() -> str:
    """Return the alias of the database that is written to."""
    return router.db_for_write(apps.get_model("trusted_devices", "Device"))


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to it."""
    return connections[alias()]


def atomic(*, savepoint: bool = True) -> transaction.Atomic:
    """Return a context manager for a block that is committed as a whole or not at all, as Django's of that name."""
    return transaction.atomic(using=alias(), savepoint=savepoint)


def on_commit(act: Callable[[], object]) -> None:
    """Call ``act`` once the running transaction has committed; at once where none is running."""
    transaction.on_commit(act, using=alias())
