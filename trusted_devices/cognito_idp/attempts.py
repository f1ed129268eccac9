"""Guessing protection of the endpoint: after five wrong guesses in a row each further one waits, longer and longer.

It counts by what was guessed at, not by who exists, so that unknown users look like known ones, and for all pools
together, whose users and factors are the site's. What protects the site's own sign-in is asked before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import FailedAttempts
from trusted_devices.cognito_idp.sealed import keyed_digest
from trusted_devices.exceptions import TooManyAttempts, TrustedDevicesError
from trusted_devices.types import By
from trusted_devices.web import throttling

FREE = 5
LONGEST_WAIT = timedelta(minutes=15)
TRIES = 2 * FREE
"""How often a count begins anew because another guess was counted meanwhile: more than are let through at once."""


@dataclass(slots=True)
class Guess:
    """One guess that is being looked at; whoever finds it wrong says so here."""

    wrong: bool = False


@contextmanager
def guess(subject: str, username: str, *, by: By) -> Iterator[Guess]:
    """Look at a guess within. It is counted before, so that many at once are no more than one after the other.

    A right one takes the earlier ones back, and an answer that says nothing of it (a form, a clock, a disabled user)
    takes back itself. Raises ``WireError`` (NotAuthorizedException) while the next guess has to wait.
    """
    try:
        throttling.ensure_allowed(by.client.request, username)
    except TooManyAttempts:
        raise errors.attempts_exceeded() from None
    count(subject, now=by.at)
    made = Guess()
    try:
        yield made
    except (errors.WireError, TrustedDevicesError):
        if not made.wrong:
            FailedAttempts.objects.filter(digest=_digest(subject), failures__gt=0).update(failures=F("failures") - 1)
        raise
    FailedAttempts.objects.filter(digest=_digest(subject)).delete()


def password_subject(username: str) -> str:
    """Return the key under which guesses at one user's password are counted."""
    return f"password\0{username.casefold()}"


def code_subject(user_id: object) -> str:
    """Return the key under which guesses at one user's codes are counted."""
    return f"code\0{user_id}"


def count(subject: str, *, now: datetime) -> None:
    """Count one guess; the count begins anew after the longest wait. Raises ``WireError`` where it has to wait."""
    digest = _digest(subject)
    for _try in range(TRIES):
        known, _made = FailedAttempts.objects.get_or_create(
            digest=digest, defaults={"failures": 0, "last_failed_at": now}
        )
        failures = known.failures if now < known.last_failed_at + LONGEST_WAIT else 0
        if failures >= FREE and now < known.last_failed_at + _wait(failures):
            break
        unchanged = FailedAttempts.objects.filter(
            pk=known.pk, failures=known.failures, last_failed_at=known.last_failed_at
        )
        if unchanged.update(failures=failures + 1, last_failed_at=now):
            return
    raise errors.attempts_exceeded()


def _wait(failures: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(failures - FREE, 16)), LONGEST_WAIT)


def _digest(subject: str) -> str:
    return keyed_digest("attempts", subject).hex()
