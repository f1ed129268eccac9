"""A pool that fails in every way, at every step: trust is never given by accident, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.backends.cognito.conftest import (
    Browser,
    Person,
    Process,
    at,
    new_person,
    pool_process,
    process,
    site_settings,
)
from tests.faults.pool_proxy import FAULTS, PoolProxy, running_proxy
from tests.shared_database import running
from trusted_devices.backends.cognito import budget, client
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, expiry, remote_expiry, sync

__all__ = ["pool_process", "process"]

TRY_AGAIN = "Signing in is not possible right now. Nothing is wrong with your account; try again in a minute."
LATER = timedelta(days=61)


@pytest.fixture
def proxy(process: Process, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolProxy]:
    monkeypatch.setattr(client, "sleep", lambda seconds: None)
    monkeypatch.setattr(budget, "sleep", lambda seconds: None)
    monkeypatch.setattr(budget, "_wait_for", lambda bucket: None)
    monkeypatch.setattr(remote_expiry, "_claim", lambda device: True)
    with running_proxy(process.url) as proxy:
        settings.TRUSTED_DEVICES = site_settings(
            process,
            ENDPOINT_URL=f"{proxy.url}/cognito-idp",
            ISSUER=f"{process.endpoint}/{process.facts['pool_id']}",
            READ_TIMEOUT=20,
        )
        yield proxy
    client._built.cache_clear()


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
    now = timezone.now()
    list(sync.compare(since=now, now=now))


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        *(("InitiateAuth", fault) for fault in FAULTS if fault not in ("silence", "held answer")),
        *(("RespondToAuthChallenge", fault) for fault in ("lost answer", "throttled", "empty")),
    ],
)
def test_a_password_that_cannot_be_checked_lets_nobody_in_and_is_asked_for_again(
    proxy: PoolProxy, browser: Browser, person: Person, operation: str, fault: str
) -> None:
    browser.trusted_sign_in(person)
    proxy.breaks(operation, fault)
    response = browser.password(person)
    assert response.status_code == 503
    assert TRY_AGAIN in response.content.decode()
    assert not browser.is_signed_in
    proxy.heals()
    assert at(browser.password(person)) == "home"
    assert agree(person)


@pytest.mark.parametrize("fault", ["silence", "lost answer", "truncated", "throttled", "no object", "html"])
def test_a_code_that_cannot_be_checked_lets_nobody_in(
    proxy: PoolProxy, browser: Browser, person: Person, settings: Any, fault: str
) -> None:
    assert at(browser.password(person)) == "sign_in_code"
    if fault == "silence":
        options = {**settings.TRUSTED_DEVICES["COGNITO"], "READ_TIMEOUT": 0.3}
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "COGNITO": options}
    proxy.breaks("RespondToAuthChallenge", fault)
    response = browser.code(person.code())
    assert response.status_code == 503
    assert TRY_AGAIN in response.content.decode()
    assert not browser.is_signed_in
    assert person.devices() == []


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("ConfirmDevice", "reset"),
        ("ConfirmDevice", "lost answer"),
        ("ConfirmDevice", "500"),
        ("UpdateDeviceStatus", "lost answer"),
        ("UpdateDeviceStatus", "html"),
    ],
)
def test_a_device_that_cannot_be_registered_is_not_trusted_and_left_over_nowhere(
    proxy: PoolProxy, browser: Browser, person: Person, operation: str, fault: str
) -> None:
    browser.password(person)
    assert at(browser.code(person.code())) == "sign_in_trust"
    proxy.breaks(operation, fault)
    assert at(browser.trust()) == "home"
    proxy.heals()
    assert browser.is_signed_in
    assert (Device.objects.count(), person.devices()) == (0, [])
    browser.sign_out()
    assert at(browser.password(person)) == "sign_in_code"


@pytest.mark.parametrize("fault", ["lost answer", "throttled", "html"])
@pytest.mark.parametrize("act", ["stop", "forget"])
def test_what_staff_could_not_do_is_not_said_to_be_done_and_can_be_done_again(
    proxy: PoolProxy, browser: Browser, person: Person, act: str, fault: str
) -> None:
    browser.trusted_sign_in(person)
    device = Device.objects.get()

    def do() -> None:
        if act == "stop":
            devices.stop_trusting([device], reason="staff_stopped")
        else:
            devices.forget([device])

    proxy.breaks("AdminUpdateDeviceStatus" if act == "stop" else "AdminForgetDevice", fault)
    with pytest.raises(BackendUnavailable):
        do()
    assert Device.objects.get().is_remembered
    proxy.heals()
    if fault == "lost answer":
        compare()
    else:
        do()
    assert agree(person)
    assert not Device.objects.remembered().exists()


@pytest.mark.parametrize("fault", ["lost answer", "500", "html"])
def test_the_sweep_leaves_to_the_next_what_it_could_not_do(
    proxy: PoolProxy, browser: Browser, person: Person, fault: str
) -> None:
    browser.trusted_sign_in(person)
    later = timezone.now() + LATER
    proxy.breaks("AdminUpdateDeviceStatus", fault)
    assert sum(expiry.expire_due(now=later)) == 0
    assert Device.objects.get().is_remembered
    assert not DeviceEvent.objects.filter(action="expired").exists()
    proxy.heals()
    assert sum(expiry.expire_due(now=later)) == 1
    assert agree(person)
    assert DeviceEvent.objects.filter(action="expired").count() == 1


def test_a_storm_that_ends_is_sat_out_by_the_sweep(proxy: PoolProxy, browser: Browser, person: Person) -> None:
    browser.trusted_sign_in(person)
    proxy.breaks("AdminUpdateDeviceStatus", "throttled", times=client.ATTEMPTS * (budget.ATTEMPTS - 1))
    assert sum(expiry.expire_due(now=timezone.now() + LATER)) == 1
    assert agree(person)


@pytest.mark.parametrize("fault", ["throttled", "lost answer"])
def test_a_hiccup_is_noticed_by_nobody(proxy: PoolProxy, browser: Browser, person: Person, fault: str) -> None:
    browser.trusted_sign_in(person)
    proxy.breaks("InitiateAuth", fault, times=client.ATTEMPTS - 1)
    assert at(browser.password(person)) == "home"


def test_a_sweep_that_is_killed_between_the_call_and_the_write_is_made_up_for(
    proxy: PoolProxy, shared_database: None, browser: Browser, process: Process, settings: Any
) -> None:
    people = [new_person(process, totp=True) for _ in range(2)]
    for each in people:
        browser.trusted_sign_in(each)
    Device.objects.update(trust_expires_at=timezone.now() - timedelta(minutes=1))
    proxy.breaks("AdminUpdateDeviceStatus", "held answer", times=1)
    environ = {
        "DJANGO_SETTINGS_MODULE": "tests.faults.cognito_settings",
        "COGNITO": json.dumps(settings.TRUSTED_DEVICES["COGNITO"]),
    }
    with running("django", "expire_devices", "--verbosity", "0", environ=environ) as sweep:
        assert proxy.holding.wait(60)
        sweep.kill()
        sweep.wait()
    statuses = sorted(device["status"] for each in people for device in each.devices())
    assert statuses == ["not_remembered", "remembered"]
    assert Device.objects.remembered().count() == 2
    assert sum(expiry.expire_due(now=timezone.now())) == 2
    assert {device["status"] for each in people for device in each.devices()} == {"not_remembered"}
    assert DeviceEvent.objects.filter(action="expired").count() == 2


def test_a_sweep_gives_up_on_a_pool_that_is_away_and_says_so(
    proxy: PoolProxy, browser: Browser, process: Process, db: None
) -> None:
    for _ in range(remote_expiry.GIVE_UP_AFTER + 1):
        browser.trusted_sign_in(new_person(process, totp=True))
    proxy.breaks("*", "reset")
    with pytest.raises(BackendUnavailable):
        list(expiry.expire_due(now=timezone.now() + LATER))
    assert Device.objects.remembered().count() == remote_expiry.GIVE_UP_AFTER + 1
    proxy.heals()
    assert sum(expiry.expire_due(now=timezone.now() + LATER)) == remote_expiry.GIVE_UP_AFTER + 1


def test_a_device_whose_proof_is_not_answered_is_not_let_off_mfa(
    proxy: PoolProxy, browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.trusted_sign_in(person)
    for step in (2, 3):  # DEVICE_SRP_AUTH, DEVICE_PASSWORD_VERIFIER
        proxy.seen.clear()
        original = proxy.fault_for

        def only(operation: str, step: int = step) -> str:
            return "html" if proxy.seen.count("RespondToAuthChallenge") == step else ""

        with monkeypatch.context() as patch:
            patch.setattr(proxy, "fault_for", only)
            assert browser.password(person).status_code == 503
        assert proxy.fault_for == original
        assert not browser.is_signed_in
    assert at(browser.password(person)) == "home"
