"""Sending codes by text message: a function ``(phone_number, message)`` that ``SMS_SENDER`` names."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.utils.module_loading import import_string

from trusted_devices.cognito_idp import conf

Sender = Callable[[str, str], None]


def get_sender() -> Sender | None:
    """Return the site's sender, ``None`` where there is none."""
    path = conf.get_options().SMS_SENDER
    if path is None:
        return None
    sender: Sender = import_string(path)
    return sender


def console(phone_number: str, message: str) -> None:
    """Print the message, for a demonstration."""
    sys.stdout.write(f"Text message to {phone_number}: {message}\n")


outbox: list[tuple[str, str]] = []


def remember(phone_number: str, message: str) -> None:
    """Append the message to ``outbox``, for tests."""
    outbox.append((phone_number, message))
