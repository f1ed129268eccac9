"""Who may add, reset or remove a second factor: one rule behind every door.

Whoever has any second factor must have used one in this sign-in; a trusted device stands in for none here (NIST SP
800-63B-4, section 4.1.2). Whoever has none may add the first. Every step of a set-up asks :func:`may_change`, and
what is stored is stored within :func:`changing`, so that of two set-ups that began without a factor one goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices import database
from trusted_devices.exceptions import SecondFactorRequired
from trusted_devices.services import second_factor

HasFactor = Callable[[AbstractBaseUser], bool]
_others: list[HasFactor] = []


def count_in(has: HasFactor) -> None:
    """Count in the factors of which ``has`` tells, beside the sign-in backend's. Doing it twice is the same as once."""
    if has not in _others:
        _others.append(has)


def has_factor(user: AbstractBaseUser) -> bool:
    """Return whether ``user`` has any second factor, wherever it is asked for. Raises ``BackendUnavailable``."""
    return bool(second_factor.methods(user)) or any(has(user) for has in _others)


def may_change(user: AbstractBaseUser, *, verified: bool) -> bool:
    """Return whether ``user`` may change their factors now. Raises ``BackendUnavailable``.

    ``verified`` says that a second factor or a recovery code, and not a trusted device, was used in this sign-in.
    """
    return verified or not has_factor(user)


@contextmanager
def changing(user: AbstractBaseUser, *, verified: bool) -> Iterator[AbstractBaseUser]:
    """Hold ``user`` while a factor is stored or removed in the block, in a transaction, after asking the rule again.

    Yields the user as stored. Raises ``SecondFactorRequired``, also for a user who was disabled or deleted meanwhile.
    """
    with database.atomic():
        # Rows that refer to the user can be stored meanwhile, where the database tells such locks apart.
        no_key = database.connection().features.has_select_for_no_key_update
        users = get_user_model()._base_manager.select_for_update(no_key=no_key)
        stored = users.filter(pk=user.pk).first()
        if stored is None or not stored.is_active or not may_change(user, verified=verified):
            raise SecondFactorRequired
        yield stored
