"""Deleting rows that are of no use any more (used sessions, old counts, ended sign-ins), and whole pools."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from trusted_devices.cognito_idp.attempts import LONGEST_WAIT
from trusted_devices.cognito_idp.models import (
    FailedAttempts,
    PendingDeviceProof,
    RefreshToken,
    SigningKey,
    SpentToken,
    UserPool,
)
from trusted_devices.models import Device
from trusted_devices.services import devices
from trusted_devices.types import Binding, By

BATCH_SIZE = 1000
KEPT_AFTER_REVOCATION = timedelta(days=1)
"""An access token outlives its sign-in by this much at most; until then the answer says why it is refused."""


def clear_expired(*, now: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Delete rows that are of no use any more, a batch at a time; yield how many rows each batch deleted.

    The tables take turns, so that a run that is cut short has done some of each.
    """
    over = Q(expires_at__lte=now) | Q(revoked_at__lte=now - KEPT_AFTER_REVOCATION)
    useless: list[QuerySet[Any]] = [
        SpentToken.objects.filter(expires_at__lte=now),
        PendingDeviceProof.objects.filter(expires_at__lte=now),
        FailedAttempts.objects.filter(last_failed_at__lte=now - LONGEST_WAIT),
        RefreshToken.objects.filter(over),
        SigningKey.objects.filter(published_until__lte=now),
    ]
    while useless:
        for rows in tuple(useless):
            if keys := list(rows.values_list("pk", flat=True)[:batch_size]):
                yield rows.filter(pk__in=keys).delete()[0]  # only what has not come into use again
            else:
                useless.remove(rows)


def delete_pool(pool: UserPool, *, by: By, batch_size: int = BATCH_SIZE) -> None:
    """Delete a pool and forget its devices, which could not sign in anywhere else. The users are the site's."""
    own = Device.objects.filter(device_group_key=pool.device_group_key, binding=Binding.SRP)
    while batch := list(own[:batch_size]):
        devices.forget(batch, by=dataclasses.replace(by, note="user pool deleted"))
    pool.delete()
