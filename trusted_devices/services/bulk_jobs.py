"""Handing a bulk operation over to a background worker, and following it from any process.

The setting ``BULK_RUNNER`` names a function that takes the id of a job and sees to it that :func:`advance` is called
until nothing is left, as ``trusted_devices.tasks.start_bulk_operation`` does by Celery. The job lives in Django's
default cache, which all processes must share then. A job that is lost with the cache leaves whole batches behind: what
it had not reached is simply done again.
"""

from __future__ import annotations

import dataclasses
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.cache import cache
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An act in the background. ``query`` finds its devices again; ``failure`` is the code of what stopped it."""

    act: BulkOperation
    query: Any
    actor_id: Any
    client: ClientInfo
    failure: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.act.finished or bool(self.failure)


def hand_over(act: BulkOperation, chosen: DeviceQuerySet[Device], *, by: By) -> str | None:
    """Have the act done in the background; return the job's id, or ``None`` if nobody takes it on."""
    path = conf.get_settings().BULK_RUNNER
    if path is None:
        return None
    job_id = str(uuid.uuid4())
    client = dataclasses.replace(by.client, request=None)
    actor_id = by.actor.pk if by.actor is not None else None
    _keep(job_id, Job(act=act, query=chosen.query, actor_id=actor_id, client=client))
    try:
        import_string(path)(job_id)
    except Exception:  # whatever keeps a broker from taking it, the caller can still do the work itself
        cache.delete(_cache_key(job_id))
        logger.exception("The background did not take on a bulk act.")
        return None
    return job_id


def follow(job_id: str) -> Job | None:
    """Return the job as it stands; ``None`` if there is none, or none any more."""
    job: Job | None = cache.get(_cache_key(job_id))
    return job


def advance(job_id: str, *, batches: int | None = None) -> bool:
    """Do some batches of the job; return whether more are left. Safe to repeat after a crash."""
    job = follow(job_id)
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
    return True


def _keep(job_id: str, job: Job) -> None:
    cache.set(_cache_key(job_id), job, KEEP_SECONDS)


def _cache_key(job_id: str) -> str:
    return f"trusted_devices:bulk_operation:{job_id}"
