"""A user pool does what the services rely on: the contracts that the site's own sign-in and owner keep as well."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.cognito.conftest import Browser, Person, Process
from trusted_devices import cookies
from trusted_devices.models import CognitoUser, Device
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.signin.cognito import CognitoSignIn
from trusted_devices.testing.contracts import PASSWORD, DeviceOwnerContract, SignInContract
from trusted_devices.types import DeviceCredential


class _AtThePool:
    """Users of the pool."""

    @pytest.fixture(autouse=True)
    def _pool(self, process: Process) -> None:
        self.process = process

    def make_user(self) -> Any:
        name = f"maria-{uuid.uuid4().hex[:8]}"
        there = self.process.act("new_user", pool=self.process.facts["pool_id"], username=name, password=PASSWORD)
        user = get_user_model().objects.create_user(name, f"{name}@example.com")
        CognitoUser.objects.create(user=user, sub=there["sub"], username=name)
        return user

    def add_factor(self, user: Any) -> Person:
        self.process.act("add_totp", username=user.get_username())
        return self.person(user)

    def code(self, factor: Person) -> str:
        return factor.code()

    def person(self, user: Any) -> Person:
        return Person(self.process, user.get_username(), PASSWORD)

    def make_trusted_device(self, user: Any) -> DeviceCredential:
        browser = Browser()
        browser.trusted_sign_in(self.person(user))
        return cookies.load(browser.http.cookies["trusted_device"].value).entries[0]


@pytest.mark.django_db
class TestCognitoSignIn(_AtThePool, SignInContract):
    def make_sign_in(self) -> CognitoSignIn:
        return CognitoSignIn()


@pytest.mark.django_db
class TestPoolOwner(_AtThePool, DeviceOwnerContract):
    def make_owner(self) -> PoolOwner:
        return PoolOwner()

    def make_device(self, user: Any) -> Device:
        self.make_trusted_device(user)
        return Device.objects.get(user=user)
