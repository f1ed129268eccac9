"""Two people who saw the same state of a device and edit it at the same moment."""

from tests.shared_database import at_once
from trusted_devices.exceptions import StaleDevice
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, versions
from trusted_devices.types import By

TRIES = 4


def test_one_edit_is_done_and_the_others_are_stale(user, grant):
    device = grant().device
    seen = versions.version(device)

    def rename_to(name):
        def edit():
            with versions.unchanged(device, seen.__eq__) as stored:
                return devices.rename(device=stored, name=name, by=By(actor=user)).name

        return edit

    outcomes = at_once(*[rename_to(f"Name {number}") for number in range(TRIES)])
    done = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert done == [Device.objects.get().name]
    assert sum(isinstance(outcome, StaleDevice) for outcome in outcomes) == TRIES - 1
    assert DeviceEvent.objects.filter(action="renamed").count() == 1
