"""Pools, clients and apps for the tests of the endpoint."""

import pytest

from tests.cognito_idp.factories import SECRET, make_access_key, make_client, make_pool
from tests.cognito_idp.scene import Scene
from tests.cognito_idp.signed import Admin
from tests.cognito_idp.wire import App, Wire
from trusted_devices.cognito_idp import accounts, senders

PASSWORD = "correct horse"


@pytest.fixture
def pool(db):
    """An opt-in pool whose remembered devices skip MFA, and that keeps SRP verifiers."""
    return make_pool()


@pytest.fixture
def app_client(pool):
    """A public client of the pool that may do everything."""
    return make_client(pool)


@pytest.fixture
def secret_client(pool):
    """A client of the pool with a secret."""
    return make_client(pool, secret=SECRET)


@pytest.fixture
def wire():
    """The endpoint."""
    return Wire()


@pytest.fixture
def srp_user(pool, user):
    """The user, with an SRP verifier in the pool."""
    accounts.keep_verifier(accounts.get_pool_user(pool, user), PASSWORD)
    return user


@pytest.fixture
def app(wire, app_client, user):
    """An app of a user without a second factor."""
    return App(wire, app_client, user.get_username(), PASSWORD)


@pytest.fixture
def mfa_app(app, totp):
    """An app of a user with a software token."""
    return app


@pytest.fixture
def scene(wire, admin, mfa_app, totp):
    """A user with a software token, and a program that may call everything."""
    return Scene(wire, admin, mfa_app, totp)


@pytest.fixture
def texts():
    """The text messages that were sent."""
    senders.outbox.clear()
    return senders.outbox


@pytest.fixture
def admin(wire, db):
    """A program that may call everything."""
    return Admin(wire, make_access_key())
