"""Handing a bulk operation over to a background worker, and following it from any process.

The setting ``BULK_RUNNER`` names a function that takes the id of a job and sees to it that :func:`advance` is called
until nothing is left, as ``trusted_devices.tasks.start_bulk_operation`` does by Celery. The job lives in Django's
default cache, which all processes must share then. A job that is lost with the cache leaves whole batches behind: what
it had not reached is simply done again. One whose worker was killed is done again from the last batch that was noted.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.utils import timezone
from django.utils.module_loading import import_string

from trusted_devices import conf
from trusted_devices.exceptions import TrustedDevicesError
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk
from trusted_devices.services.bulk import BulkOperation
from trusted_devices.types import By, ClientInfo

logger = logging.getLogger(__name__)

KEEP_SECONDS = 24 * 60 * 60
BATCHES_AT_A_TIME = 20
STUCK_AFTER = timedelta(minutes=5)
"""A batch takes seconds; a job that has not moved for so long has no worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An act in the background. ``query`` finds its devices again; ``failure`` is the code of what stopped it.

    ``moved_at`` is when it was ordered or when its last batch was done.
    """

    act: BulkOperation
    query: Any
    actor_id: Any
    client: ClientInfo
    failure: str = ""
    moved_at: datetime = field(default_factory=timezone.now)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.act.finished or bool(self.failure)

    def is_stuck(self, now: datetime) -> bool:
        """Whether something should have happened by now and has not."""
        return not self.is_over and now - self.moved_at >= STUCK_AFTER


def hand_over(act: BulkOperation, chosen: DeviceQuerySet[Device], *, by: By) -> str | None:
    """Have the act done in the background; return the job's id, or ``None`` if nobody takes it on.

    Then the caller does the work itself, be it the broker or the cache that cannot be reached.
    """
    path = conf.get_settings().BULK_RUNNER
    if path is None:
        return None
    job_id = str(uuid.uuid4())
    client = dataclasses.replace(by.client, request=None)
    actor_id = by.actor.pk if by.actor is not None else None
    try:
        _keep(job_id, Job(act=act, query=chosen.query, actor_id=actor_id, client=client))
        import_string(path)(job_id)
    except Exception as error:  # noqa: BLE001 - whatever the site's cache and broker raise
        logger.error("The background did not take on a bulk act (%s).", type(error).__name__)  # noqa: TRY400
        with suppress(Exception):
            cache.delete(_cache_key(job_id))
        return None
    return job_id


def follow(job_id: str) -> Job | None:
    """Return the job as it stands; ``None`` if there is none, none any more, or the cache cannot be reached."""
    try:
        return _read(job_id)
    except Exception as error:  # noqa: BLE001 - whatever the site's cache raises
        logger.warning("A bulk act cannot be followed (%s).", type(error).__name__)
        return None


def advance(job_id: str, *, batches: int | None = None, seconds: float = math.inf) -> bool:
    """Do some batches of the job, and none after so many seconds; return whether more are left.

    Safe to repeat after a crash or an error, among them whatever the cache raises.
    """
    deadline = time.monotonic() + seconds
    job = _read(job_id)
    if job is None or job.is_over:
        return False
    actor = get_user_model()._default_manager.filter(pk=job.actor_id).first()
    chosen = Device.objects.all()
    chosen.query = job.query
    for _ in range(batches or BATCHES_AT_A_TIME):
        try:
            job = dataclasses.replace(job, act=bulk.step(job.act, chosen, by=By(actor=actor, client=job.client)))
        except TrustedDevicesError as error:
            job = dataclasses.replace(job, failure=error.code)
        _keep(job_id, job)
        if job.is_over:
            return False
        if time.monotonic() >= deadline:
            break
    return True


def _read(job_id: str) -> Job | None:
    job: Job | None = cache.get(_cache_key(job_id))
    return job


def _keep(job_id: str, job: Job) -> None:
    cache.set(_cache_key(job_id), dataclasses.replace(job, moved_at=timezone.now()), KEEP_SECONDS)


def _cache_key(job_id: str) -> str:
    return f"trusted_devices:bulk_operation:{job_id}"
