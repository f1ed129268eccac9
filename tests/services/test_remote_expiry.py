"""The sweep where somebody else owns the devices and has to be told of each."""

import logging
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from tests.broken_cache import CACHES, cache_away
from tests.conftest import NOW
from tests.services.owner import Elsewhere
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.owners import remote
from trusted_devices.services import expiry
from trusted_devices.types import Binding

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _elsewhere(settings):
    Elsewhere.forget_everything()
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": f"{Elsewhere.__module__}.ELSEWHERE"}
    cache.clear()
    yield
    cache.clear()


def due(user, *ages):
    """Devices that fell due so many minutes ago."""
    return [
        Device.objects.create(
            user=user,
            device_key=f"eu-central-1_{number:08}-0000-4000-8000-000000000000",
            binding=Binding.SRP,
            status="remembered",
            confirmed_at=NOW - 60 * DAY,
            trust_granted_at=NOW - 60 * DAY,
            trust_expires_at=NOW - timedelta(minutes=age),
        )
        for number, age in enumerate(ages, Device.objects.count())
    ]


def sweep(**options):
    return sum(expiry.expire_due(now=NOW, **options))


def remembered():
    return Device.objects.remembered().count()


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_devices_are_told_of_oldest_expiry_first_each_in_its_turn(user, batch_size):
    a, b, c, d = due(user, 5, 30, 5, 90)
    assert sweep(batch_size=batch_size) == 4
    assert Elsewhere.told == [(device.device_key, "not_remembered") for device in (d, b, a, c)]
    assert Elsewhere.turns == [user.pk] * 4
    assert remembered() == 0
    assert DeviceEvent.objects.filter(action="expired", reason="expired").count() == 4


def test_nothing_is_told_twice(user):
    due(user, 1, 2)
    assert (sweep(), sweep()) == (2, 0)
    assert len(Elsewhere.told) == 2


def test_a_device_that_fails_is_left_to_the_next_sweep(user, caplog):
    first, second, _third = due(user, 9, 8, 7)
    Elsewhere.away.add(first.device_key)
    with caplog.at_level(logging.WARNING):
        assert sweep() == 2
    assert f"Device {first.device_key} is left to the next sweep." in caplog.text
    assert Device.objects.remembered().get() == first
    assert second.device_key in dict(Elsewhere.told)
    Elsewhere.away.clear()
    # Its claim was given back: the next sweep need not wait for it to run out.
    assert sweep() == 1


def test_several_failures_in_a_row_end_the_sweep_and_undo_nothing(user):
    done, *others = due(user, 9, *range(8, 2, -1))
    Elsewhere.away.update(device.device_key for device in others)
    batches = expiry.expire_due(now=NOW)
    assert next(batches) == 1
    with pytest.raises(BackendUnavailable):
        next(batches)
    assert Elsewhere.turns == [user.pk] * (1 + remote.GIVE_UP_AFTER)
    assert not Device.objects.remembered().filter(pk=done.pk).exists()
    assert remembered() == len(others)


def test_failures_with_successes_between_them_do_not_end_it(user):
    devices = due(user, *range(20, 0, -1))
    Elsewhere.away.update(device.device_key for device in devices[::2])
    assert sweep() == 10
    assert remembered() == 10


def test_a_device_that_was_forgotten_meanwhile_is_no_longer_anybody_s_business(user):
    due(user, 1)
    Elsewhere.meanwhile.append(lambda: Device.objects.all().delete())
    assert sweep() == 0
    assert DeviceEvent.objects.count() == 0
    assert len(Elsewhere.told) == 1


def test_trust_that_was_renewed_meanwhile_is_given_back(user):
    (device,) = due(user, 1)
    Elsewhere.meanwhile.append(lambda: Device.objects.update(trust_expires_at=NOW + DAY))
    assert sweep() == 0
    assert Elsewhere.told == [(device.device_key, "not_remembered"), (device.device_key, "remembered")]
    assert remembered() == 1


def test_what_another_worker_has_claimed_is_left_to_it(user):
    mine, theirs = due(user, 2, 1)
    assert remote._claim(theirs)
    assert sweep() == 1
    assert dict(Elsewhere.told) == {mine.device_key: "not_remembered"}


def test_a_renewed_trust_that_falls_due_again_is_claimed_anew(user):
    (device,) = due(user, 1)
    assert remote._claim(device)
    device.trust_expires_at = NOW
    assert remote._claim(device)


def test_a_cache_out_of_order_costs_double_work_at_most(user, settings, caplog):
    settings.CACHES = CACHES
    failing, _other = due(user, 2, 1)
    Elsewhere.away.add(failing.device_key)
    with cache_away():
        assert sweep() == 1
    assert "Devices cannot be claimed (ConnectionError)." in caplog.text
    assert "secret" not in caplog.text


class TestThePlan:
    def test_says_how_much_at_which_rate_and_until_when(self, user, capsys):
        due(user, *range(1, 26))
        plan = expiry.plan(NOW)
        assert (plan.due, plan.per_second, plan.done_at) == (25, 5.0, NOW + timedelta(seconds=5))
        assert plan.oldest == NOW - timedelta(minutes=25)
        call_command("expire_devices", "--plan")
        said = capsys.readouterr().out
        assert "Devices due: 25\n" in said
        assert "Due since: 2026-03-01 11:35 UTC\n" in said
        assert "Rate: at most 5 a second, all sweeps together\n" in said
        assert "Done by: " in said
        assert remembered() == 25

    def test_has_no_rate_where_the_site_owns_its_devices(self, db, settings, capsys):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "local"}
        call_command("expire_devices", "--plan")
        assert capsys.readouterr().out == "Devices due: 0\nRate: as fast as the database\n"


def test_the_command_says_that_the_owner_cannot_be_reached(user):
    Elsewhere.away.update(device.device_key for device in due(user, 1, 2, 3))
    with pytest.raises(CommandError, match="the next run does what is left"):
        call_command("expire_devices", "--verbosity", "0")
