"""Big acts in the background, as staff see them."""

from contextlib import nullcontext

import pytest
from django.core.cache import cache
from django.utils import timezone

from tests.admin.conftest import make_devices, signed_in
from tests.broken_cache import CACHES, cache_away
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.services import bulk_jobs

LIST = "/admin/trusted_devices/device/"
started = []


def start(job_id):
    """Stand in for a worker that has not got round to it yet."""
    started.append(job_id)


@pytest.fixture
def ordered(settings, desk, user, monkeypatch):
    """Nine devices that are to be forgotten in the background, and the page that follows it."""
    monkeypatch.setattr("trusted_devices.admin.bulk_operations.BATCHES_PER_REQUEST", 2)
    monkeypatch.setattr(DeviceOwner, "batch_size", 3)
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BULK_RUNNER": f"{__name__}.start"}
    cache.clear()
    started.clear()
    devices = make_devices(user, 9)
    fields = {"action": "forget", "_selected_action": [devices[0].pk], "select_across": "1", "confirm": "1"}
    return desk.post(LIST, fields, follow=True)


def test_a_big_act_is_handed_over_and_followed(desk, ordered):
    url = ordered.request["PATH_INFO"]
    assert url == f"{LIST}act/{started[0]}/"
    assert "0 of 9 devices done" in ordered.content.decode()
    assert Device.objects.count() == 9
    bulk_jobs.advance(started[0], batches=1)
    assert "3 of 9 devices done" in desk.get(url).content.decode()
    assert "data-over" not in desk.get(url).content.decode()
    bulk_jobs.advance(started[0])
    text = desk.get(url).content.decode()
    assert "9 devices were forgotten." in text
    assert "data-over" in text


def test_an_act_that_no_worker_takes_up_says_so(desk, ordered, time_machine):
    time_machine.move_to(timezone.now() + bulk_jobs.STUCK_AFTER)
    page = desk.get(ordered.request["PATH_INFO"]).content.decode()
    assert "this has not moved" in page
    assert "you can leave this page" not in page


def refuse(job_id):
    """Fail as a broker does that cannot be reached."""
    raise ConnectionError(job_id)


@pytest.mark.parametrize("away", ["broker", "cache"])
def test_the_page_does_the_work_itself_while_nobody_takes_it_on(settings, desk, user, monkeypatch, away):
    monkeypatch.setattr("trusted_devices.admin.bulk_operations.BATCHES_PER_REQUEST", 2)
    monkeypatch.setattr(DeviceOwner, "batch_size", 3)
    settings.CACHES = CACHES
    runner = {"broker": "refuse", "cache": "start"}[away]
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BULK_RUNNER": f"{__name__}.{runner}"}
    devices = make_devices(user, 7)
    fields = {"action": "forget", "_selected_action": [devices[0].pk], "select_across": "1", "confirm": "1"}
    with cache_away() if away == "cache" else nullcontext():
        page = desk.post(LIST, fields)
    assert page.status_code == 200
    assert Device.objects.count() == 1
    assert page.context["act"].seen == 6


def test_a_page_that_cannot_follow_an_act_leads_back_with_a_word(settings, desk, ordered):
    settings.CACHES = CACHES
    with cache_away():
        response = desk.get(ordered.request["PATH_INFO"], follow=True)
    assert [str(message) for message in response.context["messages"]] == [
        "Nothing is known of this act now. What it has done is done."
    ]


def test_a_small_act_is_done_at_once(settings, desk, ordered, user):
    bulk_jobs.advance(started[0])
    (device,) = make_devices(user, 1)
    desk.post(LIST, {"action": "forget", "_selected_action": [device.pk], "confirm": "1"})
    assert len(started) == 1
    assert not Device.objects.exists()


def test_following_needs_the_permission_to_view_devices(ordered, help_desk):
    url = ordered.request["PATH_INFO"]
    assert signed_in(help_desk).get(url).status_code == 200
    help_desk.user_permissions.clear()
    assert signed_in(help_desk).get(url).status_code == 403


@pytest.mark.parametrize(
    ("job_id", "back"), [("00000000-0000-4000-8000-000000000000", LIST), ("x", "/admin/"), ("a b", "/admin/")]
)
def test_a_job_that_nobody_knows_leads_back_with_a_word(desk, job_id, back):
    response = desk.get(f"{LIST}act/{job_id}/", follow=True)
    assert response.request["PATH_INFO"] == back
    assert list(response.context["messages"])


@pytest.fixture
def eager_celery():
    """Celery that does what it is sent at once."""
    from celery import current_app

    before = current_app.conf.get("task_always_eager", False)
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = before


def test_celery_does_it_where_it_is_configured(settings, desk, user, eager_celery, monkeypatch):
    monkeypatch.setattr("trusted_devices.admin.bulk_operations.BATCHES_PER_REQUEST", 1)
    monkeypatch.setattr(DeviceOwner, "batch_size", 2)
    monkeypatch.setattr(bulk_jobs, "BATCHES_AT_A_TIME", 1)
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BULK_RUNNER": "trusted_devices.tasks.start_bulk_operation"}
    devices = make_devices(user, 7)
    fields = {"action": "stop_trusting", "_selected_action": [devices[0].pk], "select_across": "1", "confirm": "1"}
    response = desk.post(LIST, fields, follow=True)
    assert "7 devices are no longer remembered." in response.content.decode()
    assert DeviceEvent.objects.filter(action="not_remembered").count() == 7
