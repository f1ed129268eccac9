"""The sweep: what it flips and logs, what it costs, and how it shares the work with others."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import Error, connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.broken_database import broken
from trusted_devices import signals
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import expiry, sessions

SECOND = timedelta(seconds=1)


def sweep(now, batch_size=expiry.BATCH_SIZE):
    return list(expiry.expire_due(now=now, batch_size=batch_size))


def statuses():
    return dict(Device.objects.values_list("pk", "status"))


def test_a_device_is_flipped_on_the_very_moment_of_its_expiry_and_not_before(user, now):
    [device] = factories.store_due(user, 1, now=now)
    assert sweep(now - SECOND / 1_000_000) == []
    assert sweep(now) == [1]
    device.refresh_from_db()
    assert (device.status, device.status_reason) == ("not_remembered", "expired")
    assert device.status_changed_at == device.modified_at == now


def disable(user):
    """Disable an account past the signals of its model."""
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)


def test_a_disabled_account_loses_its_trust_and_sessions_with_the_next_sweep(user, other_user, client, now):
    device, _ = factories.store_trusted(user, 2, now=now)
    [kept] = factories.store_trusted(other_user, 1, now=now)
    client.session.save()
    sessions.attach(device=device, session_key=client.session.session_key, now=now)
    disable(user)
    assert list(expiry.sweep(now=now, batch_size=1)) == [1, 1]
    assert Device.objects.remembered().get() == kept
    assert set(Device.objects.of(user).values_list("status_reason", flat=True)) == {"account_disabled"}
    assert not DeviceSession.objects.exists()
    assert list(expiry.sweep(now=now)) == []


def test_users_who_cannot_be_disabled_are_looked_at_by_nobody(now, monkeypatch):
    monkeypatch.setattr(expiry, "get_user_model", lambda: Group)
    assert list(expiry.end_disabled(now=now)) == []


def test_what_trust_was_given_stays_on_record(user, now):
    [before] = factories.store_due(user, 1, now=now)
    sweep(now)
    after = Device.objects.get()
    kept = ("trust_granted_at", "trust_period", "trust_expires_at", "device_key", "last_authenticated_at")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


def test_only_remembered_devices_that_are_due_are_flipped(user, now):
    trusted = factories.store_trusted(user, 3, now=now)
    factories.store_expired(user, 3, now=now)
    undated = factories.remembered(user, expires_at=now, trust_expires_at=None)
    undated.save()
    factories.store_due(user, 2, now=now)
    assert sweep(now) == [2]
    remembered = {pk for pk, status in statuses().items() if status == "remembered"}
    assert remembered == {device.pk for device in (*trusted, undated)}


def test_each_flip_is_logged_and_announced_once(user, now, django_capture_on_commit_callbacks):
    stored = factories.store_due(user, 5, now=now)
    announced = []

    def note(sender, device, **kwargs):
        announced.append((device.pk, device.status, Device.objects.get(pk=device.pk).status))

    signals.device_expired.connect(note)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            sweep(now, batch_size=2)
            sweep(now)
    finally:
        signals.device_expired.disconnect(note)
    assert announced == [(device.pk, "not_remembered", "not_remembered") for device in stored]
    logged = DeviceEvent.objects.order_by("pk").values_list("device", "user", "action", "reason", "created_at")
    assert list(logged) == [(device.pk, user.pk, "expired", "expired", now) for device in stored]


def test_a_receiver_that_fails_harms_nothing(user, now, caplog, django_capture_on_commit_callbacks):
    factories.store_due(user, 2, now=now)

    def fail(**kwargs):
        raise RuntimeError("out of order")

    signals.device_expired.connect(fail)
    try:
        with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
            assert sweep(now) == [2]
    finally:
        signals.device_expired.disconnect(fail)
    assert len([record for record in caplog.records if "Error calling" in record.message]) == 2


@pytest.mark.parametrize(("due", "batches"), [(0, []), (1, [1]), (4, [4]), (5, [4, 1]), (8, [4, 4]), (9, [4, 4, 1])])
def test_the_work_is_cut_into_batches_oldest_expiry_first(user, now, due, batches):
    stored = factories.store_due(user, due, now=now)
    sizes = []
    for size in expiry.expire_due(now=now, batch_size=4):
        sizes.append(size)
        flipped = {pk for pk, status in statuses().items() if status == "not_remembered"}
        assert flipped == {device.pk for device in stored[: sum(sizes)]}
    assert sizes == batches
    assert DeviceEvent.objects.count() == due


def test_many_devices_with_the_very_same_expiry_are_all_flipped(user, now):
    Device.objects.bulk_create([factories.remembered(user, expires_at=now) for _ in range(10)])
    assert sweep(now, batch_size=3) == [3, 3, 3, 1]


def test_the_count_of_due_devices_is_what_a_sweep_would_flip(user, now):
    factories.store_due(user, 3, now=now)
    factories.store_trusted(user, 2, now=now)
    assert expiry.count_due(now) == 3
    sweep(now)
    assert expiry.count_due(now) == 0


@pytest.mark.django_db(transaction=True)
def test_when_nothing_is_due_one_query_says_so(user, now):
    factories.store_trusted(user, 3, now=now)
    factories.store_expired(user, 3, now=now)
    with CaptureQueriesContext(connection) as queries:
        assert sweep(now) == []
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(user, now):
    counts = []
    for size in (2, 40):
        factories.store_due(user, size, now=now)
        with CaptureQueriesContext(connection) as queries:
            assert sweep(now, batch_size=100) == [size]
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 7


def test_a_database_that_fails_leaves_the_batch_as_it_was(user, now):
    factories.store_due(user, 5, now=now)
    batches = expiry.expire_due(now=now, batch_size=2)
    assert next(batches) == 2
    with broken("^UPDATE .trusted_devices_device"), pytest.raises(Error):
        next(batches)
    assert list(statuses().values()).count("not_remembered") == DeviceEvent.objects.count() == 2
    assert sweep(now) == [3]
    assert DeviceEvent.objects.values("device").distinct().count() == DeviceEvent.objects.count() == 5
