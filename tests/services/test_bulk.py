"""Acts on many devices, batch by batch."""

from datetime import timedelta

import pytest

from tests.factories import remembered
from trusted_devices.exceptions import InvalidExpiry
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.services import bulk, sessions
from trusted_devices.services.bulk import BulkKind, BulkOperation, Touched
from trusted_devices.types import By

DAY = timedelta(days=1)


@pytest.fixture
def soon(now):
    """A day ahead."""
    return now + DAY


def store(user, count, expires_at, **fields):
    return Device.objects.bulk_create([remembered(user, expires_at=expires_at, **fields) for _ in range(count)])


def finish(act, chosen, **by):
    steps = 0
    while not act.finished:
        act = bulk.step(act, chosen, by=By(**by))
        steps += 1
    return act, steps


def test_a_survey_counts_devices_users_and_sessions(user, other_user, now, soon):
    first, second = store(user, 2, soon)
    (third,) = store(other_user, 1, soon + DAY, status="not_remembered")
    for key in ("a", "b"):
        sessions.attach(device=first, session_key=key, now=now)
    sessions.attach(device=third, session_key="c", now=now)
    assert bulk.survey(Device.objects.all()) == Touched(
        devices=3, remembered=2, users=2, sessions=3, newest=third.pk, latest_expiry=soon
    )
    assert bulk.survey(Device.objects.filter(pk=second.pk)).sessions == 0


def test_a_survey_of_nothing_is_all_zero(db):
    assert bulk.survey(Device.objects.all()) == Touched(
        devices=0, remembered=0, users=0, sessions=0, newest=None, latest_expiry=None
    )


@pytest.mark.parametrize(("count", "steps"), [(0, 1), (1, 1), (2, 1), (3, 2), (6, 3), (7, 3)])
def test_an_act_is_done_in_batches(user, soon, monkeypatch, count, steps):
    monkeypatch.setattr(DeviceOwner, "batch_size", 3)
    store(user, count, soon)
    everything = Device.objects.all()
    act, taken = finish(bulk.begin(BulkKind.FORGET, bulk.survey(everything), note="n"), everything)
    assert (act.seen, act.changed, act.total) == (count, count, count)
    assert taken == steps
    assert not Device.objects.exists()
    assert DeviceEvent.objects.filter(note="n").count() == count


def test_an_operation_goes_on_though_its_devices_no_longer_match(user, soon, monkeypatch):
    monkeypatch.setattr(DeviceOwner, "batch_size", 2)
    store(user, 5, soon)
    act, _steps = finish(bulk.begin(BulkKind.STOP_TRUSTING, bulk.survey(remembered_ones())), remembered_ones())
    assert act.changed == 5
    assert not remembered_ones().exists()


def remembered_ones():
    return Device.objects.remembered()


def test_devices_that_come_later_stay_untouched(user, soon):
    store(user, 2, soon)
    act = bulk.begin(BulkKind.FORGET, bulk.survey(Device.objects.all()))
    later = store(user, 1, soon)
    finish(act, Device.objects.all())
    assert list(Device.objects.all()) == later


def test_a_batch_that_is_done_twice_changes_nothing_more(user, soon):
    store(user, 2, soon)
    act = bulk.begin(BulkKind.STOP_TRUSTING, bulk.survey(Device.objects.all()))
    assert bulk.step(act, Device.objects.all(), by=By(actor=None)).changed == 2
    assert bulk.step(act, Device.objects.all(), by=By(actor=None)).changed == 0
    assert DeviceEvent.objects.count() == 2


@pytest.mark.parametrize("ahead", [-DAY, timedelta(0), DAY, 2 * DAY])
def test_trust_is_only_ever_shortened_to_a_moment_in_the_future(user, now, soon, ahead):
    store(user, 1, soon)
    with pytest.raises(InvalidExpiry):
        bulk.begin(BulkKind.SHORTEN_TRUST, bulk.survey(Device.objects.all()), until=now + ahead, now=now)


def test_shortening_needs_a_date(user, soon):
    store(user, 1, soon)
    touched = bulk.survey(Device.objects.all())
    with pytest.raises(InvalidExpiry):
        bulk.begin(BulkKind.SHORTEN_TRUST, touched)
    with pytest.raises(InvalidExpiry):
        bulk.step(
            BulkOperation(kind=BulkKind.SHORTEN_TRUST, newest=touched.newest, total=1),
            Device.objects.all(),
            by=By(actor=None),
        )


def test_shortening_touches_only_what_would_last_longer(user, now, soon):
    until = soon + DAY
    (sooner,) = store(user, 1, soon)
    (later,) = store(user, 1, soon + 5 * DAY)
    act = bulk.begin(BulkKind.SHORTEN_TRUST, bulk.survey(Device.objects.all()), until=until, now=now)
    act, _steps = finish(act, Device.objects.all(), at=now)
    assert (act.seen, act.changed) == (2, 1)
    assert Device.objects.get(pk=sooner.pk).trust_expires_at == soon
    assert Device.objects.get(pk=later.pk).trust_expires_at == until


def test_reading_by_batches_yields_every_device_once_newest_first(user, soon, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(bulk, "READ_SIZE", 2)
    stored = store(user, 5, soon)
    with django_assert_num_queries(3):
        found = list(bulk.newest_first(Device.objects.all()))
    assert found == stored[::-1]
