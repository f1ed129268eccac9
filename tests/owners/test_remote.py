"""How a remote owner is notified of a change, before the rows are written."""

import logging

import pytest

from tests.services.owner import Elsewhere
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.owners.base import Change
from trusted_devices.owners.remote import AT_ONCE
from trusted_devices.types import DeviceStatus

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _elsewhere():
    Elsewhere.forget_everything()


def some(count):
    remembered = DeviceStatus.REMEMBERED
    return [Device(user_id=7, device_key=f"key-{number}", status=remembered) for number in range(count)]


@pytest.mark.parametrize("change", Change)
def test_the_owner_is_notified_of_each_device(change):
    devices = some(2)
    with Elsewhere().changing(devices, change) as notified:
        assert Elsewhere.told == [("key-0", change), ("key-1", change)]
    assert notified == devices


@pytest.mark.parametrize(("count", "turns"), [(AT_ONCE, 0), (AT_ONCE + 1, AT_ONCE + 1)])
def test_more_devices_than_a_person_changes_wait_for_their_turn(count, turns):
    with Elsewhere().changing(some(count), Change.FORGOTTEN):
        assert Elsewhere.turns == [7] * turns


@pytest.mark.parametrize("count", [3, 10])
def test_the_block_gets_those_that_the_owner_was_notified_of(count, caplog):
    Elsewhere.away.add("key-2")
    devices, written = some(count), []
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(BackendUnavailable),
        Elsewhere().changing(devices, Change.FORGOTTEN) as notified,
    ):
        written.extend(notified)
    assert written == devices[:2]
    assert f"Of {count} devices the owner was notified of 2 only, not of key-2." in caplog.text


def test_nothing_is_written_of_a_device_that_its_owner_did_not_remember():
    Elsewhere.away.add("key-0")
    with pytest.raises(BackendUnavailable), Elsewhere().changing(some(1), Change.REMEMBERED):
        pytest.fail("The block ran.")
