"""A user pool does what the services rely on: the contracts that the site's own sign-in and owner keep as well."""

import uuid

import pytest
from django.contrib.auth import get_user_model

from tests.cognito.conftest import Browser, Person
from trusted_devices import cookies
from trusted_devices.models import CognitoUser, Device
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.signin.cognito import CognitoSignIn
from trusted_devices.testing.contracts import PASSWORD, DeviceOwnerContract, SignInContract


class _AtThePool:
    """Users of the pool."""

    @pytest.fixture(autouse=True)
    def _pool(self, process):
        self.process = process

    def make_user(self):
        name = f"maria-{uuid.uuid4().hex[:8]}"
        there = self.process.act("new_user", pool=self.process.facts["pool_id"], username=name, password=PASSWORD)
        user = get_user_model().objects.create_user(name, f"{name}@example.com")
        CognitoUser.objects.create(user=user, sub=there["sub"], username=name)
        return user

    def add_factor(self, user):
        self.process.act("add_totp", username=user.get_username())
        return self.person(user)

    def code(self, factor):
        return factor.code()

    def person(self, user):
        return Person(self.process, user.get_username(), PASSWORD)

    def make_trusted_device(self, user):
        browser = Browser()
        browser.trusted_sign_in(self.person(user))
        return cookies.load(browser.http.cookies["trusted_device"].value).entries[0]


@pytest.mark.django_db
class TestCognitoSignIn(_AtThePool, SignInContract):
    def make_sign_in(self):
        return CognitoSignIn()


@pytest.mark.django_db
class TestPoolOwner(_AtThePool, DeviceOwnerContract):
    def make_owner(self):
        return PoolOwner()

    def make_device(self, user):
        self.make_trusted_device(user)
        return Device.objects.get(user=user)
