"""What a user is called in an SRP exchange, and with which salt: the same whether or not there is such a user.

A challenge is posed before the password is proved. What it shows hangs on what was typed and on the pool alone, so that
it tells neither whether somebody goes by that name nor, of an e-mail address, what the user name behind it is. All of
it is derived from a seed of the pool's own: under ``SECRET_KEY`` the names that nobody has would be those that change
when the key is rotated.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Any

from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.crypto import srp
from trusted_devices.crypto.verifier import lasting_salt


def is_address(pool: UserPool, typed: str) -> bool:
    """Return whether ``typed`` has the form of an address in a pool that takes addresses."""
    return pool.email_alias and "@" in typed


def of_user(pool: UserPool, user_pk: Any) -> str:
    """Return what the user is called who signs in by an address: made up, and not even their ``sub``."""
    return _made_up(pool, "user", str(user_pk))


def of_nobody(pool: UserPool, address: str) -> str:
    """Return the like for an address that nobody has."""
    return _made_up(pool, "nobody", canonical(address))


def canonical(address: str) -> str:
    """Return what two spellings of one address have in common: capitals from A to Z do not count, all else does.

    It decides both whose an address is and what nobody's is called, so that the two cannot differ on a spelling.
    """
    return address.encode().lower().decode()


def salt(pool: UserPool, name: str) -> int:
    """Return the salt that goes with a name in the pool."""
    return lasting_salt(key=_derived(pool, "salt", ""), identity=identity(pool, name))


def identity(pool: UserPool, name: str) -> srp.Identity:
    """Return the SRP identity of a name in the pool."""
    return srp.user_identity(pool_name=pool.pool_name, user_id=name)


def _made_up(pool: UserPool, kind: str, text: str) -> str:
    return str(uuid.UUID(bytes=_derived(pool, kind, text)[:16], version=4))


def _derived(pool: UserPool, label: str, text: str) -> bytes:
    return hmac.digest(pool.srp_seed.encode(), f"cognito_idp {label} v1\0{text}".encode(), "sha256")
