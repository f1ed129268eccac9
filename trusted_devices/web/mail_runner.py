"""Sending mails while nobody waits for the mail server. The setting ``MAIL_RUNNER`` says who talks to it.

By default that is a thread of this process. It keeps what a mail server that is away would not take, for an hour and
in memory only; where mails must outlive the process, let ``trusted_devices.tasks.start_mail`` take them (Celery).
Mails come here after the commit, so none that fails undoes anything.
"""

from __future__ import annotations

import atexit
import logging
import os
import smtplib
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends import console, dummy, filebased, locmem
from django.utils.module_loading import import_string

from trusted_devices import conf

logger = logging.getLogger(__name__)

Letter = dict[str, str]
"""A mail that is ready to go: ``to``, ``subject``, ``text`` and ``html``."""

HEADERS = {"Auto-Submitted": "auto-generated"}
"""Asks answering machines not to answer (RFC 3834)."""
TIMEOUT = 10
"""Seconds that a mail server has for each answer, where ``EMAIL_TIMEOUT`` leaves it all the time in the world."""
MOST = 5000
"""How many mails wait in memory at most."""
PATIENCE = 30
"""Seconds that whoever sends many mails waits for room, as long as the mail server takes any."""
KEEP_SECONDS = 60 * 60
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds until a mail server that was away is asked again."""
EXIT_SECONDS = 5
"""Seconds that a process which ends waits for its last mails."""
IMMEDIATE = (console.EmailBackend, dummy.EmailBackend, filebased.EmailBackend, locmem.EmailBackend)
"""Backends that talk to nobody, so that there is nothing to wait for; tests find their mails at once."""


_REFUSALS = (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError)
"""What a mail server says that is there."""


class MailServerAway(Exception):
    """No connection came about, so the mail has certainly not been sent."""


class Line:
    """A connection to the mail server, opened when there is something to send and used until something fails."""

    def __init__(self) -> None:
        self._connection: Any = None

    def send(self, letter: Letter) -> None:
        """Send a mail. Raises ``MailServerAway``, or what went wrong while it was sent."""
        if self._connection is None:
            self._connection = _connect()
        message = EmailMultiAlternatives(letter["subject"], letter["text"], to=[letter["to"]], headers=HEADERS)
        message.attach_alternative(letter["html"], "text/html")
        try:
            self._connection.send_messages([message])
        except Exception:
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):  # the server may be gone; what was sent, was sent
                connection.close()


def post(letter: Letter, *, patient: bool = False) -> None:
    """See to it that a mail is sent, without waiting for that. ``patient`` is who sends many and may wait for room."""
    runner = conf.get_settings().MAIL_RUNNER
    if runner == "inline" or (runner == "thread" and isinstance(get_connection(), IMMEDIATE)):
        deliver(letter)
        return
    if runner != "thread":
        try:
            import_string(runner)(letter)
        except Exception as error:  # noqa: BLE001 - whatever keeps a broker from taking it, the thread does
            logger.error("The mail runner did not take on a mail (%s).", type(error).__name__)  # noqa: TRY400
        else:
            return
    _queue.put(letter, patient=patient)


def deliver(letter: Letter) -> None:
    """Send a mail and wait for it. Raises ``MailServerAway``, or what went wrong while it was sent."""
    line = Line()
    try:
        line.send(letter)
    finally:
        line.hang_up()


def drain(seconds: float = EXIT_SECONDS) -> None:
    """Wait until the mails of this process are sent, at most that long."""
    _queue.drain(seconds)


class _Queue:
    """The mails of this process and the thread that sends them, which starts with the first."""

    def __init__(self) -> None:
        self._letters: deque[tuple[float, Letter]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._away = False
        self._dropped = 0

    def put(self, letter: Letter, *, patient: bool) -> None:
        # Whoever sends many leaves room for the mails of others.
        most = MOST // 2 if patient else MOST
        with self._changed:
            if patient:
                self._changed.wait_for(lambda: len(self._letters) < most or self._away, PATIENCE)
            if len(self._letters) >= most:
                if not self._dropped:
                    logger.error("Mails are not sent: %s others wait for the mail server.", len(self._letters))
                self._dropped += 1
                return
            self._letters.append((time.monotonic(), letter))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="trusted-devices-mail", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._letters or self._away, seconds)
            if self._letters:
                logger.error("The process ends, and %s mails are not sent.", len(self._letters))

    def _work(self) -> None:
        line, pause = Line(), FIRST_PAUSE
        while True:
            if not self._letters:
                line.hang_up()
            with self._changed:
                self._changed.wait_for(lambda: self._letters)
                posted_at, letter = self._letters[0]
            delivered = self._try(line, letter, late=time.monotonic() - posted_at > KEEP_SECONDS)
            with self._changed:
                if delivered is not None:
                    self._letters.popleft()
                if delivered and self._dropped:
                    logger.error("%s mails were not sent while there was no room for them.", self._dropped)
                    self._dropped = 0
                self._changed.notify_all()
            if delivered is None:
                time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE) if delivered is None else FIRST_PAUSE

    def _try(self, line: Line, letter: Letter, *, late: bool) -> bool | None:
        """Return whether the mail was sent; ``None`` if it is to be tried again."""
        try:
            line.send(letter)
        except MailServerAway as away:
            self._away = True
            if not late:
                logger.warning("The mail server is away (%s); %s mails wait.", away, len(self._letters))
                return None
            logger.error("A mail is not sent: the mail server was away for too long.")  # noqa: TRY400
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, the next mail is sent all the same
            self._away = isinstance(error, OSError) and not isinstance(error, _REFUSALS)
            # Not again: it may have arrived. And not the error itself, which quotes the address.
            logger.error("A mail could not be sent (%s).", type(error).__name__)  # noqa: TRY400
        else:
            self._away = False
            return True
        return False


def _connect() -> Any:
    connection: Any = get_connection()
    if getattr(connection, "timeout", TIMEOUT) is None:
        connection.timeout = TIMEOUT
    try:
        connection.open()
    except OSError as error:
        raise MailServerAway(type(error).__name__) from error
    return connection


def _start_afresh() -> None:
    """Leave the mails of the parent to the parent, whose thread a fork has not brought along."""
    global _queue  # noqa: PLW0603 - one a process
    _queue = _Queue()


_queue = _Queue()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
atexit.register(drain)
