"""A site and its pool in another process, and between them a proxy that breaks what it is told to break."""

from contextlib import contextmanager

import pytest
from django.utils import timezone

from tests.cognito.conftest import (
    Browser,
    new_person,
    outside_of_transactions,
    process,
    site_settings,
)
from tests.faults.pool_proxy import FAULTS, running_proxy
from trusted_devices.cognito import budget, client
from trusted_devices.models import Device
from trusted_devices.owners import remote
from trusted_devices.services import comparison

__all__ = ["outside_of_transactions", "process"]

EVERY = [fault for fault in FAULTS if fault != "slow"]
"""All faults, for one step of each module: what the caller makes of them does not depend on the step."""
KINDS = ["reset", "lost answer", "throttled", "empty"]
"""One of each kind, for all other steps: not done, done though nobody hears of it, refused, nonsense."""
TO_A_QUESTION = ["reset", "throttled", "empty"]
"""The kinds for a call that does nothing at the pool."""
TO_AN_ORDER = ["reset", "lost answer", "throttled", "html"]
"""The kinds for a call that is answered with an empty object where all is well."""
NEVER_COMES = ("silence", "held answer")


@pytest.fixture(scope="session")
def running(pool_process):
    with running_proxy(pool_process.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(running, process, settings, monkeypatch):
    monkeypatch.setattr(client, "sleep", lambda seconds: None)
    monkeypatch.setattr(budget, "sleep", lambda seconds: None)
    monkeypatch.setattr(budget, "_wait_for", lambda bucket: None)
    monkeypatch.setattr(remote, "_claim", lambda device: True)
    endpoint = f"{running.url}/cognito-idp"
    process.act("move", endpoint=endpoint)
    settings.TRUSTED_DEVICES = site_settings(process, ENDPOINT_URL=endpoint, READ_TIMEOUT=20)
    yield running
    running.starts_afresh()
    process.act("move", endpoint=process.endpoint)


@pytest.fixture
def broken(proxy, settings):
    """Let a fault befall a step for a while, and see to it that it did. Whom no answer comes to waits ``seconds``."""

    @contextmanager
    def broken(step, fault, *, seconds=0.5):
        given = settings.TRUSTED_DEVICES
        if fault in NEVER_COMES:
            options = {**given["COGNITO"], "READ_TIMEOUT": seconds}
            settings.TRUSTED_DEVICES = {**given, "COGNITO": options}
        proxy.met.clear()
        proxy.breaks(step, fault)
        yield
        proxy.heals()
        settings.TRUSTED_DEVICES = given
        # On a busy machine the wait may be over at an earlier call, to the same effect.
        assert step in proxy.met or fault in NEVER_COMES

    return broken


@pytest.fixture
def person(process, db):
    return new_person(process, totp=True)


@pytest.fixture
def browser(db):
    return Browser()


def agree(person):
    """Whether mirror and pool have the same devices with the same status."""
    mirror = {device.device_key: device.status for device in Device.objects.all()}
    return mirror == {device["key"]: device["status"] for device in person.devices()}


def compare():
    """Compare all devices with the pool's, and mend what differs."""
    now = timezone.now()
    list(comparison.compare(since=now, now=now))
