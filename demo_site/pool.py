"""The demo on a user pool (``BACKEND=cognito``): the ordinary demo, as a second process, is the pool of this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from demo_site import accounts, environment
from trusted_devices.cognito.identities import UserMapper

STAFF = frozenset(account.username for account in accounts.ACCOUNTS if account.is_staff)


class DemoMapper(UserMapper):
    """Makes the demo's staff staff here. A site goes by a group of the pool instead: names can be anybody's."""

    def create(self, claims: Mapping[str, Any]) -> Any:
        return self._promoted(super().create(claims))

    def update(self, user: Any, claims: Mapping[str, Any]) -> None:
        super().update(user, claims)
        self._promoted(user)

    def _promoted(self, user: Any) -> Any:
        if user.get_username() in STAFF and not user.is_staff:
            user.is_staff = user.is_superuser = True
            user.save(update_fields=["is_staff", "is_superuser"])
        return user


def pool_url(request: HttpRequest) -> dict[str, str]:
    """Give templates ``pool_url``, where the people are; empty on a demo that has its own."""
    return {"pool_url": settings.POOL_URL}


def environ_of_pool(environ: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the environment of the pool's process."""
    return {**environ, "BACKEND": "local", "PORT": str(port)}


def prepare(environ: Mapping[str, str], port: int) -> None:
    """Make the pool's database and people, and note for the site how to reach it. Raises ``CalledProcessError``."""
    site = environment.demo_dir(environ)
    seeding = [sys.executable, "manage.py", "seed_demo", "--json"]
    made = subprocess.run(
        seeding,
        env=environ_of_pool(environ, port),
        cwd=environment.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(made.stdout)
    note = site / "pool.json"
    _write_privately(note, json.dumps({**facts["cognito_idp"], "url": facts["url"]}))
    seeding.remove("--json")
    subprocess.run(seeding, env=dict(environ), cwd=environment.BASE_DIR, capture_output=True, text=True, check=True)


def _write_privately(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
