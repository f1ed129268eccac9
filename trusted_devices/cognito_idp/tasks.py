"""Celery task: deleting what the endpoint no longer needs. Without Celery: the command of the same name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from trusted_devices.cognito_idp import housekeeping


@shared_task(name="trusted_devices.cognito_idp.tasks.clear_cognito_idp", acks_late=True, ignore_result=True)
def clear_cognito_idp() -> dict[str, int]:
    """Delete expired sessions, sign-ins and keys; return ``{"deleted": how many}``. Safe to run twice at once."""
    return {"deleted": sum(housekeeping.clear_expired(now=timezone.now()))}


def beat_schedule(*, clear_every: timedelta = timedelta(hours=1)) -> dict[str, dict[str, Any]]:
    """Return the entry to merge into ``CELERY_BEAT_SCHEDULE``."""
    name, options = clear_cognito_idp.name, {"expires": clear_every.total_seconds()}
    return {name: {"task": name, "schedule": clear_every, "options": options}}
