"""Sessions and secret blocks are good once. What has been used is remembered until it would have expired anyway.

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


def is_spent(text: str) -> bool:
    """Return whether a session or secret block has been used up."""
    return SpentToken.objects.filter(digest=_digest(text)).exists()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
