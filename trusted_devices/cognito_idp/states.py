"""What a sign-in carries from one step to the next: sealed sessions and secret blocks, good for once.

Nothing is stored until one is used up, so that starting sign-ins costs an attacker's victim no rows. What has been
used is remembered until it would have expired anyway.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.db import IntegrityError, transaction

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import PoolUser, SpentToken, UserPoolClient
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.crypto.srp import ServerEphemeral
from trusted_devices.services.stamps import password_stamp
from trusted_devices.types import MfaVerification

_SESSION = record("session")
_SECRET_BLOCK = record("secret block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in whose first factor was passed. ``challenge`` is what it waits for.

    ``stamp`` ties it to the password that was given; ``code`` is the digest of a code sent by text message;
    ``setup`` names the software token that is being set up.
    """

    client_id: str
    pool_user_id: int
    stamp: str = field(repr=False)
    challenge: str
    expires: float
    device_key: str = ""
    code: str = field(default="", repr=False)
    setup: str = ""
    verified: list[Any] | None = None
    nonce: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @classmethod
    def start(cls, app_client: UserPoolClient, pool_user: PoolUser, *, device_key: str, now: datetime) -> Self:
        """Return the session of a sign-in whose first factor was passed just now."""
        lifetime = timedelta(minutes=app_client.auth_session_validity)
        return cls(
            client_id=app_client.client_id,
            pool_user_id=pool_user.pk,
            stamp=password_stamp(pool_user.user),
            challenge="",
            expires=(now + lifetime).timestamp(),
            device_key=device_key,
        )

    def waiting_for(self, challenge: str, **changes: Any) -> Self:
        """Return the session that follows this one and waits for ``challenge``."""
        return dataclasses.replace(self, challenge=challenge, nonce=secrets.token_hex(16), **changes)

    def after(self, verification: MfaVerification) -> Self:
        """Return the session after its second factor."""
        kept = [verification.kind, verification.factor_id, verification.at.timestamp()]
        return dataclasses.replace(self, verified=kept)

    @property
    def verification(self) -> MfaVerification | None:
        """The second factor that was verified in this sign-in, if one was."""
        if self.verified is None:
            return None
        kind, factor_id, at = self.verified
        return MfaVerification(kind=kind, factor_id=factor_id, at=datetime.fromtimestamp(at, UTC))

    def dump(self) -> str:
        """Return it sealed, as ``Session`` travels."""
        return _SESSION.seal(dataclasses.asdict(self))

    def record(self) -> dict[str, Any]:
        """Return it as something to store."""
        return dataclasses.asdict(self)

    @classmethod
    def load(cls, text: str | None) -> Self:
        """Read what :meth:`dump` made. Raises ``WireError``."""
        if not text:
            raise errors.missing_parameter("Session")
        try:
            return cls(**_SESSION.open(text))
        except (Unsealable, TypeError):
            raise errors.invalid_session() from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretBlock:
    """The server's half of one SRP exchange. ``session`` is empty in the user's and full in the device's.

    ``pool_user_id`` is ``None`` where there is no such user: the exchange goes on all the same.
    """

    kind: str
    client_id: str
    username: str
    pool_user_id: int | None
    device_key: str = ""
    client_public: int = field(repr=False)
    ephemeral: ServerEphemeral = field(repr=False)
    session: dict[str, Any] = field(default_factory=dict, repr=False)
    expires: float

    def dump(self) -> str:
        """Return it sealed, in standard base64 with padding, as SECRET_BLOCK travels."""
        sealed = _SECRET_BLOCK.seal(
            {
                "k": self.kind,
                "c": self.client_id,
                "n": self.username,
                "u": self.pool_user_id,
                "d": self.device_key,
                "A": _pack(self.client_public),
                "b": _pack(self.ephemeral.private),
                "B": _pack(self.ephemeral.public),
                "s": self.session,
                "e": self.expires,
            },
        )
        return base64.b64encode(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))).decode()

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what :meth:`dump` made. Raises ``WireError`` (NotAuthorizedException)."""
        try:
            raw = base64.b64decode(text, validate=True)
            values = _SECRET_BLOCK.open(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
        except (binascii.Error, ValueError):
            raise errors.incorrect() from None
        return cls(
            kind=values["k"],
            client_id=values["c"],
            username=values["n"],
            pool_user_id=values["u"],
            device_key=values["d"],
            client_public=_unpack(values["A"]),
            ephemeral=ServerEphemeral(private=_unpack(values["b"]), public=_unpack(values["B"])),
            session=values["s"],
            expires=values["e"],
        )


def spend(text: str, *, expires: float, now: datetime) -> bool:
    """Use up a session or secret block; return whether this was the first to do so."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    try:
        with transaction.atomic():
            SpentToken.objects.create(digest=digest, expires_at=max(datetime.fromtimestamp(expires, UTC), now))
    except IntegrityError:
        return False
    return True


def is_spent(text: str) -> bool:
    """Return whether a session or secret block has been used up."""
    return SpentToken.objects.filter(digest=hashlib.sha256(text.encode()).hexdigest()).exists()


def _pack(value: int) -> str:
    return base64.b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


def _unpack(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big")
