"""A sweep whose process is killed in the middle."""

import os
import signal
from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.shared_database import eventually, running
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import expiry

DUE = 3000


@pytest.fixture
def due(shared_database, user):
    return factories.store_due(user, DUE, now=timezone.now() - timedelta(minutes=1))


def finish():
    """Sweep until nothing is left; the database may hold on to the rows of a killed process for a moment."""

    def swept():
        list(expiry.expire_due(now=timezone.now()))
        return not Device.objects.remembered().exists()

    return eventually(swept)


def test_a_sweep_that_is_killed_loses_nothing_and_repeats_nothing(due):
    with running("django", "expire_devices", "--batch-size", "2", "--verbosity", "0") as sweep:
        assert eventually(lambda: DeviceEvent.objects.count() > 20)
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.wait()
    assert Device.objects.remembered().exists(), "it was done before it could be killed"
    # Whatever was committed, was committed whole: a flip and its entry in the log.
    assert not Device.objects.filter(status="not_remembered", events=None).exists()
    assert not DeviceEvent.objects.filter(device__status="remembered").exists()
    assert finish()
    logged = DeviceEvent.objects.filter(action="expired").values_list("device_id", flat=True)
    assert len(logged) == len(set(logged)) == DUE


def test_sweeps_in_several_processes_of_which_one_is_killed_do_all_of_the_work(due):
    command = ("django", "expire_devices", "--batch-size", "25", "--verbosity", "0")
    with running(*command) as killed, running(*command) as other:
        assert eventually(lambda: DeviceEvent.objects.count() > 20)
        os.kill(killed.pid, signal.SIGKILL)
        assert other.wait(60) == 0
    assert finish()
    logged = DeviceEvent.objects.filter(action="expired").values_list("device_id", flat=True)
    assert len(logged) == len(set(logged)) == DUE
