"""Sending codes by text message: a function ``(phone_number, message)`` that ``SMS_SENDER`` names, and how often."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils.module_loading import import_string

from trusted_devices.cognito_idp import conf, errors, spent
from trusted_devices.cognito_idp.models import PoolUser

Sender = Callable[[str, str], None]

PAUSE = timedelta(minutes=1)
"""Between two messages to a person, and between two to a number: as django-otp has it between two mails."""


def get_sender() -> Sender | None:
    """Return the site's sender, ``None`` where there is none."""
    path = conf.get_options().SMS_SENDER
    if path is None:
        return None
    sender: Sender = import_string(path)
    return sender


def send(pool_user: PoolUser, message: str, *, now: datetime) -> None:
    """Send ``message``. Raises ``WireError`` (TooManyRequestsException) where one was sent just before."""
    digits = "".join(filter(str.isdigit, pool_user.phone_number))
    for whom in (f"number {digits}", f"user {pool_user.user_id}"):
        if not spent.pause(f"text message to {whom}", until=now + PAUSE, now=now):
            raise errors.too_many_requests()
    sender = get_sender()
    assert sender is not None  # nobody is offered a code by text message without
    sender(pool_user.phone_number, message)


def console(phone_number: str, message: str) -> None:
    """Print the message, for a demonstration."""
    sys.stdout.write(f"Text message to {phone_number}: {message}\n")


outbox: list[tuple[str, str]] = []


def remember(phone_number: str, message: str) -> None:
    """Append the message to ``outbox``, for tests."""
    outbox.append((phone_number, message))
