"""Which tests run where: by database, and by what this machine has.

``TEST_DATABASE`` names the database; tests marked for another one, or for a server or browser that is not here, are
skipped with their reason. Tests that another database would tell nothing new are left to SQLite: those that open none,
and those of ``ONLY_ON_SQLITE``. With ``STRICT_SERVICES=1`` everything is supposed to be here: tests for another
database are deselected, because another run has them, and any skip is a failure.
"""

import os
import shutil
import socket
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from xdist.scheduler import LoadScopeScheduling

STRICT = os.environ.get("STRICT_SERVICES") == "1"
DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
DATABASES = ("sqlite", "postgres", "mariadb")


@cache
def redis_answers():
    """Whether the Redis server of the settings accepts connections."""
    try:
        with socket.create_connection((settings.REDIS_HOST, settings.REDIS_PORT), timeout=2):
            return True
    except OSError:
        return False


@cache
def chromium():
    """The path of a Chromium, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


ONLY_ON_SQLITE = (
    # They bring their own site on SQLite along.
    "e2e", "demo_site", "bare_project", "benchmarks", "clients",
    # What they see is what is done with answers, pages, words and settings, whatever they were stored in.
    "docs", "web/test_mail_runner.py", "web/views", "words", "test_checks.py", "test_databases.py", "test_extras.py",
    "test_killed_bulk_act.py", "faults/test_acts.py", "faults/test_first_sign_in.py", "faults/test_sign_in.py",
    "cognito/test_checks.py", "cognito/test_client.py", "cognito/test_errors.py", "cognito/test_first_sign_in.py",
    "cognito/test_malformed.py", "cognito/test_sign_in.py", "cognito/test_tokens.py",
    "api/test_authentication.py", "api/test_contract.py", "api/test_docs.py", "api/test_errors.py", "api/test_extra.py",
    "api/test_roles.py", "api/test_schema.py", "api/test_secrets.py", "api/test_throttles.py",
    "api/test_unavailable.py", "admin/test_secrets.py",
    "cognito_idp/test_conf.py", "cognito_idp/test_endpoint.py", "cognito_idp/test_sigv4.py",
)  # fmt: skip
"""Files and folders of tests."""
TESTS = Path(__file__).parent

SHARED = {
    "pool": ("cognito/", "faults/", "races/test_pool_users.py"),
    "programs": ("e2e/", "demo_site/", "clients/", "bare_project/"),
}
"""Folders and files whose tests share a pool, a demo, a browser or what they install. Each is left to one worker."""

NEEDED = {
    "redis": (redis_answers, "needs a Redis server"),
    "browser": (chromium, "needs Chromium"),
    "node": (lambda: shutil.which("node"), "needs Node"),
}


class BySharedPrograms(LoadScopeScheduling):
    """Leaves the tests of a file to one worker, and those of all files that share programs."""

    def _split_scope(self, nodeid):
        file = nodeid.split("::", 1)[0]
        name = file.removeprefix("tests/")
        return next((program for program, users in SHARED.items() if name.startswith(users)), file)


def pytest_xdist_make_scheduler(config, log):
    return BySharedPrograms(config, log)


def pytest_collection_modifyitems(config, items):
    here, elsewhere = [], []
    for item in items:
        databases = [name for name in DATABASES if item.get_closest_marker(name)]
        if DATABASE in (databases or _told_apart_by(item)):
            here.append(item)
        elif databases and not STRICT:
            item.add_marker(pytest.mark.skip(reason=f"needs TEST_DATABASE={' or '.join(databases)}"))
            here.append(item)
        else:
            elsewhere.append(item)
        for name, (present, reason) in NEEDED.items():
            if item.get_closest_marker(name) and not present():
                item.add_marker(pytest.mark.skip(reason=reason))
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = here


def _told_apart_by(item):
    """Return the databases on which the test may end differently."""
    opens_one = item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(item.fixturenames)
    return DATABASES if opens_one else ("sqlite",)


def pytest_ignore_collect(collection_path):
    ignored = DATABASE != "sqlite" and collection_path in [TESTS / name for name in ONLY_ON_SQLITE]
    return True if ignored else None


def pytest_configure():
    gone = [name for name in ONLY_ON_SQLITE if not (TESTS / name).exists()]
    assert not gone, f"ONLY_ON_SQLITE names what is not there: {gone}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    return _strictly(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    return _strictly(report)


def _strictly(report):
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped in a strict run: {report.longrepr}"
    return report
