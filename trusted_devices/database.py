"""The database of this package's tables, which the site's router names: transactions there, and what it can store.

Users, their second factors and these tables refer to each other, so they are in one database, be it ``default`` or not
(``checks``). The router is asked anew each time: what it says may depend on the tenant of the moment. Nothing else here
opens a transaction, as Django's own functions would open one in ``default``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from django.apps import apps
from django.db import Error, InterfaceError, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

_PYTHON_NAMES = {"latin1": "cp1252", "ascii": "ascii"}
_REFUSED_BY_MYSQL = re.compile(r"\((1366|3988), .*(string value|conversion)|\((1267|1270|1271|1300), ", re.IGNORECASE)
_REFUSED_BY_POSTGRES = {"22021", "22P05"}


def alias() -> str:
    """Return the alias of the database that is written to."""
    return router.db_for_write(apps.get_model("trusted_devices", "Device"))


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to it."""
    return connections[alias()]


def reconnect() -> None:
    """Have the next query open a new connection where this one has died, unless a transaction is open."""
    here = connection()
    if not here.in_atomic_block:
        here.close_if_unusable_or_obsolete()


def is_away(error: Exception) -> bool:
    """Return whether the database cannot be reached, or could not do it just now, as in a deadlock."""
    return isinstance(error, OperationalError | InterfaceError) and not refuses_text(error)


def atomic(*, savepoint: bool = True) -> transaction.Atomic:
    """Return a context manager for a block that is committed as a whole or not at all, as Django's of that name."""
    return transaction.atomic(using=alias(), savepoint=savepoint)


def on_commit(act: Callable[[], object]) -> None:
    """Call ``act`` once the running transaction has committed; at once where none is running."""
    transaction.on_commit(act, using=alias())


def narrow_columns(tables: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the columns of these tables that cannot store every character: table, column and character set.

    The database or connection as a whole is named in place of a table, without a column. One query.
    """
    here = connection()
    if here.vendor == "postgresql":
        with here.cursor() as cursor:
            cursor.execute("SHOW server_encoding")
            [encoding] = cursor.fetchone()
        return [] if encoding == "UTF8" else [("the database", "", encoding)]
    if here.vendor != "mysql":
        return []
    with here.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name IN %s AND character_set_name <> 'utf8mb4'"
            " UNION ALL SELECT 'the connection', '', @@character_set_client FROM dual"
            " WHERE @@character_set_client <> 'utf8mb4'",
            [tuple(tables)],
        )
        return list(cursor.fetchall())


def storable(text: str, model: type[Model], column: str) -> str:
    """Return ``text`` without characters that ``column`` of ``model`` cannot store. A query on MariaDB and MySQL."""
    if text.isascii() or connection().vendor != "mysql":
        return text
    narrow = narrow_columns([model._meta.db_table])
    sets = {characters for _table, name, characters in narrow if name in {column, ""}}
    return "".join(character for character in text if all(_has(characters, character) for characters in sets))


def refuses_text(error: Error) -> bool:
    """Return whether the database could not store, or look for, a text because of its characters."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in _REFUSED_BY_POSTGRES or _REFUSED_BY_MYSQL.match(str(error)) is not None


def _has(characters: str, character: str) -> bool:
    """Return whether a character set of MySQL has ``character``; one that is not known here has every."""
    if characters in {"utf8", "utf8mb3"}:
        return character <= "\uffff"
    try:
        character.encode(_PYTHON_NAMES.get(characters, "utf-8"))
    except UnicodeEncodeError:
        return False
    return True
