"""The demo site inside the test process, and as the programs that a visitor starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]

Manage = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def demo(settings: Any, tmp_path: Path) -> Any:
    """The demo's URLs, templates and middleware on the test project's database. Returns the settings."""
    settings.ROOT_URLCONF = "demo_site.urls"
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [ROOT / "templates"]}]
    settings.MIDDLEWARE = ["demo_site.middleware.ContentSecurityPolicyMiddleware", *settings.MIDDLEWARE]
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.POOL_URL = ""
    return settings


@pytest.fixture
def visitor(demo: Any, client: Client) -> Client:
    """Somebody who is not signed in."""
    return client


@pytest.fixture
def signed_in(visitor: Client, user: Any) -> Client:
    """``user``, signed in with the password alone."""
    visitor.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return visitor


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def demo_environ(folder: Path) -> dict[str, str]:
    """Return an environment for the demo's programs, with all their files in ``folder``."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG"} or name.startswith("COVERAGE_")
    }
    settings = "tests.demo_site.settings"
    return inherited | {"DEMO_DIR": str(folder), "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": settings}


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the demo's files, shared by the tests that start programs, as seeding it takes seconds."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def manage(demo_folder: Path) -> Manage:
    """Run ``manage.py`` as a program; ``environ`` adds to its environment."""

    def run(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
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
