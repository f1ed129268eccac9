"""Setting up a software token: AssociateSoftwareToken and VerifySoftwareToken, with an access token or a session.

The token is the site's, so whether one may be added is the site's rule (``services.enrolment``), whatever factors the
pool knows. It is asked at each step, and once more where the token is put to use.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps

from trusted_devices.cognito_idp import attempts, errors, factors, tokens
from trusted_devices.cognito_idp.errors import WireError
from trusted_devices.cognito_idp.models import PoolUser, UserPool
from trusted_devices.cognito_idp.tokens import Bearer
from trusted_devices.exceptions import SecondFactorRequired
from trusted_devices.services import enrolment
from trusted_devices.types import By, MfaVerification


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCode:
    """The ``code`` of one that was begun, and what it is to be called; ``setup`` is its id where a session names it.

    ``then`` is done along with putting it to use: both are stored, or neither.
    """

    code: str = field(repr=False)
    name: str
    then: Callable[[MfaVerification], None]
    setup: str = ""


def are_offered(pool: UserPool) -> bool:
    """Return whether users of ``pool`` can set one up."""
    return pool.software_token_mfa and apps.is_installed("django_otp.plugins.otp_totp")


def refusal(pool_user: PoolUser) -> WireError:
    """Return what keeps a user whose sign-in used no second factor from changing theirs, and what they can do."""
    return errors.second_factor_unused() if factors.available(pool_user) else errors.second_factor_elsewhere()


@contextmanager
def changing(bearer: Bearer) -> Iterator[None]:
    """Hold the user of an access token while their factors are changed in the block.

    Raises ``WireError`` unless they may be changed, and what the sign-in was proved by still stands.
    """
    pool_user = bearer.pool_user
    try:
        with enrolment.changing(pool_user.user, verified=bearer.refresh_token.verification is not None) as stored:
            factors.read_again(pool_user, stored)
            tokens.require_standing(bearer.refresh_token)
            yield
    except SecondFactorRequired:
        raise refusal(pool_user) from None


@contextmanager
def setting_up(pool_user: PoolUser) -> Iterator[None]:
    """The same in a sign-in that has to set up the first factor: good as long as the user has none."""
    try:
        with enrolment.changing(pool_user.user, verified=False):
            yield
    except SecondFactorRequired:
        raise errors.session_overtaken() from None


def begin(pool_user: PoolUser) -> tuple[str, str]:
    """Return the id and the base32 key of a new one that is not in use yet, in place of any that was begun before.

    Raises ``WireError``. Call it while the user is held (:func:`changing`).
    """
    _begun(pool_user).delete()
    token = _model().objects.create(user=pool_user.user, confirmed=False, name=_name(pool_user))
    return token.persistent_id, base64.b32encode(token.bin_key).decode().rstrip("=")


def finish(pool_user: PoolUser, first: FirstCode, *, held: AbstractContextManager[None], by: By) -> MfaVerification:
    """Put to use the one that was begun, if the code is of it. Raises ``WireError``.

    ``held`` holds the user meanwhile (:func:`changing`, :func:`setting_up`): of the same code twice at once, or of two
    set-ups, the second finds what the first has stored. A wrong code is stored as such all the same.
    """
    user = pool_user.user
    with attempts.guess(attempts.code_subject(user.pk), user.get_username(), by=by) as guess:
        with held:
            token = _begun(pool_user).first()
            if token is None or (first.setup and token.persistent_id != first.setup):
                raise errors.software_token_not_found()
            if not token.verify_is_allowed()[0]:
                raise errors.too_many_requests()
            if token.verify_token(first.code):
                token.name, token.confirmed = first.name[:64], True
                token.save(update_fields=["name", "confirmed"])
                factors.enable(pool_user, factors.TOTP)
                stamp = factors.credential_stamp(pool_user)
                verification = MfaVerification(kind="totp", factor_id=token.persistent_id, at=by.at, stamp=stamp)
                first.then(verification)
                return verification
        guess.wrong = True
        raise WireError("EnableSoftwareTokenMFAException", "Code mismatch")


def _begun(pool_user: PoolUser) -> Any:
    if not are_offered(pool_user.pool):
        raise errors.software_tokens_off()
    return _model().objects.filter(user=pool_user.user, confirmed=False, name=_name(pool_user))


def _name(pool_user: PoolUser) -> str:
    return f"setup {pool_user.sub}"[:64]


def _model() -> Any:
    return apps.get_model("otp_totp", "TOTPDevice")
