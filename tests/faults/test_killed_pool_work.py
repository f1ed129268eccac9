"""Work at the pool whose process is killed between a call and the write that it was made for."""

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from tests.cognito.conftest import new_person
from tests.shared_database import running
from trusted_devices.cognito import budget, conf
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import comparison

STATUS = "AdminUpdateDeviceStatus"


@pytest.fixture
def people(proxy, shared_database, browser, process):
    """Two people with a trusted device each."""
    found = [new_person(process, totp=True) for _ in range(2)]
    for person in found:
        browser.trusted_sign_in(person)
    return found


@pytest.fixture
def work(people, settings):
    """Run a command in a process of its own, with this site's settings."""

    @contextmanager
    def work(*command):
        environ = {
            "DJANGO_SETTINGS_MODULE": "tests.faults.cognito_settings",
            "COGNITO": json.dumps(settings.TRUSTED_DEVICES["COGNITO"]),
        }
        with running("django", *command, "--verbosity", "0", environ=environ) as process:
            yield process

    return work


def is_killed_at(proxy, process):
    """Kill the process once the pool has done what it was asked, and before it could say so."""
    assert proxy.holding.wait(60)
    process.kill()
    process.wait()


def statuses(people):
    """What the pool says of all devices."""
    return sorted(device["status"] for person in people for device in person.devices())


def logged(action):
    return DeviceEvent.objects.filter(action=action).count()


def test_a_sweep_is_made_up_for_by_the_next(proxy, people, work):
    Device.objects.update(trust_expires_at=timezone.now() - timedelta(minutes=1))
    proxy.breaks(STATUS, "held answer", times=1)
    with work("expire_devices") as sweep:
        is_killed_at(proxy, sweep)
    assert statuses(people) == ["not_remembered", "remembered"]
    assert (Device.objects.remembered().count(), logged("expired")) == (2, 0)
    with work("expire_devices") as sweep:
        assert sweep.wait(60) == 0
    assert statuses(people) == ["not_remembered"] * 2
    assert (Device.objects.remembered().count(), logged("expired")) == (0, 2)


@pytest.mark.redis
def test_a_sweep_on_a_shared_budget_is_made_up_for_by_the_next(proxy, people, work, settings):
    url = f"redis://{django_settings.REDIS_HOST}:{django_settings.REDIS_PORT}/9"
    options = {**settings.TRUSTED_DEVICES["COGNITO"], "REDIS_URL": url}
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "COGNITO": options}
    shared = budget._bucket(conf.get_options(), "writes", conf.get_options().WRITES_PER_SECOND)
    Device.objects.update(trust_expires_at=timezone.now() - timedelta(minutes=1))
    proxy.breaks(STATUS, "held answer", times=1)
    with work("expire_devices") as sweep:
        is_killed_at(proxy, sweep)
    spent = shared.redis.get(shared.name)
    assert spent is not None
    with work("expire_devices") as sweep:
        assert sweep.wait(60) == 0
    assert float(shared.redis.get(shared.name)) > float(spent)
    assert statuses(people) == ["not_remembered"] * 2
    assert (Device.objects.remembered().count(), logged("expired")) == (0, 2)
    shared.redis.delete(shared.name)
    shared.redis.close()
    budget._redis.cache_clear()


@pytest.mark.parametrize("step", ["AdminListDevices", STATUS])
def test_a_comparison_goes_on_where_it_was(proxy, people, work, step):
    for person in people:
        (device,) = person.devices()
        person.process.act("set_status", device_key=device["key"], status="not_remembered")
    began = timezone.now()
    command = ("sync_devices", "--since", began.isoformat())
    proxy.breaks(step, "slow", times=1)
    proxy.meanwhile = lambda: proxy.breaks(step, "held answer", times=1)
    with work(*command) as killed:
        is_killed_at(proxy, killed)
    assert comparison.count(since=began) == 1
    assert (Device.objects.remembered().count(), logged("not_remembered")) == (1, 1)
    proxy.seen.clear()
    with work(*command) as made_up:
        assert made_up.wait(60) == 0
    assert proxy.seen == ["AdminListDevices", STATUS]
    assert comparison.count(since=began) == 0
    assert (Device.objects.remembered().count(), logged("not_remembered")) == (0, 2)
    assert statuses(people) == ["not_remembered"] * 2
