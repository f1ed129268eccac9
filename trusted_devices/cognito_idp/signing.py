"""The RSA keys that sign tokens: one for access tokens and one for ID tokens in each pool, rotated with overlap.

A new key is published before it signs, so that verifiers that cache the key set know it in time; an old one stays
published until the last token that it signed has expired.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Q
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from trusted_devices import database
from trusted_devices.cognito_idp.models import SigningKey, TokenUse, UserPool
from trusted_devices.cognito_idp.sealed import record

PRIVATE_KEY = record("signing key")
ALGORITHM = "RS256"
KEY_BITS = 2048
HEADER = frozenset({"alg", "kid", "typ"})
"""What the headers of tokens say, and nothing beside it: extensions would be read before the signature."""
KEY_ID = re.compile(r"[0-9a-f]{32}")
JWKS_MAX_AGE = timedelta(minutes=15)
LEAD = timedelta(hours=1)
"""How long a new key is published before it signs."""
LONGEST_TOKEN = timedelta(days=1)
"""How long an access or ID token lasts at most."""


class BadSignature(Exception):
    """A token that none of the published keys signed."""


def ensure_keys(pool: UserPool, *, now: datetime) -> None:
    """Give ``pool`` its first keys if it has none."""
    for use in TokenUse:
        if not pool.signing_keys.filter(token_use=use).exists():
            _create(pool, use, signs_from=now)


def rotate(pool: UserPool, *, now: datetime) -> None:
    """Make new keys for ``pool``. They sign after ``LEAD``; the ones before them are published for a while after."""
    ensure_keys(pool, now=now)
    signs_from = now + LEAD
    with database.atomic():
        pool.signing_keys.filter(published_until=None).update(published_until=signs_from + LONGEST_TOKEN)
        for use in TokenUse:
            _create(pool, use, signs_from=signs_from)


def retire_now(pool: UserPool, *, now: datetime) -> None:
    """Replace keys that may have leaked: what they signed is good no longer, and the new ones sign at once."""
    with database.atomic():
        pool.signing_keys.all().delete()
        ensure_keys(pool, now=now)


def sign(pool: UserPool, use: TokenUse, claims: Mapping[str, Any], *, now: datetime) -> str:
    """Return ``claims`` as a JWT signed with the pool's current key for ``use``."""
    key = _current(pool, use, now)
    if key is None:
        ensure_keys(pool, now=now)
        key = _current(pool, use, now)
        assert key is not None  # ensure_keys() made it
    header = {"alg": ALGORITHM, "kid": key.kid}
    return jwt.encode(header, dict(claims), _private_key(key.kid, key.sealed_private_key))


def verify(token: str, *, kid: str, now: datetime) -> tuple[UserPool, dict[str, Any]]:
    """Return the pool whose published key ``kid`` signed ``token``, and its claims. Raises :class:`BadSignature`."""
    key = SigningKey.objects.select_related("pool").filter(_published(now), kid=kid).first()
    if key is None:
        raise BadSignature
    try:
        claims: dict[str, Any] = jwt.decode(token, RSAKey.import_key(key.public_jwk), algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, TypeError) as error:
        raise BadSignature from error
    return key.pool, claims


def published_keys(pool: UserPool, *, now: datetime) -> list[dict[str, Any]]:
    """Return the pool's public keys as JWKS entries, newest first."""
    return [key.public_jwk for key in pool.signing_keys.filter(_published(now)).order_by("-signs_from", "pk")]


def _published(now: datetime) -> Q:
    return Q(published_until=None) | Q(published_until__gt=now)


def _current(pool: UserPool, use: TokenUse, now: datetime) -> SigningKey | None:
    usable = pool.signing_keys.filter(_published(now), token_use=use, signs_from__lte=now)
    return usable.order_by("-signs_from", "-pk").first()


def _create(pool: UserPool, use: TokenUse, *, signs_from: datetime) -> None:
    kid = uuid.uuid4().hex
    key = RSAKey.generate_key(KEY_BITS, {"kid": kid, "use": "sig", "alg": ALGORITHM}, private=True)
    SigningKey.objects.create(
        pool=pool,
        token_use=use,
        kid=kid,
        sealed_private_key=PRIVATE_KEY.seal(key.as_dict(private=True)),
        public_jwk=key.as_dict(private=False),
        signs_from=signs_from,
    )


@lru_cache(maxsize=64)
def _private_key(kid: str, sealed: str) -> RSAKey:
    return RSAKey.import_key(PRIVATE_KEY.open(sealed))
