"""What the demo site takes from its environment: where it keeps its files, and which servers it uses.

Without any variable it needs no server: SQLite and a Celery broker made of files, all under ``.demo/``.

==================  ============================================================================================
``DEMO_DIR``        where the demo keeps its files, ``./.demo`` if unset
``PORT``            port of the web server, 8000 if unset
``BACKEND``         ``cognito`` to keep the people in a user pool, which is a second demo beside this one
``POOL_PORT``       port of that pool, ``PORT`` + 1 if unset
``HTTPS``           ``1`` when the site is served over HTTPS: cookies become Secure
``DEBUG``           ``1`` for Django's debug pages
``SECRET_KEY``      if unset, one is made once and kept in ``DEMO_DIR``
``POSTGRES_HOST``   use PostgreSQL, with ``POSTGRES_DB``, ``POSTGRES_USER``, ``POSTGRES_PASSWORD``, ``POSTGRES_PORT``
``REDIS_URL``       use Redis as Celery broker and cache
==================  ============================================================================================
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

BASE_DIR = Path(__file__).resolve().parent.parent


def demo_dir(environ: Mapping[str, str]) -> Path:
    """Return the directory that holds everything the demo writes; a site with a pool has one inside the pool's."""
    folder = Path(environ.get("DEMO_DIR") or BASE_DIR / ".demo").resolve()
    return folder / "cognito" if has_pool(environ) else folder


def has_pool(environ: Mapping[str, str]) -> bool:
    """Return whether the people are in a user pool."""
    return environ.get("BACKEND", "") == "cognito"


def pool_facts(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return what the site knows of its pool (``seed_demo --json``); nothing without a pool or before it is made."""
    kept = directory / "pool.json"
    if not has_pool(environ) or not kept.exists():
        return {}
    facts: dict[str, str] = json.loads(kept.read_text())
    return facts


def cognito(environ: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, Any]:
    """Return ``TRUSTED_DEVICES["COGNITO"]`` for that pool."""
    return {
        "USER_POOL_ID": facts["user_pool_id"],
        "CLIENT_ID": facts["secret_client_id"],
        "CLIENT_SECRET": facts["secret_client_secret"],
        "ENDPOINT_URL": facts["endpoint"],
        "USER_MAPPER": "demo_site.pool.DemoMapper",
        "REDIS_URL": environ.get("REDIS_URL") or None,
    }


def lend_credentials(environ: MutableMapping[str, str], facts: Mapping[str, str]) -> None:
    """Put the pool's access key where boto3 looks first."""
    environ["AWS_ACCESS_KEY_ID"] = facts["access_key_id"]
    environ["AWS_SECRET_ACCESS_KEY"] = facts["secret_access_key"]
    environ.pop("AWS_SESSION_TOKEN", None)


def flag(environ: Mapping[str, str], name: str) -> bool:
    """Return whether the variable says yes."""
    return environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def secret_key(environ: Mapping[str, str], directory: Path) -> str:
    """Return ``SECRET_KEY``, or the one kept in ``directory``, made on first use."""
    if given := environ.get("SECRET_KEY"):
        return given
    kept = directory / "secret_key"
    if not kept.exists():
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f"secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        # Linking is atomic: of several processes that start at once, the first one's key stands for all.
        with suppress(FileExistsError):
            kept.hardlink_to(draft)
        draft.unlink()
    return kept.read_text()


def database(environ: Mapping[str, str], directory: Path) -> dict[str, Any]:
    """Return Django's settings for the default database."""
    if host := environ.get("POSTGRES_HOST"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": host,
            "PORT": environ.get("POSTGRES_PORT", "5432"),
            "NAME": environ.get("POSTGRES_DB", "demo"),
            "USER": environ.get("POSTGRES_USER", "demo"),
            "PASSWORD": environ.get("POSTGRES_PASSWORD", ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": directory / "db.sqlite3",
        # The web server and the worker write at once. WAL lets readers go on meanwhile; IMMEDIATE takes the write
        # lock when a transaction begins, so that waiting for it (the timeout) works and no upgrade can deadlock.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def cache(environ: Mapping[str, str], directory: Path) -> dict[str, Any]:
    """Return Django's settings for the default cache, one that web and worker share."""
    if url := environ.get("REDIS_URL"):
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    return {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": directory / "cache"}


class Broker(NamedTuple):
    """Celery's settings for its broker; ``transport`` is ``None`` where the URL says it all."""

    url: str
    transport: str | None
    options: dict[str, Any]


def broker(environ: Mapping[str, str], directory: Path) -> Broker:
    """Return where Celery's messages go."""
    if url := environ.get("REDIS_URL"):
        # Longer than any task takes: what a killed worker had in hand is another's soon.
        return Broker(url, None, {"visibility_timeout": 600})
    folder = str(directory / "broker")
    folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), folder)
    return Broker("filesystem://", "demo_site.broker:Transport", folders)
