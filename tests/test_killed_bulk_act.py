"""A worker that is killed in the middle of what staff ordered for many devices."""

import os
import signal
import subprocess
import uuid

import pytest
import redis
from celery import Celery
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from tests import factories
from tests.shared_database import eventually, running
from trusted_devices import tasks
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import bulk, bulk_jobs
from trusted_devices.services.bulk import BulkKind
from trusted_devices.types import By

DEVICES = 150


@pytest.fixture
def environ(settings, tmp_path):
    """A broker and a cache that this process shares with the worker."""
    folder = str(tmp_path / "cache")
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": folder}
    }
    address, prefix = f"redis://{settings.REDIS_HOST}:{settings.REDIS_PORT}/0", f"{uuid.uuid4().hex}:"
    yield {
        "TEST_BROKER_URL": address,
        "TEST_BROKER_PREFIX": prefix,
        "TEST_CACHE_FOLDER": folder,
        "TEST_BATCH_SIZE": "2",
    }
    with redis.Redis.from_url(address) as server:
        server.delete(*server.scan_iter(f"{prefix}*"))


def children_of(process):
    """The processes of a worker's pool."""
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.redis
def test_an_act_whose_worker_is_killed_goes_on_by_itself(shared_database, user, environ):
    factories.store_trusted(user, DEVICES, now=timezone.now())
    act = bulk.begin(BulkKind.FORGET, bulk.survey(Device.objects.all()))
    job_id = str(uuid.uuid4())
    job = bulk_jobs.Job(act=act, query=Device.objects.all().query, actor_id=None, client=By().client)
    bulk_jobs._keep(job_id, job)
    worker = ["celery", "--app", "tests.celery_app", "worker", "--concurrency", "1", "--loglevel", "CRITICAL"]
    with running(*worker, "--without-gossip", "--without-mingle", environ=environ) as process:
        with Celery(broker=environ["TEST_BROKER_URL"], set_as_current=False) as client:
            client.conf.broker_transport_options = {"global_keyprefix": environ["TEST_BROKER_PREFIX"]}
            client.send_task(tasks.run_bulk_operation.name, [job_id])
        assert eventually(lambda: bulk_jobs.follow(job_id).act.seen)
        # While the rows are held it cannot get any further, nor be done before it is killed.
        with transaction.atomic():
            left = len(Device.objects.select_for_update())
            assert left
            for child in children_of(process):
                os.kill(child, signal.SIGKILL)
        assert eventually(lambda: bulk_jobs.follow(job_id).is_over)
    assert not Device.objects.exists()
    assert DeviceEvent.objects.filter(action="forgotten").count() == DEVICES
    cache.clear()
