"""Answers that come late, though in time: everything is done, once, and nobody else has to wait for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from threading import Thread

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import signed_in
from tests.cognito.conftest import Browser, Person, at
from tests.faults.conftest import agree, compare
from trusted_devices.cognito import tokens
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.services import bulk, bulk_jobs, devices, expiry
from trusted_devices.services.bulk import BulkKind
from trusted_devices.types import By

PATIENCE = 5
"""Seconds after which a write that nothing holds up would have been made."""
STATUS, FORGET = "AdminUpdateDeviceStatus", "AdminForgetDevice"


@dataclass
class Elsewhere:
    """Other requests, which write to the same rows while the pool is slow, one for each slow answer."""

    writing: list[Thread] = field(default_factory=list)
    held_up: list[bool] = field(default_factory=list)

    def __call__(self):
        thread = Thread(target=self.write)
        thread.start()
        thread.join(PATIENCE)
        self.writing.append(thread)
        self.held_up.append(thread.is_alive())

    def write(self):
        try:
            with transaction.atomic():
                get_user_model().objects.update(last_login=timezone.now())
                CognitoUser.objects.update(synced_at=None)
                Device.objects.update(user_agent="elsewhere")
                DeviceEvent.objects.update(note="seen elsewhere")
        finally:
            connections.close_all()


@pytest.fixture
def elsewhere(shared_database, proxy):
    found = Elsewhere()
    proxy.meanwhile = found
    yield found
    for thread in found.writing:
        thread.join()


@dataclass
class Scene:
    """Somebody who is signed in from the device that they trust, and an operator."""

    browser: Browser
    person: Person
    device: Device
    desk: Client

    def api(self, verb, path, **body):
        url = f"/api/admin/devices/{path.format(key=self.device.device_key)}"
        fields = {} if verb == "delete" else {**body, "note": "Lost"}
        return int(getattr(self.desk, verb)(url, fields, content_type="application/json").status_code)

    def api_bulk(self, operation):
        return self.api("post", "bulk/", operation=operation, all=True, dry_run=False)

    def in_admin(self, act):
        fields = {"action": act, "_selected_action": [self.device.pk], "confirm": "1"}
        return int(self.desk.post("/admin/trusted_devices/device/", fields).status_code)

    def own_page(self, act):
        url = reverse(f"trusted_devices:{act}", args=[self.device.device_key])
        return int(self.browser.http.post(url).status_code)

    def in_background(self, kind):
        act = bulk.begin(kind, bulk.survey(Device.objects.all()))
        operator = get_user_model().objects.get(username="olga")
        job_id = bulk_jobs.hand_over(act, Device.objects.all(), by=By(actor=operator))
        assert job_id is not None
        return bulk_jobs.advance(job_id)

    def remember(self):
        assert self.api("post", "{key}/stop-trusting/") == 200
        assert self.api("post", "{key}/remember/", period="P30D") == 200

    def forgotten_there(self):
        self.person.process.act("forget", device_key=self.device.device_key)
        compare()

    def stopped_here(self):
        Device.objects.update(status="not_remembered")
        compare()


@pytest.fixture
def scene(elsewhere, browser, person, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BULK_RUNNER": f"{__name__}.take_on"}
    browser.password(person)
    browser.code(person.code())
    assert at(browser.trust()) == "home"
    operator = get_user_model().objects.create_superuser("olga", "olga@example.com", "pw")
    return Scene(browser, person, Device.objects.get(), signed_in(operator))


def take_on(job_id):
    """Stand in for a worker."""


def list_devices(scene):
    compare()


def sweep(scene):
    assert sum(expiry.expire_due(now=timezone.now() + timedelta(days=61))) == 1


STOPPED, KEPT, GONE = ["not_remembered"], ["remembered"], []
# Each door once, with one of the two acts: what both do at the pool is the same service's.
ACTS = {
    "the sweep": (STATUS, sweep, STOPPED),
    "comparing": ("AdminListDevices", list_devices, KEPT),
    "comparing, and stopping there": (STATUS, Scene.stopped_here, STOPPED),
    "comparing, and forgetting here": (FORGET, Scene.forgotten_there, GONE),
    "a user who stops": (STATUS, lambda scene: scene.own_page("stop_trusting"), STOPPED),
    "a program that forgets": (FORGET, lambda scene: scene.api("delete", "{key}/?note=Lost"), GONE),
    "a program that remembers": (STATUS, Scene.remember, KEPT),
    "a program that forgets many": (FORGET, lambda scene: scene.api_bulk("forget"), GONE),
    "staff who stop": (STATUS, lambda scene: scene.in_admin("stop_trusting"), STOPPED),
    "a worker who stops many": (STATUS, lambda scene: scene.in_background(BulkKind.STOP_TRUSTING), STOPPED),
    "a command": (FORGET, lambda scene: call_command("forget_devices", all_users=True, yes=True, verbosity=0), GONE),
}
TOLD = {"a program that remembers": 2}
"""How many answers are slow, where it is not one."""
UNLOGGED = ("comparing", "comparing, and stopping there")
"""What changes nothing here."""


@pytest.mark.parametrize("act", ACTS)
def test_whoever_acts_on_devices_holds_nobody_up_while_the_pool_is_slow(proxy, elsewhere, scene, act):
    step, do, left = ACTS[act]
    proxy.breaks(step, "slow")
    before = DeviceEvent.objects.count()
    do(scene)
    assert elsewhere.held_up
    assert not any(elsewhere.held_up)
    assert list(Device.objects.values_list("status", flat=True)) == left
    assert agree(scene.person)
    told = TOLD.get(act, 1)
    assert proxy.met == [step] * told
    assert DeviceEvent.objects.count() == before + (0 if act in UNLOGGED else told)


def test_what_other_apps_are_told_of_trust_holds_nobody_up(proxy, elsewhere, scene, settings):
    options = {**settings.TRUSTED_DEVICES["COGNITO"], "EXPIRY_ATTRIBUTE": "custom:trusted_until"}
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "COGNITO": options}
    proxy.breaks("*", "slow")
    devices.shorten_trust([scene.device], until=timezone.now() + timedelta(days=1), by=By())
    assert proxy.met == ["AdminGetUser", "AdminUpdateUserAttributes"]
    assert elsewhere.held_up == [False, False]


def test_a_slow_sign_in_is_a_sign_in_in_which_nothing_is_done_twice(proxy, browser, person):
    tokens.forget_keys()
    proxy.breaks("*", "slow")
    browser.trusted_sign_in(person)
    once = ["InitiateAuth", "PASSWORD_VERIFIER"]
    first = [*once, "AdminGetUser", "SOFTWARE_TOKEN_MFA", "JWKS", "ConfirmDevice", "UpdateDeviceStatus"]
    assert proxy.seen == first
    proxy.seen.clear()
    assert at(browser.password(person)) == "home"
    assert proxy.seen == [*once, "DEVICE_SRP_AUTH", "DEVICE_PASSWORD_VERIFIER"]
    done = DeviceEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(done) == ["confirmed", "remembered", "signed_in", "signed_in"]
    assert Device.objects.get().is_remembered
    assert agree(person)


def test_whoever_signs_in_holds_nobody_up_while_the_pool_is_slow(proxy, elsewhere, browser, person):
    proxy.breaks("*", "slow")
    assert at(browser.password(person)) == "sign_in_code"
    assert at(browser.code(person.code())) == "sign_in_trust"
    assert at(browser.trust()) == "home"
    browser.sign_out()
    tokens.forget_keys()
    assert at(browser.password(person)) == "home"
    assert proxy.met == proxy.seen
    assert len(elsewhere.held_up) == len(proxy.met)
    assert not any(elsewhere.held_up)
