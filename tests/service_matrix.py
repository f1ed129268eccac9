"""Which tests run where: by database, and by what this machine has.

``TEST_DATABASE`` names the database; tests marked for another one, or for a server or browser that is not here, are
skipped with their reason. With ``STRICT_SERVICES=1`` everything is supposed to be here: tests for another database
are deselected, because another run has them, and any skip is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Generator
from functools import cache
from typing import Any

import pytest
from django.conf import settings

STRICT = os.environ.get("STRICT_SERVICES") == "1"
DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
DATABASES = ("sqlite", "postgres", "mariadb")


@cache
def redis_answers() -> bool:
    """Whether the Redis server of the settings accepts connections."""
    try:
        with socket.create_connection((settings.REDIS_HOST, settings.REDIS_PORT), timeout=2):
            return True
    except OSError:
        return False


@cache
def chromium() -> str | None:
    """The path of a Chromium, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


NEEDED: dict[str, tuple[Callable[[], Any], str]] = {
    "redis": (redis_answers, "needs a Redis server"),
    "browser": (chromium, "needs Chromium"),
    "node": (lambda: shutil.which("node"), "needs Node"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here, elsewhere = [], []
    for item in items:
        databases = [name for name in DATABASES if item.get_closest_marker(name)]
        belongs = not databases or DATABASE in databases
        (here if belongs else elsewhere).append(item)
        if not belongs:
            item.add_marker(pytest.mark.skip(reason=f"needs TEST_DATABASE={' or '.join(databases)}"))
        for name, (present, reason) in NEEDED.items():
            if item.get_closest_marker(name) and not present():
                item.add_marker(pytest.mark.skip(reason=reason))
    if STRICT and elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = here


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    return _strictly(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    return _strictly(report)


def _strictly(report: Any) -> Any:
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped in a strict run: {report.longrepr}"
    return report
