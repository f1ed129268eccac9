"""Guessing protection of the endpoint: after five wrong guesses in a row each further one waits, longer and longer.

It counts by what was guessed at, not by who exists, so that unknown users look like known ones. Django's
``user_login_failed`` goes out as well, for whatever else the site uses.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.db.models import F

from trusted_devices import database
from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import FailedAttempts, UserPool
from trusted_devices.conf import secret_keys

FREE = 5
LONGEST_WAIT = timedelta(minutes=15)


def password_subject(pool: UserPool, username: str) -> str:
    """Return the key under which guesses at one user's password in one pool are counted."""
    return f"password\0{pool.pool_id}\0{username.casefold()}"


def code_subject(pool: UserPool, user_id: str) -> str:
    """Return the key under which guesses at one user's codes are counted."""
    return f"code\0{pool.pool_id}\0{user_id}"


def require_allowed(subject: str, *, now: datetime) -> None:
    """Raise ``WireError`` (NotAuthorizedException) while the next guess has to wait."""
    known = FailedAttempts.objects.filter(digest=_digest(subject)).first()
    if known is not None and known.failures >= FREE and now < known.last_failed_at + _wait(known.failures):
        raise errors.attempts_exceeded()


def failed(subject: str, *, now: datetime) -> None:
    """Count a wrong guess; the count begins anew after the longest wait."""
    digest = _digest(subject)
    recent = FailedAttempts.objects.filter(digest=digest, last_failed_at__gt=now - LONGEST_WAIT)
    if recent.update(failures=F("failures") + 1, last_failed_at=now):
        return
    if FailedAttempts.objects.filter(digest=digest).update(failures=1, last_failed_at=now):
        return
    try:
        with database.atomic():
            FailedAttempts.objects.create(digest=digest, failures=1, last_failed_at=now)
    except IntegrityError:
        recent.update(failures=F("failures") + 1, last_failed_at=now)


def succeeded(subject: str) -> None:
    """Forget the wrong guesses."""
    FailedAttempts.objects.filter(digest=_digest(subject)).delete()


def _wait(failures: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(failures - FREE, 16)), LONGEST_WAIT)


def _digest(subject: str) -> str:
    key = hashlib.sha256(b"cognito_idp attempts\0" + secret_keys()[0]).digest()
    return hmac.digest(key, subject.encode(), "sha256").hex()
