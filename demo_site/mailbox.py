"""Reads the mails that Django's file-based e-mail backend wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

SEPARATOR = b"-" * 79


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as the mailbox page shows it."""

    sent_at: datetime | None
    to: str
    subject: str
    text: str


def latest(folder: Path, count: int = 20) -> Sequence[Mail]:
    """Return the newest ``count`` mails in ``folder``, newest first."""
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    found: list[Mail] = []
    for file in files[:count]:
        parts = [part.strip() for part in file.read_bytes().split(SEPARATOR + b"\n")]
        found += (_mail(part) for part in reversed(parts) if part)
    return found[:count]


def _mail(raw: bytes) -> Mail:
    message = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
    body = message.get_body(preferencelist=("plain",))
    date = message["Date"]
    return Mail(
        sent_at=date.datetime if date else None,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=str(body.get_content()).strip() if body else "",
    )
