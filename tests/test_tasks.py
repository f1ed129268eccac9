"""The Celery tasks: what they are called, what they call, and that a real worker runs them."""

import json
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest
import redis
from django.db import OperationalError
from django.utils import timezone

from tests import factories
from tests.broken_database import interrupted
from tests.shared_database import eventually, running
from trusted_devices import tasks
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import bulk, bulk_jobs, sessions
from trusted_devices.services.bulk import BulkKind
from trusted_devices.types import ClientInfo, EventAction


@pytest.fixture
def due(user):
    return factories.store_due(user, 7, now=timezone.now() - timedelta(minutes=1))


def test_the_sweep_flips_what_is_due_and_counts_it(due):
    assert json.dumps(tasks.expire_devices(batch_size=3)) == '{"expired": 7}'
    assert json.dumps(tasks.expire_devices()) == '{"expired": 0}'
    assert not Device.objects.remembered().exists()


def test_the_log_is_pruned_by_its_retention(user, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "EVENT_RETENTION": timedelta(days=30)}
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=timezone.now() - timedelta(days=age))
        for age in (0, 29, 31, 300)
    )
    assert tasks.prune_events() == {"pruned": 2, "sessions": 0, "devices": 0}
    assert tasks.prune_events() == {"pruned": 0, "sessions": 0, "devices": 0}


def test_notes_of_sessions_that_ended_go_with_the_log(due):
    long_ago = timezone.now() - timedelta(days=400)
    sessions.attach(device=due[0], session_key="ended-long-ago", now=long_ago)
    assert tasks.prune_events() == {"pruned": 0, "sessions": 1, "devices": 0}


def test_a_run_stops_between_two_batches_when_its_time_is_up(due, monkeypatch):
    monkeypatch.setattr(tasks, "RUN_SECONDS", 0)
    assert [tasks.expire_devices(batch_size=3)["expired"] for _ in range(4)] == [3, 3, 1, 0]


@pytest.mark.parametrize("task", [tasks.expire_devices, tasks.prune_events, tasks.sync_devices])
def test_a_task_has_a_settled_name_and_survives_a_killed_worker(task):
    assert task.name == f"trusted_devices.tasks.{task.__name__}"
    assert (task.acks_late, task.ignore_result) == (True, True)
    assert tasks.RUN_SECONDS < task.soft_time_limit < task.time_limit


def test_a_bulk_act_is_not_given_up_when_its_worker_is_lost_or_late():
    task = tasks.run_bulk_operation
    assert (task.acks_late, task.reject_on_worker_lost, task.acks_on_failure_or_timeout) == (True, True, False)
    assert tasks.RUN_SECONDS < task.soft_time_limit < task.time_limit


def test_a_bulk_act_is_tried_again_when_the_database_fails_on_the_way(due):
    def gone_away():
        raise OperationalError("The server closed the connection.")

    act = bulk.begin(BulkKind.FORGET, bulk.survey(Device.objects.all()))
    job_id = str(uuid.uuid4())
    bulk_jobs._keep(
        job_id, bulk_jobs.Job(act=act, query=Device.objects.all().query, actor_id=None, client=ClientInfo())
    )
    with interrupted("^DELETE FROM .trusted_devices_device.", gone_away):
        tasks.run_bulk_operation.apply([job_id])
    assert bulk_jobs.follow(job_id).act.finished
    assert not Device.objects.exists()


def test_the_beat_schedule_orders_each_task_and_lets_stale_orders_lapse():
    schedule = tasks.beat_schedule(expire_every=timedelta(seconds=30))
    assert schedule == {
        "trusted_devices.tasks.expire_devices": {
            "task": "trusted_devices.tasks.expire_devices",
            "schedule": timedelta(seconds=30),
            "options": {"expires": 30.0},
        },
        "trusted_devices.tasks.prune_events": {
            "task": "trusted_devices.tasks.prune_events",
            "schedule": timedelta(days=1),
            "options": {"expires": 86400.0},
        },
    }


def test_without_celery_the_import_says_what_to_install():
    program = """
import sys
sys.modules["celery"] = None
import django
django.setup()
import trusted_devices.tasks
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "ImproperlyConfigured: trusted_devices.tasks needs Celery" in ended.stderr
    assert "pip install django-device-trust[celery]" in ended.stderr


@pytest.fixture(params=["files", pytest.param("redis", marks=pytest.mark.redis)])
def broker(request, tmp_path, settings):
    """The environment that tells ``tests.celery_app`` of its broker."""
    if request.param == "files":
        yield {"TEST_BROKER_URL": "filesystem://", "TEST_BROKER_FOLDER": str(tmp_path / "broker")}
        return
    address, prefix = f"redis://{settings.REDIS_HOST}:{settings.REDIS_PORT}/0", f"{uuid.uuid4().hex}:"
    yield {"TEST_BROKER_URL": address, "TEST_BROKER_PREFIX": prefix}
    with redis.Redis.from_url(address) as server:
        server.delete(*server.scan_iter(f"{prefix}*"))


def test_a_real_worker_with_beat_flips_devices_as_they_fall_due(shared_database, user, broker, tmp_path):
    worker = ["celery", "--app", "tests.celery_app", "worker", "--pool", "solo", "--loglevel", "WARNING"]
    with running(*worker, "--beat", "--schedule", str(tmp_path / "beat"), environ=broker):
        for falls_due in (timezone.now() - timedelta(minutes=1), timezone.now() + timedelta(seconds=1)):
            factories.remembered(user, expires_at=falls_due).save()
            assert eventually(lambda: not Device.objects.remembered().exists())
    assert list(DeviceEvent.objects.values_list("action", flat=True)) == ["expired", "expired"]
