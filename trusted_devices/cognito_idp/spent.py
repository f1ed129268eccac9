"""What is good once (sessions, secret blocks), or once in a while: a note of it is kept until it is of no more use.

Nothing is stored before, so that sign-ins that are only begun cost no rows.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.db import IntegrityError

from trusted_devices import database
from trusted_devices.cognito_idp.models import SpentToken


def spend(text: str, *, expires: float, now: datetime) -> bool:
    """Use up a session or secret block; return whether this was the first to do so."""
    try:
        with database.atomic():
            SpentToken.objects.create(digest=_digest(text), expires_at=max(datetime.fromtimestamp(expires, UTC), now))
    except IntegrityError:
        return False
    return True


def pause(what: str, *, until: datetime, now: datetime) -> bool:
    """Let ``what`` not happen again before ``until``; return whether it may happen now."""
    rested = SpentToken.objects.filter(digest=_digest(what), expires_at__lte=now)
    return bool(rested.update(expires_at=until)) or spend(what, expires=until.timestamp(), now=now)


def is_spent(text: str) -> bool:
    """Return whether a session or secret block has been used up."""
    return SpentToken.objects.filter(digest=_digest(text)).exists()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
