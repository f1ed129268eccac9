"""When Django merely hashes a password anew, which changes nothing that rests on the password."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import get_hasher, identify_hasher


def may_be(user: AbstractBaseUser, update_fields: Collection[str] | None) -> bool:
    """Return whether this save has the shape of Django's hash upgrade in ``AbstractBaseUser.check_password``.

    That calls ``set_password``, takes ``_password`` back to ``None`` and saves this one field. On a user to whom a hash
    was merely assigned, ``_password`` is still the class's.
    """
    return vars(user).get("_password", "") is None and set(update_fields or ()) == {"password"}


def happened(stored: Any, user: AbstractBaseUser) -> bool:
    """Return whether the stored hash was due for an upgrade and the new one needs none (``verify_password``)."""
    preferred = get_hasher()
    try:
        old = identify_hasher(stored.password)
        new = identify_hasher(user.password)
    except ValueError:
        return False
    outdated = old.algorithm != preferred.algorithm or preferred.must_update(stored.password)
    return outdated and new.algorithm == preferred.algorithm
