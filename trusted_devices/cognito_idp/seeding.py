"""A pool with clients and an access key to try things out with, always the same ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from trusted_devices import database
from trusted_devices.cognito_idp import accounts, conf, signing, sigv4
from trusted_devices.cognito_idp.models import AUTH_FLOWS, AccessKey, MfaConfiguration, UserPool, UserPoolClient
from trusted_devices.crypto.sealing import Record, Unsealable
from trusted_devices.types import TrackingMode

NAME = "Demo"


def seed(passwords: Mapping[str, str]) -> dict[str, str]:
    """Make sure that the demo's pool, clients and access key exist; return what a client needs to know of them.

    ``passwords`` maps user names to passwords that are right: those users get SRP verifiers. Running it again changes
    nothing. The secrets in the answer are for everybody to see, so nothing but a demonstration may use this.
    """
    with database.atomic():
        return _seed(passwords)


def _seed(passwords: Mapping[str, str]) -> dict[str, str]:
    pool, _created = UserPool.objects.get_or_create(
        name=NAME,
        defaults={
            "tracking": TrackingMode.OPT_IN,
            "challenge_required_on_new_device": True,
            "mfa": MfaConfiguration.OPTIONAL,
            "email_mfa": True,
            "sms_mfa": True,
            "keep_srp_verifiers": True,
        },
    )
    signing.ensure_keys(pool, now=timezone.now())
    public, _secret = _client(pool, f"{NAME} app", with_secret=False)
    confidential, client_secret = _client(pool, f"{NAME} server", with_secret=True)
    key, key_secret = _access_key()
    for user in get_user_model()._default_manager.filter(**{f"{get_user_model().USERNAME_FIELD}__in": list(passwords)}):
        accounts.keep_verifier(accounts.get_pool_user(pool, user), passwords[user.get_username()])
    return {
        "endpoint": conf.endpoint(),
        "region": conf.get_options().REGION,
        "user_pool_id": pool.pool_id,
        "client_id": public.client_id,
        "secret_client_id": confidential.client_id,
        "secret_client_secret": client_secret,
        "access_key_id": key.access_key_id,
        "secret_access_key": key_secret,
    }


def _client(pool: UserPool, name: str, *, with_secret: bool) -> tuple[UserPoolClient, str]:
    app_client, _created = UserPoolClient.objects.get_or_create(
        # As long as the demo's site waits for its half of a sign-in.
        pool=pool,
        name=name,
        defaults={"auth_flows": list(AUTH_FLOWS), "auth_session_validity": 10},
    )
    if not with_secret:
        return app_client, ""
    secret = _readable(accounts.CLIENT_SECRET, app_client.sealed_secret)
    if not secret:
        secret = secrets.token_hex(26)
        accounts.set_client_secret(app_client, secret)
        app_client.save(update_fields=["sealed_secret"])
    return app_client, secret


def _access_key() -> tuple[AccessKey, str]:
    """Return a key for everything, also for making pools of one's own."""
    key, _created = AccessKey.objects.get_or_create(name=NAME, defaults={"operations": ["*"], "all_pools": True})
    secret = _readable(sigv4.SECRET, key.sealed_secret)
    if not secret:
        secret = secrets.token_urlsafe(30)
        key.sealed_secret = sigv4.new_secret(secret)
        key.save(update_fields=["sealed_secret"])
    return key, secret


def _readable(record: Record, sealed: str) -> Any:
    try:
        return record.open(sealed)["secret"]
    except Unsealable:
        return ""
