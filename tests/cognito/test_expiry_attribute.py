"""Expiry dates in a custom attribute of the pool's users, for other apps to see."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tests.cognito.conftest import site_settings
from trusted_devices.cognito import calls, translate
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.services import comparison, devices, expiry
from trusted_devices.types import By

NAME = "custom:trusted_until"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _published(process, settings):
    settings.TRUSTED_DEVICES = site_settings(process, EXPIRY_ATTRIBUTE=NAME)


def published(person):
    value = person.process.act("attribute", sub=person.sub, attribute=NAME)["value"]
    return None if value is None else json.loads(value)


def stored():
    return {device.device_key: int(device.trust_expires_at.timestamp()) for device in Device.objects.all()}


@pytest.mark.django_db(transaction=True)
class TestOtherAppsSee:
    def test_until_when_a_device_is_trusted(self, browser, person):
        browser.trusted_sign_in(person)
        assert published(person) == stored()

    def test_that_it_is_trusted_for_a_shorter_time(self, browser, person):
        browser.trusted_sign_in(person)
        devices.shorten_trust(list(Device.objects.all()), until=timezone.now() + DAY, by=By())
        assert published(person) == stored()

    @pytest.mark.parametrize("how", ["stop", "forget"])
    def test_that_it_is_not_trusted_any_more(self, browser, person, how):
        browser.trusted_sign_in(person)
        found = list(Device.objects.all())
        if how == "stop":
            devices.stop_trusting(found, reason="staff_stopped", by=By())
        else:
            devices.forget(found, by=By())
        assert published(person) == {}

    def test_a_date_that_has_passed_after_the_sweep(self, browser, person):
        browser.trusted_sign_in(person)
        later = timezone.now() + 61 * DAY
        assert sum(expiry.expire_due(now=later)) == 1
        assert all(until <= later.timestamp() for until in published(person).values())

    def test_by_the_next_comparison_what_could_not_be_told(self, browser, person, monkeypatch):
        def away(*args):
            raise BackendUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(PoolOwner, "publish_expiry", away)
            browser.trusted_sign_in(person)
        assert published(person) is None
        now = timezone.now()
        assert [found.drift for found in comparison.compare(since=now, now=now)] == [{}]
        assert published(person) == stored()

    def test_nothing_of_a_user_whom_the_pool_deleted(self, browser, person, process):
        browser.trusted_sign_in(person)
        process.act("delete_user", username=person.username)
        devices.forget(list(Device.objects.all()), by=By())
        assert not Device.objects.exists()


def test_what_is_as_it_should_be_is_not_written_again(browser, person, monkeypatch):
    browser.trusted_sign_in(person)
    now = timezone.now()
    list(comparison.compare(since=now, now=now))
    asked = []
    call = calls.as_staff

    def listen(operation, **params):
        asked.append(operation)
        return call(operation, **params)

    monkeypatch.setattr(calls, "as_staff", listen)
    list(comparison.compare(since=timezone.now(), now=timezone.now()))
    assert asked == ["admin_list_devices", "admin_get_user"]


def test_a_user_who_is_not_from_the_pool_has_no_attribute(process, user):
    PoolOwner().publish_expiry(user.pk, {})


@pytest.mark.parametrize("count", [0, 1, 20, 32, 200])
def test_it_never_outgrows_the_attribute_and_leaves_out_what_ends_soonest(count):
    first = datetime(2026, 1, 1, tzinfo=UTC)
    dates = {f"eu-central-1_{number:08}-0000-4000-8000-000000000000": first + number * DAY for number in range(count)}
    text = translate.expiry_attribute(dates)
    assert len(text) <= 2048
    kept = json.loads(text)
    assert len(kept) == min(count, len(kept))
    assert count <= 20 or len(kept) > 20
    assert count > 32 or len(kept) == count
    assert list(kept) == sorted(dates, key=dates.get, reverse=True)[: len(kept)]
    assert all(until == dates[key].timestamp() for key, until in kept.items())
