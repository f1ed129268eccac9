"""Runs several processes as one: when one ends, or when the person at the keyboard has had enough, all end.

Each process leads a group of its own, so that Ctrl-C reaches only the supervisor, which then ends the groups in
order, and nothing that a process started in turn is left behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
"""Seconds that programs have to end by themselves before they are killed."""


class ProcessEnded(Exception):
    """One of the processes ended although nobody asked it to."""

    def __init__(self, name: str, returncode: int, log: Path) -> None:
        super().__init__(name, returncode, log)
        self.name, self.returncode, self.log = name, returncode, log


class StopRequested(Exception):
    """Somebody asked the supervisor to end: Ctrl-C, SIGTERM, or a closed terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command line to run, by a short name, with its output in ``log`` and ``environ`` on top of everybody's."""

    name: str
    command: Sequence[str]
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Starts programs, watches them, and ends them all. Use as a context manager, in the main thread.

    A stop signal only sets a mark that :meth:`check` sees, so that it never strikes in the middle of starting or
    ending something.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = dict(environ)
        self._folder = folder
        self._running: list[tuple[Program, subprocess.Popen[bytes]]] = []
        self._handlers: dict[signal.Signals, Any] = {}
        self._stop_requested = False

    def __enter__(self) -> Supervisor:
        self._handlers = {each: signal.signal(each, self._request_stop) for each in STOP_SIGNALS}
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop()
        for each, handler in self._handlers.items():
            signal.signal(each, handler)

    def start(self, program: Program) -> None:
        """Start ``program`` in a process group of its own. Raises like :meth:`check`."""
        self.check()
        with program.log.open("wb") as log:
            process = subprocess.Popen(
                program.command,
                env={**self._environ, **program.environ},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads here
            )
        self._running.append((program, process))

    def check(self) -> None:
        """Raise :class:`StopRequested` after a stop signal, :class:`ProcessEnded` if a program is not running."""
        if self._stop_requested:
            raise StopRequested
        for program, process in self._running:
            if (returncode := process.poll()) is not None:
                raise ProcessEnded(program.name, returncode, program.log)

    def wait_until(self, ready: Callable[[], bool], *, timeout: float) -> bool:
        """Return whether ``ready()`` came true within ``timeout`` seconds. Raises like :meth:`check`."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.check()
            if ready():
                return True
            time.sleep(0.1)
        return False

    def watch(self) -> NoReturn:
        """Wait for what :meth:`check` raises."""
        while True:
            self.check()
            time.sleep(0.2)

    def _request_stop(self, signum: int, frame: FrameType | None) -> None:
        self._stop_requested = True

    def _stop(self) -> None:
        for _, process in self._running:
            process.terminate()
        deadline = time.monotonic() + PATIENCE
        for _, process in self._running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
            # Also when the leader is gone: it may have left somebody behind in its group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()


def _end_with_parent() -> None:
    """Have Linux end this process if the supervisor is killed without a chance to do so itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
