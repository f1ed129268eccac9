"""The demo site inside the test process, and as the programs that a visitor starts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(settings, tmp_path):
    """The demo's URLs, templates and middleware on the test project's database. Returns the settings."""
    settings.ROOT_URLCONF = "demo_site.urls"
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [ROOT / "templates"]}]
    settings.MIDDLEWARE = ["demo_site.middleware.ContentSecurityPolicyMiddleware", *settings.MIDDLEWARE]
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.POOL_URL = ""
    return settings


@pytest.fixture
def visitor(demo, client):
    """Somebody who is not signed in."""
    return client


@pytest.fixture
def signed_in(visitor, user):
    """``user``, signed in with the password alone."""
    visitor.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return visitor


def free_port():
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def demo_environ(folder):
    """Return an environment for the demo's programs, with all their files in ``folder``."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG"} or name.startswith("COVERAGE_")
    }
    settings = "tests.demo_site.settings"
    return inherited | {"DEMO_DIR": str(folder), "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": settings}


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """One folder for the demo's files, shared by the tests that start programs, as seeding it takes seconds."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def manage(demo_folder):
    """Run ``manage.py`` as a program; ``environ`` adds to its environment."""

    def run(*arguments, environ=None):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=demo_environ(demo_folder) | (environ or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
