"""What is kept of a sign-in between two requests: ids and a time, never a password."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

from trusted_devices import conf
from trusted_devices.exceptions import SignInExpired
from trusted_devices.policy import CLOCK_SKEW
from trusted_devices.types import MfaVerification


class Question(StrEnum):
    """What the user is being asked."""

    NEW_PASSWORD = "new_password"  # noqa: S105 - a question, not a secret
    SECOND_FACTOR = "second_factor"
    OFFER_TRUST = "offer_trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """A half-finished sign-in. Bound to one user, to the credentials that they had then (``stamp``), and to a time.

    ``backend_state`` is what the sign-in backend needs to go on (``signin.base.Conversation.state``).
    """

    id: str
    user_id: str
    auth_backend: str
    stamp: str = field(repr=False)
    started_at: datetime
    question: Question
    method_id: str = ""
    verified: MfaVerification | None = None
    backend_state: Mapping[str, str] = field(default_factory=dict, repr=False)

    def dump(self) -> dict[str, Any]:
        """Return the state as something that any session serializer can store."""
        verified = self.verified
        return {
            "id": self.id,
            "user": self.user_id,
            "auth_backend": self.auth_backend,
            "stamp": self.stamp,
            "started": self.started_at.timestamp(),
            "question": self.question.value,
            "method": self.method_id,
            "verified": verified and [verified.kind, verified.factor_id, verified.at.timestamp(), verified.recovery],
            "backend": dict(self.backend_state),
        }

    @classmethod
    def load(cls, raw: Any) -> SignInState:
        """Read what :meth:`dump` made. Raises ``SignInExpired`` for anything else."""
        try:
            verified, stamp = None, str(raw["stamp"])
            if raw["verified"] is not None:
                kind, factor_id, at, recovery = raw["verified"]
                verified = MfaVerification(
                    kind=kind, factor_id=factor_id, at=datetime.fromtimestamp(at, UTC), recovery=recovery, stamp=stamp
                )
            return cls(
                id=raw["id"],
                user_id=raw["user"],
                auth_backend=raw["auth_backend"],
                stamp=stamp,
                started_at=datetime.fromtimestamp(raw["started"], UTC),
                question=Question(raw["question"]),
                method_id=raw["method"],
                verified=verified,
                backend_state=dict(raw["backend"]),
            )
        except (TypeError, KeyError, ValueError, OverflowError, OSError) as error:
            raise SignInExpired from error

    def user(self, *, at: datetime) -> AbstractBaseUser:
        """Return the user as stored now. Raises ``SignInExpired`` if they may not sign in ``at`` that time any more.

        One read.
        """
        if not -CLOCK_SKEW <= at - self.started_at < conf.get_settings().SIGN_IN_TIMEOUT:
            raise SignInExpired
        try:
            user = get_user_model()._default_manager.filter(pk=self.user_id).first()
        except (TypeError, ValueError, ValidationError) as error:
            raise SignInExpired from error
        if user is None or not user.is_active:
            raise SignInExpired
        return user
