"""Celery task: clearing what the endpoint no longer needs. Without Celery: ``manage.py clear_cognito_idp``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from trusted_devices.cognito_idp import housekeeping


@shared_task(name="trusted_devices.cognito_idp.tasks.clear_expired", acks_late=True, ignore_result=True)
def clear_expired() -> dict[str, int]:
    """Delete expired sessions, sign-ins and keys; return ``{"deleted": how many}``. Safe to run twice at once."""
    return {"deleted": sum(housekeeping.clear_expired(now=timezone.now()))}


def beat_schedule(*, every: timedelta = timedelta(hours=1)) -> dict[str, dict[str, Any]]:
    """Return the entry to merge into ``CELERY_BEAT_SCHEDULE``."""
    options = {"expires": every.total_seconds()}
    return {clear_expired.name: {"task": clear_expired.name, "schedule": every, "options": options}}
