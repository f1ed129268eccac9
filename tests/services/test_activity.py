"""The activity log: what it keeps, what it does not, and for how long."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.dispatch import Signal

from tests import factories
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import activity
from trusted_devices.types import By, ClientInfo, EventAction

DAY = timedelta(days=1)


@pytest.fixture
def device(user, now):
    return Device.objects.bulk_create([factories.remembered(user, expires_at=now + DAY)])[0]


def test_an_entry_says_who_did_what_to_which_device_and_from_where(user, other_user, device, client_info, now):
    activity.record(
        EventAction.FORGOTTEN,
        device=device,
        reason="why",
        by=By(actor=other_user, note="lost", client=client_info, at=now),
    )
    event = DeviceEvent.objects.get()
    assert (event.user, event.device, event.device_key, event.actor) == (user, device, device.device_key, other_user)
    assert (event.action, event.reason, event.note) == ("forgotten", "why", "lost")
    assert (event.ip_address, event.user_agent) == ("203.0.113.0", client_info.user_agent)
    assert event.created_at == now


def test_an_entry_without_a_device_is_its_users(user, now):
    activity.record(EventAction.SIGN_IN_FAILED, user=user, by=By(at=now))
    event = DeviceEvent.objects.get()
    assert (event.user, event.device, event.device_key) == (user, None, "")


def test_an_entry_outlives_its_device(device, now):
    activity.record(EventAction.CONFIRMED, device=device, by=By(at=now))
    device.delete()
    event = DeviceEvent.objects.get()
    assert (event.device, event.device_key) == (None, device.device_key)


def test_nobody_in_particular_is_nobody(device, now):
    activity.record(EventAction.EXPIRED, device=device, by=By(actor=AnonymousUser(), at=now))
    assert DeviceEvent.objects.get().actor is None


def test_notes_and_user_agents_are_kept_clean_and_short(device, now):
    client = ClientInfo(user_agent="a\x00" + "x" * 900)
    activity.record(EventAction.RENAMED, device=device, by=By(note="n\r\n" + "y" * 900, client=client, at=now))
    event = DeviceEvent.objects.get()
    assert (event.note, len(event.note)) == ("n " + "y" * 253, 255)
    assert (event.user_agent[:3], len(event.user_agent)) == ("a x", 512)


def test_an_entry_goes_when_its_transaction_fails(device, now):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        activity.record(EventAction.CONFIRMED, device=device, by=By(at=now))
        raise ZeroDivisionError
    assert not DeviceEvent.objects.exists()


def test_each_entry_is_a_line_of_the_log_on_one_line(device, user, now, caplog):
    with caplog.at_level(logging.INFO):
        activity.build(EventAction.EXPIRED, device=device, reason="expired", by=By(at=now))
        activity.build(EventAction.SIGN_IN_FAILED, user=user, by=By(at=now))
    assert [record.getMessage() for record in caplog.records] == [
        f"expired user={user.pk} device={device.device_key} reason=expired",
        f"sign_in_failed user={user.pk} device=- reason=-",
    ]


@pytest.mark.parametrize(
    ("address", "truncated", "full"),
    [
        ("203.0.113.77", "203.0.113.0", "203.0.113.77"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::", "2001:db8:1:2:3:4:5:6"),
        ("::ffff:203.0.113.77", "203.0.113.0", "203.0.113.77"),
        ("fe80::1%eth0", "fe80::", "fe80::1"),
        ("unix:", None, None),
        ("203.0.113.77:8080", None, None),
        ("1.2.3.4, 5.6.7.8", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_what_is_kept_of_a_network_address_is_the_sites_choice(settings, address, truncated, full):
    assert activity.stored_ip(address) == truncated
    settings.TRUSTED_DEVICES = {"STORED_IP": "full"}
    assert activity.stored_ip(address) == full
    settings.TRUSTED_DEVICES = {"STORED_IP": "none"}
    assert activity.stored_ip(address) is None


@pytest.fixture
def signal():
    return Signal()


def test_a_signal_is_sent_after_the_commit_with_the_device_model_as_sender(
    db, signal, django_capture_on_commit_callbacks
):
    heard = []
    signal.connect(lambda sender, **arguments: heard.append((sender, arguments["what"])), weak=False)
    with django_capture_on_commit_callbacks(execute=True):
        activity.announce(signal, what="news")
        assert heard == []
    assert heard == [(Device, "news")]


def test_a_signal_is_not_sent_when_nothing_was_committed(transactional_db, signal):
    heard = []
    signal.connect(lambda **arguments: heard.append(arguments), weak=False)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        activity.announce(signal)
        raise ZeroDivisionError
    assert heard == []


def test_a_receiver_that_fails_is_logged_and_keeps_nobody_else_from_hearing(
    db, signal, django_capture_on_commit_callbacks, caplog
):
    heard = []

    def fail(**_):
        raise ZeroDivisionError

    signal.connect(fail)
    signal.connect(lambda **arguments: heard.append(arguments), weak=False)
    with django_capture_on_commit_callbacks(execute=True):
        activity.announce(signal)
    assert len(heard) == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.fixture
def old_events(user, now):
    return DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=now - age * DAY) for age in range(10)
    )


def test_entries_are_kept_for_a_year_or_as_the_site_says(settings, now):
    assert activity.kept_since(now) == now - 365 * DAY
    settings.TRUSTED_DEVICES = {"EVENT_RETENTION": 30 * DAY}
    assert activity.kept_since(now) == now - 30 * DAY


@pytest.mark.parametrize(("batch_size", "batches"), [(2, [2, 2, 1]), (5, [5]), (100, [5])])
def test_older_entries_are_pruned_in_batches_oldest_first(old_events, now, batch_size, batches):
    before = now - 4 * DAY
    assert activity.count_prunable(before) == 5
    assert list(activity.prune(before=before, batch_size=batch_size)) == batches
    assert DeviceEvent.objects.order_by("created_at").first().created_at == before


def test_stopping_halfway_leaves_the_later_ones(old_events, now):
    next(activity.prune(before=now, batch_size=3))
    assert DeviceEvent.objects.count() == 7
    assert DeviceEvent.objects.order_by("created_at").first().created_at == now - 6 * DAY


def test_pruning_where_nothing_is_old_deletes_nothing(old_events, now):
    assert list(activity.prune(before=now - 100 * DAY)) == []
    assert DeviceEvent.objects.count() == 10


def test_what_identifies_a_user_can_be_stripped_from_the_log(user, other_user, client_info, now):
    for somebody in (user, other_user):
        activity.record(EventAction.SIGNED_IN, user=somebody, by=By(note="note", client=client_info, at=now))
    activity.erase(user)
    stripped, kept = DeviceEvent.objects.order_by("pk")
    assert (stripped.ip_address, stripped.user_agent, stripped.note) == (None, "", "")
    assert (kept.ip_address, kept.user_agent, kept.note) == ("203.0.113.0", client_info.user_agent, "note")


def test_the_log_of_a_user_is_read_newest_first(user, other_user, now):
    for age in (3, 1, 2):
        activity.record(EventAction.SIGNED_IN, user=user, by=By(at=now - age * DAY))
    activity.record(EventAction.SIGNED_IN, user=other_user, by=By(at=now))
    assert [(now - event.created_at).days for event in DeviceEvent.objects.of(user)] == [1, 2, 3]
