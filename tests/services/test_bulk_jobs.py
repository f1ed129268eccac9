"""Big acts that somebody does in the background."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from tests.broken_cache import CACHES, cache_away
from tests.factories import remembered
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.services import bulk, bulk_jobs
from trusted_devices.services.bulk import BulkKind
from trusted_devices.types import By, ClientInfo

taken = []


def take(job_id):
    """Remember the job for later."""
    taken.append(job_id)


def refuse(job_id):
    """Fail as a broker does that cannot be reached."""
    raise ConnectionError(job_id)


def use(settings, runner):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BULK_RUNNER": runner and f"{__name__}.{runner}"}


@pytest.fixture
def order(settings, user, other_user, monkeypatch):
    """Hand over the act of forgetting the user's seven devices."""
    monkeypatch.setattr(DeviceOwner, "batch_size", 2)
    taken.clear()
    use(settings, "take")
    expiry = timezone.now() + timedelta(days=9)
    for owner, count in ((user, 7), (other_user, 2)):
        Device.objects.bulk_create([remembered(owner, expires_at=expiry) for _ in range(count)])

    def hand_over(actor=other_user):
        chosen = Device.objects.filter(user=user).select_related("user").order_by("-pk")
        act = bulk.begin(BulkKind.FORGET, bulk.survey(chosen), note="left")
        client = ClientInfo(ip_address="203.0.113.9", user_agent="Desk", request=object())
        return bulk_jobs.hand_over(act, chosen, by=By(actor=actor, client=client))

    return hand_over


def test_without_a_runner_nobody_takes_it_on(settings, order):
    use(settings, None)
    assert order() is None
    assert taken == []


def test_a_job_is_done_share_by_share_and_can_be_followed(order, user, other_user):
    job_id = order()
    assert taken == [job_id]
    assert bulk_jobs.follow(job_id).act.seen == 0
    assert bulk_jobs.advance(job_id, batches=2) is True
    job = bulk_jobs.follow(job_id)
    assert (job.act.seen, job.act.total, job.is_over) == (4, 7, False)
    assert bulk_jobs.advance(job_id) is False
    assert bulk_jobs.follow(job_id).is_over
    assert set(Device.objects.all()) == set(Device.objects.filter(user=other_user))
    event = DeviceEvent.objects.first()
    assert (event.actor, event.note, event.ip_address, event.user_agent) == (other_user, "left", "203.0.113.0", "Desk")


def test_a_job_that_is_over_is_not_done_again(order):
    job_id = order()
    bulk_jobs.advance(job_id)
    done = DeviceEvent.objects.count()
    assert bulk_jobs.advance(job_id) is False
    assert DeviceEvent.objects.count() == done


def test_a_job_that_was_killed_goes_on(order, user):
    job_id = order()
    before = bulk_jobs.follow(job_id)
    bulk_jobs.advance(job_id, batches=1)
    bulk_jobs._keep(job_id, before)
    bulk_jobs.advance(job_id)
    assert not Device.objects.filter(user=user).exists()
    assert DeviceEvent.objects.count() == 7


def test_a_job_that_is_lost_changes_nothing_more(order, user):
    job_id = order()
    cache.clear()
    assert bulk_jobs.follow(job_id) is None
    assert bulk_jobs.advance(job_id) is False
    assert Device.objects.filter(user=user).count() == 7


def test_whoever_ordered_it_may_be_deleted_meanwhile(order, django_user_model):
    staff = django_user_model.objects.create_user("gone")
    job_id = order(actor=staff)
    staff.delete()
    bulk_jobs.advance(job_id)
    assert bulk_jobs.follow(job_id).is_over
    assert set(DeviceEvent.objects.values_list("actor", flat=True)) == {None}


def test_a_broker_that_cannot_be_reached_leaves_nothing_behind(settings, order, monkeypatch, caplog):
    use(settings, "refuse")
    assert order() is None
    assert "did not take on" in caplog.text


def test_a_cache_that_cannot_be_reached_is_as_good_as_no_runner(settings, order, caplog):
    settings.CACHES = CACHES
    with cache_away():
        assert order() is None
        assert bulk_jobs.follow("any") is None
    assert taken == []
    assert "secret" not in caplog.text


def test_a_job_waits_for_a_cache_that_cannot_be_reached(settings, order, user):
    settings.CACHES = CACHES
    job_id = order()
    with cache_away(), pytest.raises(ConnectionError):
        bulk_jobs.advance(job_id)
    assert Device.objects.filter(user=user).count() == 7
    assert bulk_jobs.advance(job_id) is False
    assert not Device.objects.filter(user=user).exists()


def test_a_job_that_no_worker_takes_up_does_not_move(order):
    job = bulk_jobs.follow(job_id := order())
    later = job.moved_at + bulk_jobs.STUCK_AFTER
    assert not job.is_stuck(timezone.now())
    assert job.is_stuck(later)
    bulk_jobs.advance(job_id, batches=1)
    assert not bulk_jobs.follow(job_id).is_stuck(later)
    bulk_jobs.advance(job_id)
    assert not bulk_jobs.follow(job_id).is_stuck(later + bulk_jobs.STUCK_AFTER)


def test_a_job_stops_between_two_batches_when_its_time_is_up(order):
    job_id = order()
    assert bulk_jobs.advance(job_id, seconds=0) is True
    assert bulk_jobs.follow(job_id).act.seen == 2


def test_what_stops_a_job_is_told(order, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "tests.services.owner.AWAY"}
    job_id = order()
    assert bulk_jobs.advance(job_id) is False
    job = bulk_jobs.follow(job_id)
    assert (job.failure, job.act.seen, job.is_over) == ("backend_unavailable", 0, True)
    assert Device.objects.count() == 9
