"""Versions of a device, and holding it while it is edited."""

from datetime import timedelta

import pytest

from trusted_devices.exceptions import DeviceNotFound, StaleDevice
from trusted_devices.models import Device
from trusted_devices.services import devices, registration, versions
from trusted_devices.types import By, DeviceStatus


@pytest.fixture
def device(user, client_info, now):
    return registration.confirm(user=user, name="Tablet", by=By(client=client_info, at=now))[0]


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("name", lambda device: "Other"),
        ("status", lambda device: DeviceStatus.REMEMBERED),
        ("status_changed_at", lambda device: device.status_changed_at + timedelta(microseconds=1)),
        ("trust_expires_at", lambda device: device.status_changed_at),
    ],
)
def test_the_version_changes_with_what_people_edit(field, changed, device):
    before = versions.version(device)
    setattr(device, field, changed(device))
    assert versions.version(device) != before


@pytest.mark.parametrize("field", ["last_authenticated_at", "last_ip", "user_agent", "modified_at", "secret_digest"])
def test_the_version_stays_when_the_device_is_used(field, device):
    before = versions.version(device)
    setattr(device, field, None)
    assert versions.version(device) == before


def test_the_version_is_the_same_before_and_after_storing(device):
    assert versions.version(Device.objects.get()) == versions.version(device)


def test_the_block_gets_the_device_as_it_is_stored(device):
    Device.objects.update(name="Fresh")
    with versions.unchanged(device, lambda version: True) as stored:
        assert stored.name == "Fresh"


def test_a_stale_version_lets_nothing_run(device, now):
    seen = versions.version(device)
    devices.rename(device=Device.objects.get(), name="Faster", by=By(actor=None, at=now))
    with pytest.raises(StaleDevice), versions.unchanged(device, seen.__eq__):
        pytest.fail("the block ran")


def test_what_the_block_did_is_undone_if_it_fails(device):
    def fail():
        with versions.unchanged(device, lambda version: True):
            Device.objects.update(name="Half done")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert Device.objects.get().name == "Tablet"


def test_a_forgotten_device_cannot_be_held(device, now):
    devices.forget([Device.objects.get()], by=By(at=now))
    with pytest.raises(DeviceNotFound), versions.unchanged(device, lambda version: True):
        pytest.fail("the block ran")


def test_the_log_remembers_who_had_forgotten_what(device, user, other_user, now):
    assert not versions.was_forgotten(device.device_key)
    devices.forget([Device.objects.get()], by=By(at=now))
    assert versions.was_forgotten(device.device_key)
    assert versions.was_forgotten(device.device_key, user=user)
    assert not versions.was_forgotten(device.device_key, user=other_user)
