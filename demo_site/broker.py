"""A Celery broker made of files, for a demo that needs no server.

Kombu's own file-system transport, with two gaps closed that show once several processes work at the same moment: a
message appears in the queue's folder only when it is written completely, and the list of queues is read and written
by one process at a time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Reads and writes messages as files named ``<time>_<uuid>.<queue>.msg``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder = Path(self.data_folder_out)
        self._folder.mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        file = self._folder / f"{time_ns()}_{uuid4()}.{queue}.msg"
        draft = file.with_suffix(".draft")
        draft.write_text(dumps(payload))
        draft.rename(file)

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        with self._control_lock():
            super()._queue_bind(exchange, routing_key or "", pattern, queue or "")

    def get_table(self, exchange: str) -> list[Any]:
        with self._control_lock():
            return list(super().get_table(exchange))

    @contextmanager
    def _control_lock(self) -> Iterator[None]:
        with (self._folder / "control.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    """Named in ``broker_transport`` as ``demo_site.broker:Transport``."""

    Channel = Channel
