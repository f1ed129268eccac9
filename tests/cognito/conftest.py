"""People and browsers of a pool that real boto3 reaches over HTTP, and of one without a server."""

from __future__ import annotations

import copy
import os
import re
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.cognito.stubs import DEVICE_KEY, SUB, StubbedPool, stubbed_settings
from tests.services.owner import open_transactions
from tests.shared_pool import Process
from trusted_devices.cognito import budget, client, tokens
from trusted_devices.models import CognitoUser, Device
from trusted_devices.types import Binding

# Not skipped: a strict run takes a skip for a failure.
collect_ignore = [] if os.environ.get("COGNITO_TEST_USER_POOL_ID") else ["test_real_pool.py"]

PASSWORD = "correct horse battery"


@dataclass
class Person:
    """A user of the pool."""

    process: Process | None
    username: str
    password: str = PASSWORD
    sub: str = ""

    def code(self):
        return str(self.process.act("code", username=self.username)["code"])

    def devices(self):
        return list(self.process.act("devices", username=self.username)["devices"])

    def mailed_code(self):
        body = self.process.act("mailed", username=self.username)["body"]
        return re.search(r"\d{6}", body).group()

    def texted_code(self, phone):
        return re.search(r"\d{6}", self.process.act("texted", phone=phone)["body"]).group()


@pytest.fixture(autouse=True)
def outside_of_transactions(monkeypatch):
    """However long the pool takes, it must not hold a transaction open."""
    once = client.PoolClient._once

    def outside(self, operation, params):
        assert open_transactions() == 0, f"{operation} within a transaction"
        return once(self, operation, params)

    monkeypatch.setattr(client.PoolClient, "_once", outside)


@pytest.fixture
def process(pool_process, settings, monkeypatch, tmp_path):
    """The process with a pool that tests share, as they have their own people; this site is set up for it."""
    pool_process.facts = pool_process.common_pool
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", pool_process.facts["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", pool_process.facts["secret_access_key"])
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    tokens.forget_keys()
    budget._bucket.cache_clear()
    cache.clear()
    settings.TRUSTED_DEVICES = site_settings(pool_process)
    return pool_process


def site_settings(process, **options):
    """The site's setting for the process's pool."""
    from tests.settings import TRUSTED_DEVICES

    found = copy.deepcopy(TRUSTED_DEVICES)
    found.pop("MFA")
    found["BACKEND"] = "cognito"
    found["COGNITO"] = {
        "USER_POOL_ID": process.facts["pool_id"],
        "CLIENT_ID": process.facts["secret_client_id"],
        "CLIENT_SECRET": process.facts["client_secret"],
        "ENDPOINT_URL": process.endpoint,
        "WRITES_PER_SECOND": 25,
        **options,
    }
    return found


@pytest.fixture
def person(process, db):
    """Somebody with an authenticator app."""
    return new_person(process, totp=True)


def new_person(process, **factors):
    person = Person(process, f"maria-{uuid.uuid4().hex[:8]}")
    answer = process.act(
        "new_user", pool=process.facts["pool_id"], username=person.username, password=person.password, **factors
    )
    person.sub = answer["sub"]
    return person


@dataclass
class Browser:
    """Signs in on the pages."""

    http: Client = field(default_factory=Client)

    def password(self, person, password=""):
        form = {"username": person.username, "password": password or person.password}
        return self.http.post(reverse("trusted_devices:sign_in"), form)

    def code(self, code):
        return self.http.post(reverse("trusted_devices:sign_in_code"), {"code": code})

    def new_password(self, password, **attributes):
        form = {"new_password1": password, "new_password2": password, **attributes}
        return self.http.post(reverse("trusted_devices:sign_in_new_password"), form)

    def choose(self, method):
        return self.http.post(reverse("trusted_devices:sign_in_code"), {"method": method})

    def trust(self, name="", period="5184000"):
        form = {"trust": "1", "period": period, "name": name}
        return self.http.post(reverse("trusted_devices:sign_in_trust"), form)

    def not_now(self):
        return self.http.post(reverse("trusted_devices:sign_in_trust"), {"not_now": "1"})

    def sign_out(self):
        self.http.post(reverse("trusted_devices:sign_out"))

    @property
    def is_signed_in(self):
        return "_auth_user_id" in self.http.session

    def trusted_sign_in(self, person, name=""):
        """All the way to a trusted device, and out again."""
        assert at(self.password(person)) == "sign_in_code"
        assert at(self.code(person.code())) == "sign_in_trust"
        assert at(self.trust(name)) == "home"
        self.sign_out()


@pytest.fixture
def pool(settings, monkeypatch):
    """A pool without a server, which this site is set up for; nobody waits before asking it again."""
    settings.TRUSTED_DEVICES = stubbed_settings()
    for module in (client, budget):
        monkeypatch.setattr(module, "sleep", lambda seconds: None)
    stubbed = StubbedPool()
    yield stubbed
    stubbed.close()


def trusts_the_device(pool, browser, name, sub, key):
    """Somebody whom the site knows trusts a new device at a pool without a server, and signs out."""
    pool.answers("initiate_auth", pool.half_of_srp(name))
    pool.answers("respond_to_auth_challenge", pool.challenge())
    assert at(browser.password(Person(None, name))) == "sign_in_code"
    tokens = pool.tokens(sub=sub, **{"cognito:username": name})
    new = {"NewDeviceMetadata": {"DeviceKey": key, "DeviceGroupKey": "-abcd1234"}}
    pool.answers("respond_to_auth_challenge", {"AuthenticationResult": {**tokens, **new}})
    assert at(browser.code("123456")) == "sign_in_trust"
    pool.answers("confirm_device", {"UserConfirmationNecessary": True})
    pool.answers("update_device_status")
    assert at(browser.trust()) == "home"
    browser.sign_out()


@pytest.fixture
def maria(db):
    """Somebody of the pool without a server, who has signed in before."""
    user = get_user_model().objects.create_user("maria", "m@example.com")
    CognitoUser.objects.create(user=user, sub=SUB, username="maria")
    return user


@pytest.fixture
def device(maria):
    """The device of Maria's that the pool without a server tells of, trusted."""
    now = timezone.now()
    return Device.objects.create(
        user=maria,
        device_key=DEVICE_KEY,
        binding=Binding.SRP,
        status="remembered",
        confirmed_at=now - timedelta(days=1),
        trust_granted_at=now,
        trust_expires_at=now + timedelta(days=60),
    )


@pytest.fixture
def browser(process, db):
    return Browser()


def at(response):
    """The name of the page that a response leads to."""
    from django.urls import resolve

    assert response.status_code == 302, (response.status_code, response.content.decode()[-3000:])
    return str(resolve(response.url.partition("?")[0]).url_name)
