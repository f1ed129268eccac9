"""A site served on loopback for real AWS clients, and what they need to know of it."""

from __future__ import annotations

import copy
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.factories import KEY_SECRET, SECRET, make_access_key, make_client, make_pool
from tests.cognito_idp.wire import totp_code
from tests.shared_database import PATIENCE
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import AccessKey, PoolUser, UserPool, UserPoolClient

USERNAME, PASSWORD = "maria", "correct horse battery"


@dataclass(frozen=True, kw_only=True)
class Site:
    """The running site."""

    endpoint: str
    region: str
    pool: UserPool
    client: UserPoolClient
    secret_client: UserPoolClient
    key: AccessKey
    factor: TOTPDevice

    opened: list[Any] = field(default_factory=list)

    secret: str = SECRET
    username: str = USERNAME
    password: str = PASSWORD

    def code(self):
        """A code that the user's authenticator app shows now."""
        return totp_code(self.factor)

    def require_new_password(self, *attributes):
        """Have the user set a new password, and give ``attributes``, at the next sign-in."""
        UserPool.objects.filter(pk=self.pool.pk).update(required_attributes=list(attributes))
        PoolUser.objects.filter(pool=self.pool, user=self.factor.user).update(must_change_password=True)

    def boto3(self, *, signed=False, **options):
        """boto3's client, with credentials only for Admin calls."""
        defaults = {
            "region_name": self.region,
            "endpoint_url": self.endpoint,
            "config": Config(retries={"max_attempts": 1}),
        }
        if signed:
            defaults |= {"aws_access_key_id": self.key.access_key_id, "aws_secret_access_key": KEY_SECRET}
        client = boto3.session.Session().client("cognito-idp", **{**defaults, **options})
        self.opened.append(client)
        return client


@pytest.fixture
def no_ambient_credentials(monkeypatch, tmp_path):
    """Whatever AWS configuration the machine has is not used."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def served(live_server, monkeypatch):
    """The URL of the running site. Afterwards it serves nobody any more, whatever connections clients keep alive.

    Each has a thread, which closes its database connection when it ends. Ending after the run is too late for that.
    """
    server = live_server.thread.httpd
    accept, accepted, before = server.get_request, [], threading.enumerate()

    def get_request():
        accepted.append(accept())
        return accepted[-1]

    monkeypatch.setattr(server, "get_request", get_request)
    yield live_server.url
    for connection, _address in accepted:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name and thread not in before:
            thread.join(PATIENCE)


@pytest.fixture
def site(served, settings, no_ambient_credentials):
    """A site with one user who has an authenticator app, and the pool of the demo."""
    options = copy.deepcopy(django_settings.TRUSTED_DEVICES)
    options["COGNITO_IDP"]["ENDPOINT"] = f"{served}/cognito-idp"
    settings.TRUSTED_DEVICES = options
    settings.OTP_TOTP_THROTTLE_FACTOR = 0
    pool = make_pool()
    user = get_user_model().objects.create_user(USERNAME, "maria@example.com", PASSWORD)
    accounts.keep_verifier(accounts.get_pool_user(pool, user), PASSWORD)
    site = Site(
        endpoint=f"{served}/cognito-idp",
        region="us-east-1",
        pool=pool,
        client=make_client(pool),
        secret_client=make_client(pool, secret=SECRET),
        key=make_access_key(),
        factor=TOTPDevice.objects.create(user=user, name="app", confirmed=True),
    )
    yield site
    for client in site.opened:
        client.close()
