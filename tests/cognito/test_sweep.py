"""The sweep, and comparing mirror and pool, against a pool in another process."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.cognito.conftest import at, new_person
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.owners import remote
from trusted_devices.services import comparison, devices, expiry, transitions
from trusted_devices.services.comparison import Drift
from trusted_devices.types import By

DAY = timedelta(days=1)


def statuses(person):
    return [device["status"] for device in person.devices()]


def test_devices_whose_trust_has_ended_are_not_remembered_in_the_pool_either(browser, person):
    browser.trusted_sign_in(person)
    later = timezone.now() + 61 * DAY
    assert list(expiry.expire_due(now=later)) == [1]
    assert statuses(person) == ["not_remembered"]
    device = Device.objects.get()
    assert (device.status, device.status_reason) == ("not_remembered", "expired")
    assert DeviceEvent.objects.filter(action="expired").count() == 1
    assert list(expiry.expire_due(now=later)) == []


def test_trust_ends_on_its_date_though_the_pool_remembers_the_device(browser, person):
    browser.trusted_sign_in(person)
    Device.objects.update(trust_expires_at=timezone.now())
    assert at(browser.password(person)) == "sign_in_code"
    assert statuses(person) == ["remembered"]


def test_trusting_again_gives_the_browser_a_new_device_of_the_same_name(browser, person):
    browser.trusted_sign_in(person, "laptop")
    old = Device.objects.get()
    Device.objects.update(trust_expires_at=timezone.now())
    browser.password(person)
    assert at(browser.code(person.code())) == "sign_in_trust"
    assert at(browser.trust()) == "home"
    device = Device.objects.get()
    assert device.device_key != old.device_key
    assert device.name == "laptop"
    assert [owned["key"] for owned in person.devices()] == [device.device_key]
    browser.sign_out()
    assert at(browser.password(person)) == "home"


def test_a_worker_that_died_before_writing_leaves_the_device_to_the_next(browser, person, monkeypatch):
    browser.trusted_sign_in(person)
    later = timezone.now() + 61 * DAY

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transitions.activity, "build", die)
        with pytest.raises(KeyboardInterrupt):
            list(expiry.expire_due(now=later))
    assert (Device.objects.get().status, statuses(person)) == ("remembered", ["not_remembered"])
    monkeypatch.setattr(remote, "_claim", lambda device: True)  # the claim of the dead worker has run out
    assert list(expiry.expire_due(now=later)) == [1]
    assert Device.objects.get().status == "not_remembered"


def test_what_another_worker_has_claimed_is_left_to_it(browser, person):
    browser.trusted_sign_in(person)
    assert remote._claim(Device.objects.get())
    assert sum(expiry.expire_due(now=timezone.now() + 61 * DAY)) == 0
    assert statuses(person) == ["remembered"]


def test_trust_that_was_renewed_while_the_pool_was_told_is_given_back_there(browser, person, monkeypatch):
    from trusted_devices.owners.pool import PoolOwner

    browser.trusted_sign_in(person)
    later = timezone.now() + 61 * DAY
    told = PoolOwner.update_device_status

    def renew_meanwhile(self, device, status):
        told(self, device, status)
        Device.objects.update(trust_expires_at=later + DAY)

    monkeypatch.setattr(PoolOwner, "update_device_status", renew_meanwhile)
    assert sum(expiry.expire_due(now=later)) == 0
    assert (Device.objects.get().status, statuses(person)) == ("remembered", ["remembered"])


def test_the_plan_says_when_the_sweep_will_be_done(browser, person):
    browser.trusted_sign_in(person)
    out = StringIO()
    call_command("expire_devices", plan=True, stdout=out)
    assert "Devices due: 0" in out.getvalue()
    plan = expiry.plan(timezone.now() + 61 * DAY)
    assert (plan.due, plan.per_second) == (1, 25)
    assert plan.done_at > timezone.now() + 61 * DAY


def test_staff_forget_a_device_in_the_pool_and_here(browser, person):
    browser.trusted_sign_in(person)
    devices.forget(list(Device.objects.all()), by=By())
    assert person.devices() == []
    assert not Device.objects.exists()
    assert at(browser.password(person)) == "sign_in_code"


def test_trust_that_staff_end_ends_in_the_pool_too(browser, person):
    browser.trusted_sign_in(person)
    devices.stop_trusting(list(Device.objects.all()), reason="staff_stopped", by=By())
    assert statuses(person) == ["not_remembered"]
    assert at(browser.password(person)) == "sign_in_code"


class TestComparing:
    def compare(self, **options):
        now = timezone.now()
        return {
            key: kind
            for found in comparison.compare(since=now, now=now, **options)
            for key, kind in found.drift.items()
        }

    def test_what_agrees_is_left_alone(self, browser, person):
        browser.trusted_sign_in(person)
        assert self.compare() == {}
        assert CognitoUser.objects.get().synced_at is not None
        assert statuses(person) == ["remembered"]

    def test_a_device_that_the_pool_forgot_is_forgotten_here(self, browser, person, process):
        browser.trusted_sign_in(person)
        key = Device.objects.get().device_key
        process.act("forget", device_key=key)
        assert self.compare(mend=False) == {key: Drift.UNKNOWN_THERE}
        assert Device.objects.exists()
        assert self.compare() == {key: Drift.UNKNOWN_THERE}
        assert not Device.objects.exists()

    def test_a_device_that_only_the_pool_knows_is_listed_here_and_skips_no_mfa(self, browser, person):
        browser.trusted_sign_in(person, "laptop")
        key = Device.objects.get().device_key
        Device.objects.all().delete()
        assert self.compare() == {key: Drift.UNKNOWN_HERE}
        device = Device.objects.get()
        assert (device.device_key, device.status, device.name) == (key, "remembered", "laptop")
        assert device.trust_expires_at is None
        assert at(browser.password(person)) == "sign_in_code"
        assert self.compare() == {}

    @pytest.mark.parametrize("there", ["remembered", "not_remembered"])
    def test_where_they_disagree_nobody_remembers_the_device(self, browser, person, process, there):
        browser.trusted_sign_in(person)
        device = Device.objects.get()
        if there == "remembered":
            Device.objects.update(status="not_remembered")
            expected = Drift.REMEMBERED_THERE_ONLY
        else:
            process.act("set_status", device_key=device.device_key, status=there)
            expected = Drift.REMEMBERED_HERE_ONLY
        assert self.compare() == {device.device_key: expected}
        assert (Device.objects.get().status, statuses(person)) == ("not_remembered", ["not_remembered"])

    def test_a_run_that_was_interrupted_goes_on_where_it_stopped(self, browser, process):
        for _ in range(3):
            browser.trusted_sign_in(new_person(process, totp=True))
        began = timezone.now()
        run = comparison.compare(since=began, now=began)
        next(run)
        next(run)
        run.close()
        assert comparison.count(since=began) == 1
        assert len(list(comparison.compare(since=began, now=timezone.now()))) == 1

    def test_the_command_reports(self, browser, person, process):
        browser.trusted_sign_in(person)
        process.act("forget", device_key=Device.objects.get().device_key)
        out = StringIO()
        call_command("sync_devices", stdout=out, stderr=StringIO())
        assert "Users compared: 1" in out.getvalue()
        assert "Devices unknown to the owner, forgotten here: 1" in out.getvalue()

    def test_a_user_whom_the_pool_deleted_has_no_devices(self, browser, person, process):
        browser.trusted_sign_in(person)
        process.act("delete_user", username=person.username)
        assert list(self.compare().values()) == [Drift.UNKNOWN_THERE]
        assert not Device.objects.exists()
