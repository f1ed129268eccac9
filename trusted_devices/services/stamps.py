"""The credential stamp: what a person proved is good only while what they proved it with stands.

A digest of the password hash and one of all second factors that are no recovery codes. It is taken when something is
proved, kept with whatever is allowed by that proof (a device's trust, a half-finished sign-in, a session's note,
tokens), and compared whenever that is used. It hangs on no key, so that key rotation leaves it as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.crypto import constant_time_compare

from trusted_devices.models import STAMP_DOT
from trusted_devices.signin import get_sign_in
from trusted_devices.types import MfaMethod


def credential_stamp(user: AbstractBaseUser, methods: Iterable[MfaMethod]) -> str:
    """Return the stamp of a user who has these second factors: two SHA-256 in hex with a dot between them.

    Factors that are kept elsewhere are no part of it: this site cannot tell when they change.
    """
    return password_stamp(user) + STAMP_DOT + _factor_stamp(methods if get_sign_in().keeps_factors else ())


def current(user: AbstractBaseUser) -> str:
    """Return the stamp as it is now. Reads the user's factors where this site keeps them."""
    sign_in = get_sign_in()
    return credential_stamp(user, sign_in.methods(user) if sign_in.keeps_factors else ())


def password_stamp(user: AbstractBaseUser) -> str:
    """Return the first half, which tells one stored password hash from another: that is itself salted and slow."""
    return hashlib.sha256(b"trusted_devices:password\0" + user.password.encode()).hexdigest()


def stands(stamp: str, current: str) -> bool:
    """Return whether nothing has changed since ``stamp`` was taken."""
    return constant_time_compare(stamp, current)


def has_password(stamp: str, user: AbstractBaseUser) -> bool:
    """Return whether ``stamp`` was taken under the password hash of ``user``, whatever factors there were.

    For lists of many users, whose factors nobody reads.
    """
    return constant_time_compare(stamp.partition(STAMP_DOT)[0], password_stamp(user))


def _factor_stamp(factors: Iterable[MfaMethod]) -> str:
    kept = sorted((method.id, method.fingerprint) for method in factors if not method.recovery)
    return hashlib.sha256(b"trusted_devices:factors\0" + json.dumps(kept).encode()).hexdigest()
