"""Comparing the mirror with whoever owns the devices."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.conftest import NOW
from tests.services.owner import Elsewhere
from trusted_devices import tasks
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.services import comparison
from trusted_devices.services.comparison import Drift
from trusted_devices.types import Binding, DeviceStatus, OwnedDevice

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _elsewhere(settings, db):
    Elsewhere.forget_everything()
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": f"{Elsewhere.__module__}.ELSEWHERE"}


def member(name="maria", *, synced_at=None):
    user = get_user_model().objects.create_user(name)
    CognitoUser.objects.create(user=user, sub=f"sub-{name}", synced_at=synced_at)
    Elsewhere.owned[user.pk] = {}
    return user


def mirrored(user, status="remembered", *, binding=Binding.SRP, age=DAY):
    number = Device.objects.count()
    return Device.objects.create(
        user=user,
        device_key=f"eu-central-1_{number:08}-0000-4000-8000-000000000000",
        name="laptop",
        status=status,
        binding=binding,
        confirmed_at=NOW - age,
        trust_granted_at=NOW - age,
        trust_expires_at=NOW + 30 * DAY,
        last_authenticated_at=NOW - age,
        last_ip="192.0.2.0",
    )


def compare(**options):
    return [found.drift for found in comparison.compare(since=NOW, now=NOW, **options)]


def test_where_nothing_differs_nothing_is_told_or_written():
    for status in ("remembered", "not_remembered"):
        Elsewhere.has(mirrored(member(status), status), status)
    before = list(Device.objects.order_by("pk").values())
    assert compare() == [{}, {}]
    assert list(Device.objects.order_by("pk").values()) == before
    assert (Elsewhere.told, DeviceEvent.objects.count()) == ([], 0)


@pytest.mark.parametrize("mend", [True, False])
@pytest.mark.parametrize("kind", Drift)
def test_each_kind_of_drift_is_reported_and_mended_only_when_asked(kind, mend):
    user = member()
    device = mirrored(user, "not_remembered" if kind is Drift.REMEMBERED_THERE_ONLY else "remembered")
    if kind is not Drift.UNKNOWN_THERE:
        there = "not_remembered" if kind is Drift.REMEMBERED_HERE_ONLY else "remembered"
        Elsewhere.has(device, there, name="phone", created_at=NOW - 9 * DAY)
    if kind is Drift.UNKNOWN_HERE:
        Device.objects.all().delete()
    before = (list(Device.objects.values()), dict(Elsewhere.owned[user.pk]))
    assert compare(mend=mend) == [{device.device_key: kind}]
    if not mend:
        assert (list(Device.objects.values()), Elsewhere.owned[user.pk]) == before
        assert (Elsewhere.told, DeviceEvent.objects.count()) == ([], 0)
        return
    mirror = {row.device_key: row.status for row in Device.objects.all()}
    assert mirror == {key: owned.status for key, owned in Elsewhere.owned[user.pk].items()}
    adopted = {Drift.UNKNOWN_HERE: {device.device_key: "remembered"}, Drift.UNKNOWN_THERE: {}}
    assert mirror == adopted.get(kind, {device.device_key: "not_remembered"})
    assert compare() == [] or compare() == [{}]


def test_a_device_that_is_taken_over_never_skips_mfa_here():
    user = member()
    device = mirrored(user)
    Elsewhere.has(device, name="phone", created_at=NOW - 9 * DAY, last_ip="198.51.100.7", last_authenticated_at=NOW)
    Device.objects.all().delete()
    compare()
    taken = Device.objects.get()
    assert (taken.name, taken.binding, taken.trust_expires_at, taken.trust_granted_at) == ("phone", "srp", None, None)
    assert (taken.created_at, taken.last_ip, taken.secret_digest) == (NOW - 9 * DAY, "198.51.100.0", "")
    assert DeviceEvent.objects.get().note == comparison.NOTE


def test_a_device_is_taken_over_beside_one_that_is_known():
    user = member()
    unknown, known = mirrored(user), mirrored(user)
    for device in (unknown, known):
        Elsewhere.has(device)
    Device.objects.filter(pk=unknown.pk).delete()
    assert compare() == [{unknown.device_key: Drift.UNKNOWN_HERE}]
    assert Device.objects.count() == 2


def test_a_device_without_dates_or_name_is_taken_over_too():
    user = member()
    device = mirrored(user)
    Elsewhere.has(device)
    Device.objects.all().delete()
    compare()
    assert Device.objects.get().confirmed_at == NOW


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("phone\0", "phone"),
        ("gnp.\u202eenohp", "gnp. enohp"),
        ("\ud800", ""),
        ("p" * 1024, "p" * 64),
        (" my  phone ", "my phone"),
    ],
)
def test_a_name_from_elsewhere_is_shown_as_one_from_here_would_be(there, here):
    device = mirrored(member())
    Elsewhere.has(device, name=there)
    Device.objects.all().delete()
    assert compare() == [{device.device_key: Drift.UNKNOWN_HERE}]
    assert Device.objects.get().name == here


def test_a_device_of_another_user_here_stays_theirs(
    caplog,
):
    first, second = member("first"), member("second")
    device = mirrored(get_user_model().objects.create_user("before"))
    Elsewhere.owned[first.pk] = {
        device.device_key: OwnedDevice(device_key=device.device_key, status=DeviceStatus.REMEMBERED)
    }
    assert compare() == [{device.device_key: Drift.UNKNOWN_HERE}, {}]
    assert Device.objects.get() == device
    assert f"Device {device.device_key} could not be taken into the list." in caplog.text
    assert not DeviceEvent.objects.exists()
    assert not CognitoUser.objects.filter(user=second, synced_at=None).exists()


def test_devices_that_this_site_owns_itself_are_left_out():
    mirrored(member(), binding=Binding.COOKIE)
    assert compare() == [{}]
    assert Device.objects.exists()


def test_a_device_that_both_know_is_compared_however_it_proves_itself():
    device = mirrored(member(), "not_remembered", binding=Binding.COOKIE)
    Elsewhere.has(device)
    assert compare() == [{device.device_key: Drift.REMEMBERED_THERE_ONLY}]
    assert Elsewhere.told == [(device.device_key, "not_remembered")]


def test_a_device_that_is_confirmed_while_its_owner_is_asked_is_no_drift():
    user = member()
    Elsewhere.meanwhile.append(lambda: Elsewhere.has(mirrored(user, age=-timedelta(seconds=1))))
    assert compare() == [{}]


def test_a_device_that_is_confirmed_after_its_owner_was_asked_is_no_drift():
    mirrored(member(), age=-timedelta(seconds=1))
    assert compare() == [{}]


def test_when_a_device_was_used_elsewhere_is_taken_over_if_later():
    user = member()
    earlier, later, never, hidden = (mirrored(user) for _ in range(4))
    Elsewhere.has(earlier, last_authenticated_at=NOW - 2 * DAY, last_ip="198.51.100.7")
    Elsewhere.has(later, last_authenticated_at=NOW, last_ip="198.51.100.7")
    Elsewhere.has(never)
    Elsewhere.has(hidden, last_authenticated_at=NOW)
    compare()
    used = {row.pk: (row.last_authenticated_at, row.last_ip) for row in Device.objects.all()}
    assert used[earlier.pk] == used[never.pk] == (NOW - DAY, "192.0.2.0")
    assert used[later.pk] == (NOW, "198.51.100.0")
    assert used[hidden.pk] == (NOW, "192.0.2.0")


def test_users_are_gone_through_page_by_page_and_each_once(monkeypatch):
    monkeypatch.setattr(comparison, "PAGE", 2)
    users = [member(f"user-{number}") for number in range(5)]
    assert [found.user_id for found in comparison.compare(since=NOW, now=NOW)] == [user.pk for user in users]
    assert comparison.count(since=NOW) == 0
    assert compare() == []


def test_only_users_whose_comparison_is_older_are_due():
    member("fresh", synced_at=NOW)
    old, never = member("old", synced_at=NOW - DAY), member("never")
    assert comparison.count(since=NOW) == 2
    assert [found.user_id for found in comparison.compare(since=NOW, now=NOW)] == [old.pk, never.pk]


def test_a_user_who_fails_keeps_nobody_else_waiting_and_stays_due(caplog):
    first, *_others = [member(f"user-{number}") for number in range(4)]
    Elsewhere.away.add(first.pk)
    with caplog.at_level(logging.WARNING):
        assert compare() == [{}, {}, {}]
    assert f"The devices of user {first.pk} could not be compared." in caplog.text
    assert comparison.count(since=NOW) == 1


def test_an_owner_who_is_away_is_not_asked_for_everybody():
    Elsewhere.away.update(member(f"user-{number}").pk for number in range(5))
    asked = []
    original = Elsewhere._asked

    def listen(self, about):
        asked.append(about)
        original(self, about)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Elsewhere, "_asked", listen)
        with pytest.raises(BackendUnavailable):
            compare()
    assert len(asked) == comparison.GIVE_UP_AFTER
    assert comparison.count(since=NOW) == 5


def test_a_user_whom_the_owner_does_not_know_has_no_devices_there():
    user = member()
    device = mirrored(user)
    del Elsewhere.owned[user.pk]
    assert compare() == [{device.device_key: Drift.UNKNOWN_THERE}]
    assert not Device.objects.exists()


class TestTheTask:
    def test_compares_and_mends_for_users_who_were_not_compared_for_a_day(self):
        now = timezone.now()
        fresh, old, _never = member("fresh", synced_at=now), member("old", synced_at=now - DAY), member("never")
        for user in (fresh, old):
            mirrored(user)
        assert tasks.sync_devices() == {"compared": 2, "drift": 1}
        assert [device.user_id for device in Device.objects.all()] == [fresh.pk]
        assert tasks.sync_devices() == {"compared": 0, "drift": 0}

    def test_leaves_to_the_next_run_what_it_has_no_time_for(self, monkeypatch):
        for number in range(2):
            member(f"user-{number}")
        monkeypatch.setattr(tasks, "RUN_SECONDS", 0)
        assert [tasks.sync_devices()["compared"] for _ in range(3)] == [1, 1, 0]

    def test_is_ordered_only_where_somebody_else_owns_the_devices(self, settings):
        ordered = tasks.beat_schedule()["trusted_devices.tasks.sync_devices"]
        assert ordered["task"] == tasks.sync_devices.name
        assert ordered["schedule"] == timedelta(minutes=15)
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "local"}
        assert "trusted_devices.tasks.sync_devices" not in tasks.beat_schedule()


class TestTheCommand:
    def test_shows_users_devices_and_differences(self, capsys):
        user = member()
        device = mirrored(user)
        call_command("sync_devices", "--verbosity", "2")
        said = capsys.readouterr()
        assert "Users to compare: 1 (if interrupted, go on with --since " in said.out
        assert f"{user.pk} {device.device_key} unknown_there" in said.out
        assert "Devices unknown to the owner, forgotten here: 1" in said.out
        assert "1 of 1 users" in said.err
        assert not Device.objects.exists()

    def test_mends_nothing_in_a_dry_run(self, capsys):
        mirrored(member())
        call_command("sync_devices", "--dry-run")
        assert "Devices unknown to the owner: 1\n" in capsys.readouterr().out
        assert Device.objects.exists()

    def test_can_be_silent(self, capsys):
        mirrored(member())
        call_command("sync_devices", "--verbosity", "0")
        assert capsys.readouterr() == ("", "")
        assert not Device.objects.exists()

    def test_takes_up_what_is_left_of_an_earlier_run(self, capsys):
        member("fresh", synced_at=NOW)
        member("old", synced_at=NOW - DAY)
        call_command("sync_devices", "--since", NOW.isoformat())
        assert "Users compared: 1" in capsys.readouterr().out

    def test_says_that_the_owner_cannot_be_reached(self):
        Elsewhere.away.update(member(f"user-{number}").pk for number in range(3))
        with pytest.raises(CommandError, match="cannot be reached; --since takes up what is left"):
            call_command("sync_devices", "--verbosity", "0")

    def test_has_nothing_to_compare_where_the_site_owns_its_devices(self, settings):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "local"}
        member()
        with pytest.raises(CommandError, match="This site owns its devices itself"):
            call_command("sync_devices", "--verbosity", "0")
