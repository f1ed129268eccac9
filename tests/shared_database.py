"""A database that several threads and processes work on at once, and how tests start those."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection, connections

PATIENCE = 60
"""Seconds after which something that should have come is not coming any more."""
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def shared_database(transactional_db, tmp_path):
    """Make the default database one that threads and processes share: SQLite's, in memory until now, becomes a file."""
    if connection.vendor != "sqlite":
        yield
        return
    in_memory = connections["default"]
    in_memory.ensure_connection()
    path = tmp_path / "shared.sqlite3"
    with closing(sqlite3.connect(path)) as file:
        in_memory.connection.backup(file)
        file.execute("PRAGMA journal_mode=WAL")
    # The connection in memory keeps its own settings: a live server's thread may close it meanwhile, which does no harm
    # only as long as it still says that it is in memory.
    ours = connections.settings["default"]
    connections.settings["default"] = {**ours, "NAME": str(path)}
    connections["default"] = connections.create_connection("default")
    yield
    connections["default"].close()
    connections.settings["default"] = ours
    connections["default"] = in_memory


def at_once(*calls):
    """Run ``calls`` in as many threads, starting together; return what each returned or raised, in order."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            connection.ensure_connection()
            barrier.wait(PATIENCE)
            return call()
        except Exception as error:  # noqa: BLE001 - handed to the test
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def update_statistics(*models):
    """Tell the planner how full the tables are; it learns by itself only after a while. On MariaDB this commits."""
    statement = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"{statement} {connection.ops.quote_name(model._meta.db_table)}")


def eventually(condition):
    """Return whether ``condition`` comes true while there is patience for it."""
    deadline = time.monotonic() + PATIENCE
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(met)


@contextmanager
def running(*arguments, environ=None):
    """Run ``python -m arguments`` on this test's database; end it and all that it started."""
    shared = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **shared, **(environ or {})},
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
