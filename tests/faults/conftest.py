"""A site and its pool in another process, and between them a proxy that breaks what it is told to break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.utils import timezone

from tests.cognito.conftest import (
    Browser,
    Person,
    Process,
    new_person,
    outside_of_transactions,
    pool_process,
    process,
    site_settings,
)
from tests.faults.pool_proxy import FAULTS, PoolProxy, running_proxy
from trusted_devices.cognito import budget, client
from trusted_devices.models import Device
from trusted_devices.owners import remote
from trusted_devices.services import comparison

__all__ = ["outside_of_transactions", "pool_process", "process"]

EVERY = [fault for fault in FAULTS if fault != "slow"]
"""All faults, for one step of each module: what the caller makes of them does not depend on the step."""
KINDS = ["reset", "lost answer", "throttled", "empty"]
"""One of each kind, for all other steps: not done, done though nobody hears of it, refused, nonsense."""
TO_A_QUESTION = ["reset", "throttled", "empty"]
"""The kinds for a call that does nothing at the pool."""
TO_AN_ORDER = ["reset", "lost answer", "throttled", "html"]
"""The kinds for a call that is answered with an empty object where all is well."""
NEVER_COMES = ("silence", "held answer")

Broken = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="session")
def running(pool_process: Process) -> Iterator[PoolProxy]:
    with running_proxy(pool_process.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: PoolProxy, process: Process, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolProxy]:
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
def broken(proxy: PoolProxy, settings: Any) -> Broken:
    """Let a fault befall a step for a while, and see to it that it did. Whom no answer comes to waits ``seconds``."""

    @contextmanager
    def broken(step: str, fault: str, *, seconds: float = 0.5) -> Iterator[None]:
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
def person(process: Process, db: None) -> Person:
    return new_person(process, totp=True)


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser()


def agree(person: Person) -> bool:
    """Whether mirror and pool have the same devices with the same status."""
    mirror = {device.device_key: device.status for device in Device.objects.all()}
    return mirror == {device["key"]: device["status"] for device in person.devices()}


def compare() -> None:
    """Compare all devices with the pool's, and mend what differs."""
    now = timezone.now()
    list(comparison.compare(since=now, now=now))
