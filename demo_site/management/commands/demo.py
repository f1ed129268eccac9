"""``manage.py demo``: the whole demo with one command."""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo_site import accounts, environment
from demo_site.processes import ProcessEnded, Program, StopRequested, Supervisor

HOST = "127.0.0.1"
START_TIMEOUT = 60


class Command(BaseCommand):
    """Migrate, seed, and run web server, Celery worker and Celery beat until Ctrl-C."""

    help = "Serve the demo site with its Celery worker and beat. Ctrl-C ends everything it started."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=_port, default=settings.PORT, help="port on 127.0.0.1")

    def handle(self, *args: Any, **options: Any) -> None:
        port: int = options["port"]
        pool_port = _pool_port(port)
        for each in filter(None, (port, pool_port)):
            _require_free(each)
        logs = settings.DEMO_DIR / "log"
        temporary = settings.DEMO_DIR / "tmp"
        for folder in (logs, temporary):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CommandError(f"The demo cannot keep its files in {folder}: {error.strerror}.") from error
        environ = os.environ | {
            "DEMO_DIR": str(settings.DEMO_DIR.parent if pool_port else settings.DEMO_DIR),
            "PORT": str(port),
            "TMPDIR": str(temporary),
            "PYTHONUNBUFFERED": "1",
        }
        try:
            with _sole_use_of(settings.DEMO_DIR), Supervisor(environ, settings.BASE_DIR) as supervisor:
                self._run(supervisor, port, pool_port, logs, environ)
        except StopRequested:
            self.stdout.write("\nThe demo has ended, and with it all that it started.")
        except ProcessEnded as ended:
            raise CommandError(_obituary(ended)) from ended

    def _run(
        self, supervisor: Supervisor, port: int, pool_port: int | None, logs: Path, environ: dict[str, str]
    ) -> None:
        self.stdout.write("Preparing the database and starting ...")
        self.stdout.flush()
        if pool_port is None:
            call_command("seed_demo", verbosity=0)
        else:
            _prepare_pool(environ, pool_port)
            supervisor.start(_pool_program(pool_port, logs, environ))
            self._wait_for(supervisor, "pool", pool_port, logs)
        for program in _programs(port, logs):
            supervisor.start(program)
        self._wait_for(supervisor, "web", port, logs)
        self.stdout.write(_banner(port, logs, pool_port))
        self.stdout.flush()
        supervisor.watch()

    def _wait_for(self, supervisor: Supervisor, name: str, port: int, logs: Path) -> None:
        if not supervisor.wait_until(lambda: _answers(port), timeout=START_TIMEOUT):
            raise CommandError(f"The {name} server does not answer. Its log is in {logs / f'{name}.log'}.")


def _programs(port: int, logs: Path) -> list[Program]:
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--app", "demo_site"]
    beat_files = ["--schedule", str(settings.DEMO_DIR / "beat-schedule"), "--pidfile="]
    commands = {
        "web": _server(port),
        "worker": [*celery, "worker", "--concurrency", "1", "--loglevel", "INFO"],
        "beat": [*celery, "beat", "--loglevel", "INFO", *beat_files],
    }  # fmt: skip
    return [Program(name=name, command=command, log=logs / f"{name}.log") for name, command in commands.items()]


def _server(port: int) -> list[str]:
    python = [sys.executable, "-m"]
    return [
        *python, "gunicorn", "--config", "python:demo_site.gunicorn_conf",
        "--bind", f"{HOST}:{port}", "demo_site.wsgi:application",
    ]  # fmt: skip


def _pool_port(port: int) -> int | None:
    """Return the port of the user pool that keeps the people, ``None`` where the site does."""
    if not environment.has_pool(os.environ):
        return None
    return _port(os.environ.get("POOL_PORT") or str(port + 1))


def _prepare_pool(environ: dict[str, str], port: int) -> None:
    # The backend's library is an extra.
    from demo_site import pool

    try:
        pool.prepare(environ, port)
    except CalledProcessError as error:
        raise CommandError(f"The pool or its site could not be prepared:\n{error.stderr}") from error


def _pool_program(port: int, logs: Path, environ: dict[str, str]) -> Program:
    from demo_site import pool

    return Program(
        name="pool", command=_server(port), log=logs / "pool.log", environ=pool.environ_of_pool(environ, port)
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


@contextmanager
def _sole_use_of(folder: Path) -> Iterator[None]:
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"A demo is running already with its files in {_short(folder)}. "
                "End it first, or give this one a folder of its own: DEMO_DIR=.demo2 PORT=8123 make demo"
            ) from error
        yield


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # As the web server will: a port that only waits out its last connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Choose another one: PORT=8123 make demo"
            ) from error


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://{HOST}:{port}/healthz", timeout=2) as response:
            return bool(response.status == 200)  # noqa: PLR2004
    except (URLError, OSError):
        return False


def _banner(port: int, logs: Path, pool_port: int | None = None) -> str:
    url = f"http://{HOST}:{port}/"
    rows = "\n".join(
        f"    {account.username:<10}{account.password:<14}{account.about}" for account in accounts.ACCOUNTS
    )
    codes = f"The authenticator codes of the moment are on the start page, or:\n    {_manage()} totp_code maria"
    if pool_port is not None:
        codes = f"They live in a user pool, which shows the codes of the moment:  http://{HOST}:{pool_port}/"
    broker = "Redis" if settings.CELERY_BROKER_TRANSPORT is None else "files, no server needed"
    return f"""
  The demo is ready:  {url}

  Who can sign in (user, password):
{rows}

  {codes}

  Web server, Celery worker and beat are running (broker: {broker}).
  Logs: {_short(logs)}    Mails: {url}mail/    Admin: {url}admin/

  Ctrl-C ends everything.
"""


def _manage() -> str:
    return shlex.join([_short(Path(sys.executable)), "manage.py"])


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _obituary(ended: ProcessEnded) -> str:
    lines = ended.log.read_text(errors="replace").splitlines()[-15:]
    return "\n".join(
        [f"The {ended.name} process ended by itself (exit code {ended.returncode}), so the demo ends.", *lines]
    )
