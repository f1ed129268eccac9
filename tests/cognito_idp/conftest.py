"""Pools, clients and apps for the tests of the endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.factories import SECRET, make_access_key, make_client, make_pool
from tests.cognito_idp.scene import Scene
from tests.cognito_idp.signed import Admin
from tests.cognito_idp.wire import App, Wire
from trusted_devices.cognito_idp import accounts, senders
from trusted_devices.cognito_idp.models import UserPool, UserPoolClient

PASSWORD = "correct horse"


@pytest.fixture
def pool(db: None) -> UserPool:
    """An opt-in pool whose remembered devices skip MFA, and that keeps SRP verifiers."""
    return make_pool()


@pytest.fixture
def app_client(pool: UserPool) -> UserPoolClient:
    """A public client of the pool that may do everything."""
    return make_client(pool)


@pytest.fixture
def secret_client(pool: UserPool) -> UserPoolClient:
    """A client of the pool with a secret."""
    return make_client(pool, secret=SECRET)


@pytest.fixture
def wire() -> Wire:
    """The endpoint."""
    return Wire()


@pytest.fixture
def srp_user(pool: UserPool, user: Any) -> Any:
    """The user, with an SRP verifier in the pool."""
    accounts.keep_verifier(accounts.get_pool_user(pool, user), PASSWORD)
    return user


@pytest.fixture
def app(wire: Wire, app_client: UserPoolClient, user: Any) -> App:
    """An app of a user without a second factor."""
    return App(wire, app_client, user.get_username(), PASSWORD)


@pytest.fixture
def mfa_app(app: App, totp: TOTPDevice) -> App:
    """An app of a user with a software token."""
    return app


@pytest.fixture
def scene(wire: Wire, admin: Admin, mfa_app: App, totp: TOTPDevice) -> Scene:
    """A user with a software token, and a program that may call everything."""
    return Scene(wire, admin, mfa_app, totp)


@pytest.fixture
def texts() -> list[tuple[str, str]]:
    """The text messages that were sent."""
    senders.outbox.clear()
    return senders.outbox


@pytest.fixture
def admin(wire: Wire, db: None) -> Admin:
    """A program that may call everything."""
    return Admin(wire, make_access_key())
