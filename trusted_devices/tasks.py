"""Celery tasks: the sweep and the retention of the activity log. Callers of ``services`` and nothing more.

Put ``CELERY_BEAT_SCHEDULE = beat_schedule()`` into your Celery configuration. Sites without Celery run the commands
``expire_devices``, ``prune_device_events`` (this module's ``prune_events``) and ``sync_devices`` instead.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from trusted_devices.owners import get_owner
from trusted_devices.services import bulk_jobs, comparison, expiry, retention
from trusted_devices.web import mail_runner

try:
    from celery import shared_task
    from celery.signals import worker_process_shutdown
except ImportError as error:
    raise ImproperlyConfigured(
        "trusted_devices.tasks needs Celery, which the extra brings: pip install django-device-trust[celery]. "
        "Without it, run `manage.py expire_devices` and `manage.py prune_device_events` from cron."
    ) from error

logger = logging.getLogger(__name__)

Batch = TypeVar("Batch")

RUN_SECONDS = 240
"""A run stops between two batches after this long. What is left is the next run's, so no backlog holds up a worker."""
SOFT_TIME_LIMIT = 300
TIME_LIMIT = 330


@shared_task(
    name="trusted_devices.tasks.expire_devices",
    acks_late=True,
    ignore_result=True,
    soft_time_limit=SOFT_TIME_LIMIT,
    time_limit=TIME_LIMIT,
)
def expire_devices(batch_size: int = expiry.BATCH_SIZE) -> dict[str, int]:
    """Make the devices whose trust has ended not remembered; return ``{"expired": how many}``.

    Those of disabled accounts are among them. Safe to run twice at once and to kill at any moment.
    """
    batches = expiry.sweep(now=timezone.now(), batch_size=batch_size)
    return {"expired": sum(_while_time_lasts(batches))}


@shared_task(
    name="trusted_devices.tasks.prune_events",
    acks_late=True,
    ignore_result=True,
    soft_time_limit=SOFT_TIME_LIMIT,
    time_limit=TIME_LIMIT,
)
def prune_events(batch_size: int = retention.BATCH_SIZE) -> dict[str, int]:
    """Delete what the activity log has kept for longer than ``EVENT_RETENTION``, notes of ended sessions, dead devices.

    Return ``{"pruned": how many entries, "sessions": how many notes, "devices": how many}``.
    """
    deleted: Counter[retention.Kind] = Counter()
    for kind, count in _while_time_lasts(retention.prune(now=timezone.now(), batch_size=batch_size)):
        deleted[kind] += count
    kinds = {"pruned": retention.Kind.ENTRIES, "sessions": retention.Kind.SESSIONS, "devices": retention.Kind.DEVICES}
    return {name: deleted[kind] for name, kind in kinds.items()}


@shared_task(
    name="trusted_devices.tasks.sync_devices",
    acks_late=True,
    ignore_result=True,
    soft_time_limit=SOFT_TIME_LIMIT,
    time_limit=TIME_LIMIT,
)
def sync_devices(max_age_hours: float = 24) -> dict[str, int]:
    """Compare the devices of users whose last comparison is older with the user pool, and mend what differs.

    Return ``{"compared": how many users, "drift": how many devices}``. What a run does not get to is the next one's.
    """
    now = timezone.now()
    found = comparison.compare(since=now - timedelta(hours=max_age_hours), now=now)
    drift = [len(compared.drift) for compared in _while_time_lasts(found)]
    return {"compared": len(drift), "drift": sum(drift)}


@shared_task(
    name="trusted_devices.tasks.run_bulk_operation",
    acks_late=True,
    reject_on_worker_lost=True,
    acks_on_failure_or_timeout=False,
    ignore_result=True,
    soft_time_limit=SOFT_TIME_LIMIT,
    time_limit=TIME_LIMIT,
    autoretry_for=(Exception,),
    max_retries=20,
    retry_backoff=5,
    retry_backoff_max=240,
)
def run_bulk_operation(job_id: str) -> None:
    """Do a share of what staff ordered for many devices, and order the rest.

    Whether its process is killed, its time is up, or database, cache or broker fail for an hour: it goes on.
    """
    if bulk_jobs.advance(job_id, seconds=RUN_SECONDS):
        start_bulk_operation(job_id)


def start_bulk_operation(job_id: str) -> None:
    """Have a worker do the job: ``TRUSTED_DEVICES = {"BULK_RUNNER": "trusted_devices.tasks.start_bulk_operation"}``."""
    run_bulk_operation.delay(job_id)


@shared_task(
    name="trusted_devices.tasks.send_mail",
    acks_late=True,
    reject_on_worker_lost=True,
    ignore_result=True,
    soft_time_limit=SOFT_TIME_LIMIT,
    time_limit=TIME_LIMIT,
    autoretry_for=(mail_runner.MailServerAway,),
    max_retries=20,
    retry_backoff=5,
    retry_backoff_max=240,
)
def send_mail(letter: mail_runner.Letter) -> None:
    """Send a mail. While there is no mail server, it is tried again for about an hour."""
    try:
        mail_runner.deliver(letter)
    except mail_runner.MailServerAway:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a backend raises may quote the address
        logger.error("A mail could not be sent (%s).", type(error).__name__)  # noqa: TRY400


def start_mail(letter: mail_runner.Letter) -> None:
    """Have a worker send a mail: ``TRUSTED_DEVICES = {"MAIL_RUNNER": "trusted_devices.tasks.start_mail"}``."""
    unseen: Any = {"argsrepr": "(a mail)"}  # what those read who watch the queues
    send_mail.apply_async((letter,), retry_policy={"max_retries": 1, "interval_start": 0}, **unseen)


def beat_schedule(
    *,
    expire_every: timedelta = timedelta(minutes=5),
    prune_every: timedelta = timedelta(days=1),
    sync_every: timedelta = timedelta(minutes=15),
) -> dict[str, dict[str, Any]]:
    """Return the entries to merge into ``CELERY_BEAT_SCHEDULE``.

    Trust ends on its date whether or not the sweep has run; how often it runs only decides how soon the status and
    the activity log say so. An order that no worker has taken by the time of the next one expires. Devices are
    compared (``sync_every``) only where their owner has a list of its own.
    """
    orders: list[tuple[Any, timedelta]] = [(expire_devices, expire_every), (prune_events, prune_every)]
    if get_owner().has_own_list:
        orders.append((sync_devices, sync_every))
    return {
        task.name: {"task": task.name, "schedule": every, "options": {"expires": every.total_seconds()}}
        for task, every in orders
    }


@worker_process_shutdown.connect
def _finish_mails(**_: Any) -> None:
    """Processes of a prefork pool end without what others do at their exit."""
    mail_runner.drain()


def _while_time_lasts(batches: Iterator[Batch]) -> Iterator[Batch]:
    deadline = time.monotonic() + RUN_SECONDS
    for batch in batches:
        yield batch
        if time.monotonic() >= deadline:
            return
