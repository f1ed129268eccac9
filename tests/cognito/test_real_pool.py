"""Against a pool that environment variables name, at Amazon or elsewhere. See docs/howto/cognito.md.

Not collected without them. The person they name gets a new device in each test and none of it is left over.
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_otp.oath import hotp

from tests.cognito.conftest import Browser, at
from trusted_devices.cognito import budget, checks, client, tokens
from trusted_devices.cognito.session import get_tokens
from trusted_devices.models import CognitoUser, Device
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.services import comparison, devices, expiry
from trusted_devices.types import By, StatusReason

STEP = 30
PREFIX = "COGNITO_TEST_"
AHEAD = int(os.environ.get(PREFIX + "STEPS_AHEAD") or 0)
"""How many codes of the future the pool takes."""
_used = []


@dataclass
class RealPerson:
    """Who the variables name."""

    username: str
    password: str
    key: bytes

    def code(self):
        """Return a code that was not used before, waiting for it where that takes it."""
        step = max([int(time.time()) // STEP, *(used + 1 for used in _used)])
        while step > int(time.time()) // STEP + AHEAD:
            time.sleep(1)
        _used[:] = [step]
        return f"{hotp(self.key, step):06d}"


@pytest.fixture(autouse=True)
def _site(settings):
    names = ("USER_POOL_ID", "CLIENT_ID", "CLIENT_SECRET", "ENDPOINT_URL", "REGION", "AUTH_FLOW")
    given = {name: os.environ[PREFIX + name] for name in names if os.environ.get(PREFIX + name)}
    kept = {name: value for name, value in settings.TRUSTED_DEVICES.items() if name != "MFA"}
    settings.TRUSTED_DEVICES = {**kept, "BACKEND": "cognito", "COGNITO": given}
    client._built.cache_clear()
    tokens.forget_keys()
    budget._bucket.cache_clear()
    cache.clear()


@pytest.fixture
def person():
    secret = os.environ[PREFIX + "TOTP_SECRET"].replace(" ", "").upper()
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return RealPerson(os.environ[PREFIX + "USERNAME"], os.environ[PREFIX + "PASSWORD"], key)


@pytest.fixture
def browser(db):
    yield Browser()
    devices.forget(list(Device.objects.all()), by=By())


def trusted(browser, person):
    assert at(browser.password(person)) == "sign_in_code"
    assert at(browser.code(person.code())) == "sign_in_trust"
    assert at(browser.trust("test of trusted_devices")) == "home"
    return Device.objects.get()


def in_the_pool(device):
    owned = {each.device_key: each.status for each in PoolOwner().list_devices(device.user)}
    return owned.get(device.device_key)


def test_the_pool_is_set_up_as_the_how_to_says():
    assert [message.msg for message in [*checks.check_options(), *checks.check_pool()]] == []


def test_a_device_is_trusted_stopped_and_forgotten(browser, person):
    device = trusted(browser, person)
    assert in_the_pool(device) == "remembered"
    assert get_tokens(browser.http.session, now=timezone.now() + timedelta(days=1) - timedelta(hours=23)).access
    browser.sign_out()
    assert at(browser.password(person)) == "home"
    browser.sign_out()
    devices.stop_trusting([device], reason=StatusReason.STAFF_STOPPED, by=By())
    assert in_the_pool(device) == "not_remembered"
    assert at(browser.password(person)) == "sign_in_code"
    devices.forget([device], by=By())
    assert in_the_pool(device) is None


def test_the_sweep_and_the_comparison(browser, person):
    device = trusted(browser, person)
    now = timezone.now()
    found = [each.drift.get(device.device_key) for each in comparison.compare(since=now, now=now, mend=False)]
    assert found == [None]
    assert sum(expiry.expire_due(now=now + timedelta(days=91))) == 1
    assert in_the_pool(device) == "not_remembered"
    assert CognitoUser.objects.count() == 1


def test_a_wrong_password_is_refused(browser, person):
    person.password += "x"
    assert browser.password(person).status_code == 400
