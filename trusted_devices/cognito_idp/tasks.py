"""Celery task: deleting what the endpoint no longer needs. Without Celery: the command of the same name."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from trusted_devices.cognito_idp import housekeeping

RUN_SECONDS = 240
"""A run stops between two batches after this long; what is left is the next run's."""


@shared_task(
    name="trusted_devices.cognito_idp.tasks.clear_cognito_idp",
    acks_late=True,
    ignore_result=True,
    soft_time_limit=300,
    time_limit=330,
)
def clear_cognito_idp(batch_size: int = housekeeping.BATCH_SIZE) -> dict[str, int]:
    """Delete expired sessions, sign-ins and keys; return ``{"deleted": how many}``. Safe to run twice at once."""
    deadline, deleted = time.monotonic() + RUN_SECONDS, 0
    for count in housekeeping.clear_expired(now=timezone.now(), batch_size=batch_size):
        deleted += count
        if time.monotonic() >= deadline:
            break
    return {"deleted": deleted}


def beat_schedule(*, clear_every: timedelta = timedelta(hours=1)) -> dict[str, dict[str, Any]]:
    """Return the entry to merge into ``CELERY_BEAT_SCHEDULE``."""
    name, options = clear_cognito_idp.name, {"expires": clear_every.total_seconds()}
    return {name: {"task": name, "schedule": clear_every, "options": options}}
