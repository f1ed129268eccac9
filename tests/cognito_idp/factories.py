"""Pools, clients and access keys."""

from __future__ import annotations

from typing import Any

from trusted_devices.cognito_idp import accounts, sigv4
from trusted_devices.cognito_idp.models import AUTH_FLOWS, AccessKey, UserPool, UserPoolClient

SECRET = "an-app-client-secret"
KEY_SECRET = "an-access-key-secret"


def make_pool(**fields: Any) -> UserPool:
    """A pool as the demo's: opt-in, MFA let off on remembered devices."""
    defaults = {"name": "test pool", "tracking": "opt_in", "mfa": "OPTIONAL", "keep_srp_verifiers": True}
    return UserPool.objects.create(**{**defaults, **fields})


def make_client(pool: UserPool, *, secret: str = "", **fields: Any) -> UserPoolClient:
    """A client that may do everything."""
    client = UserPoolClient(pool=pool, **{"name": "test client", "auth_flows": list(AUTH_FLOWS), **fields})
    if secret:
        accounts.set_client_secret(client, secret)
    client.save()
    return client


def make_access_key(*pools: UserPool, operations: tuple[str, ...] = ("*",), **fields: Any) -> AccessKey:
    """An access key for everything, or for some pools."""
    key = AccessKey.objects.create(
        name="test", sealed_secret=sigv4.new_secret(KEY_SECRET), operations=list(operations), **fields
    )
    key.pools.set(pools)
    return key
