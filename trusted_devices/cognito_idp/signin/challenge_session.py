"""The session of a sign-in: what is known of it between two steps, sealed in the hands of the client, good once."""

from __future__ import annotations

import dataclasses
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.cognito_idp import accounts, errors, factors
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.cognito_idp.spent import is_spent, spend
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.services import enrolment, stamps
from trusted_devices.types import MfaVerification

_SESSION = record("session")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeSession:
    """A sign-in whose first factor was passed. ``challenge`` is what it waits for.

    ``sign_in`` is what all sessions of one sign-in have in common; ``stamp`` ties it to the credentials that the user
    had then; ``code`` is the digest of a code sent by text message; ``setup`` names the software token being set up.
    """

    client_id: str
    pool_user_id: int
    sign_in: str
    stamp: str = field(repr=False)
    challenge: str
    expires: float
    device_key: str = ""
    code: str = field(default="", repr=False)
    setup: str = ""
    verified: list[Any] | None = None
    nonce: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @classmethod
    def start(cls, request: SignInRequest, pool_user: PoolUser, *, device_key: str) -> Self:
        """Return the session of a sign-in whose first factor was passed just now."""
        return cls(
            client_id=request.app_client.client_id,
            pool_user_id=pool_user.pk,
            sign_in=secrets.token_hex(16),
            stamp=factors.credential_stamp(pool_user),
            challenge="",
            expires=expiry(request).timestamp(),
            device_key=device_key,
        )

    @classmethod
    def open(cls, text: str) -> Self:
        """Read what :meth:`seal` made. Raises ``WireError``."""
        if not text:
            raise errors.missing_parameter("Session")
        try:
            return cls(**_SESSION.open(text))
        except (Unsealable, TypeError):
            raise errors.invalid_session() from None

    def seal(self) -> str:
        """Return it sealed, as ``Session`` travels."""
        return _SESSION.seal(self.record())

    def record(self) -> dict[str, Any]:
        """Return it as something to store."""
        return dataclasses.asdict(self)

    def waiting_for(self, challenge: str, **changes: Any) -> Self:
        """Return the session that follows this one and waits for ``challenge``."""
        return dataclasses.replace(self, challenge=challenge, nonce=secrets.token_hex(16), **changes)

    def after(self, verification: MfaVerification) -> Self:
        """Return the session after its second factor, which a set-up may have added to the user's."""
        kept = [verification.kind, verification.factor_id, verification.at.timestamp()]
        return dataclasses.replace(self, verified=kept, stamp=verification.stamp)

    @property
    def verification(self) -> MfaVerification | None:
        """The second factor that was verified in this sign-in, if one was."""
        if self.verified is None:
            return None
        kind, factor_id, at = self.verified
        return MfaVerification(kind=kind, factor_id=factor_id, at=datetime.fromtimestamp(at, UTC), stamp=self.stamp)

    def stands(self, pool_user: PoolUser) -> bool:
        """Return whether the user is still active and still has the credentials that the sign-in is bound to."""
        if not pool_user.user.is_active or (self.verified and factors.is_gone(pool_user, self.verified[1])):
            return False
        return stamps.stands(self.stamp, factors.credential_stamp(pool_user))

    def has_password(self, user: AbstractBaseUser) -> bool:
        """Return whether the user is still active and still has the password that the sign-in began with."""
        return bool(user.is_active) and stamps.has_password(self.stamp, user)

    def challenge_answer(self, parameters: dict[str, str]) -> dict[str, Any]:
        """Return the answer that poses the challenge this session waits for."""
        return {"ChallengeName": self.challenge, "Session": self.seal(), "ChallengeParameters": parameters}


def expiry(request: SignInRequest) -> datetime:
    """Return when a session that begins now ends."""
    return request.now + timedelta(minutes=request.app_client.auth_session_validity)


def load(request: SignInRequest) -> tuple[ChallengeSession, PoolUser]:
    """Return the session of the challenge that is answered, and whose it is.

    Raises ``WireError`` unless it is of this app client and user, waits for this challenge, is fresh and unused.
    """
    username = request.require("USERNAME")
    session = ChallengeSession.open(request.session_text)
    request.require_secret_hash(username)
    pool_user = accounts.load_pool_user(session.pool_user_id)
    if pool_user is None or session.client_id != request.app_client.client_id:
        raise errors.invalid_session()
    if not accounts.is_name_of(pool_user, username) or session.challenge != request.step:
        raise errors.invalid_session()
    _require_fresh(session, request.session_text, now=request.now)
    if not pool_user.user.is_active:
        raise errors.user_disabled()
    if not session.stands(pool_user):
        raise errors.invalid_session()
    return session, pool_user


def load_for_setup(text: str, *, now: datetime) -> tuple[ChallengeSession, PoolUser]:
    """Return the session of a sign-in that has to set up a factor, and whose it is.

    Raises ``WireError``, also once the user has a factor, of whatever kind.
    """
    session = ChallengeSession.open(text)
    pool_user = accounts.load_pool_user(session.pool_user_id)
    if pool_user is None or session.challenge != "MFA_SETUP":
        raise errors.invalid_session()
    _require_fresh(session, text, now=now)
    if enrolment.has_factor(pool_user.user):
        raise errors.session_overtaken()
    if not session.stands(pool_user):
        raise errors.invalid_session()
    return session, pool_user


def use_up(session: ChallengeSession, text: str, *, now: datetime) -> None:
    """Use up a session, which travelled as ``text``. Raises ``WireError`` unless this is the first to do so."""
    if not spend(text, expires=session.expires, now=now):
        raise errors.session_used()


def _require_fresh(session: ChallengeSession, text: str, *, now: datetime) -> None:
    if now.timestamp() >= session.expires:
        raise errors.session_expired()
    if is_spent(text):
        raise errors.session_used()
