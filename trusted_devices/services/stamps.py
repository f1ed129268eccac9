"""What trust hangs on besides the device: the credentials of its user at the moment when it was given."""

from __future__ import annotations

import hashlib

from django.contrib.auth.base_user import AbstractBaseUser


def password_stamp(user: AbstractBaseUser) -> str:
    """Return what tells one stored password hash from another: a digest of the hash, itself salted and slow."""
    return hashlib.sha256(b"trusted_devices:password\0" + user.password.encode()).hexdigest()
