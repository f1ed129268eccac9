"""Pools, clients and access keys."""

import uuid
from datetime import UTC, datetime
from functools import cache

from joserfc.jwk import RSAKey

from trusted_devices.cognito_idp import accounts, signing, sigv4
from trusted_devices.cognito_idp.models import AUTH_FLOWS, AccessKey, SigningKey, TokenUse, UserPool, UserPoolClient

SECRET = "0123456789abcdef0123456789abcdef"
KEY_SECRET = "an-access-key-secret"


def make_pool(**fields):
    """A pool as the demo's: opt-in, MFA let off on remembered devices."""
    defaults = {"name": "test pool", "tracking": "opt_in", "mfa": "OPTIONAL", "keep_srp_verifiers": True}
    pool = UserPool.objects.create(**{**defaults, **fields})
    for use in TokenUse:
        material = {**_rsa_key(), "kid": uuid.uuid4().hex}
        SigningKey.objects.create(
            pool=pool,
            token_use=use,
            kid=material["kid"],
            sealed_private_key=signing.PRIVATE_KEY.seal(material),
            public_jwk={name: material[name] for name in ("kty", "kid", "use", "alg", "n", "e")},
            signs_from=datetime(2020, 1, 1, tzinfo=UTC),
        )
    return pool


@cache
def _rsa_key():
    """One RSA key for all pools: making them is slow, and has tests of its own."""
    key = RSAKey.generate_key(signing.KEY_BITS, {"use": "sig", "alg": signing.ALGORITHM}, private=True)
    return dict(key.as_dict(private=True))


def make_client(pool, *, secret="", **fields):
    """A client that may do everything."""
    client = UserPoolClient(pool=pool, **{"name": "test client", "auth_flows": list(AUTH_FLOWS), **fields})
    if secret:
        accounts.set_client_secret(client, secret)
    client.save()
    return client


def make_access_key(*pools, operations=("*",), **fields):
    """An access key for everything, or for some pools."""
    key = AccessKey.objects.create(
        name="test",
        sealed_secret=sigv4.new_secret(KEY_SECRET),
        operations=list(operations),
        **{"all_pools": not pools, **fields},
    )
    key.pools.set(pools)
    return key
