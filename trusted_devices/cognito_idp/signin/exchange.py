"""One SRP exchange, of a user or of a device. The server's half travels with the client, as SECRET_BLOCK, good once."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Self

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.cognito_idp.signin.challenge_session import expiry
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.cognito_idp.spent import is_spent, spend
from trusted_devices.crypto import srp
from trusted_devices.crypto.encoding import decode_base64, parse_timestamp
from trusted_devices.crypto.errors import ClaimError, SrpError
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.crypto.srp import ServerEphemeral
from trusted_devices.crypto.verifier import SrpVerifier

USER, DEVICE = "user", "device"
_SECRET_BLOCK = record("secret block")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretBlock:
    """The server's half of one SRP exchange, sealed at one length for whoever goes by the name that was typed.

    ``username`` is that name and ``srp_name`` what the challenge made of it. Whose it is is looked up again in the
    user's exchange. In the device's ``pool_user_id`` says so, and ``session`` what is known of the sign-in.
    """

    kind: str
    client_id: str
    username: str
    srp_name: str
    pool_user_id: int | None = None
    device_key: str = ""
    client_public: int = field(repr=False)
    ephemeral: ServerEphemeral = field(repr=False)
    session: dict[str, Any] = field(default_factory=dict, repr=False)
    expires: int

    def seal(self) -> str:
        """Return it sealed, in standard base64 with padding, as SECRET_BLOCK travels."""
        sealed = _SECRET_BLOCK.seal(
            {
                "k": self.kind,
                "c": self.client_id,
                "n": self.username,
                "i": self.srp_name,
                "u": self.pool_user_id,
                "d": self.device_key,
                "A": _pack(self.client_public, srp.PUBLIC_BYTES),
                "b": _pack(self.ephemeral.private, srp.SERVER_SECRET_BYTES),
                "B": _pack(self.ephemeral.public, srp.PUBLIC_BYTES),
                "s": self.session,
                "e": self.expires,
            },
        )
        return base64.b64encode(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))).decode()

    @classmethod
    def open(cls, text: str) -> Self:
        """Read what :meth:`seal` made. Raises ``WireError`` (NotAuthorizedException).

        Only in the spelling that it was given: in another one the same block would count as unused.
        """
        try:
            raw = decode_base64(text, name="SECRET_BLOCK", max_bytes=srp.MAX_SECRET_BLOCK_BYTES)
            values = _SECRET_BLOCK.open(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
        except (SrpError, Unsealable):
            raise errors.incorrect() from None
        return cls(
            kind=values["k"],
            client_id=values["c"],
            username=values["n"],
            srp_name=values["i"],
            pool_user_id=values["u"],
            device_key=values["d"],
            client_public=_unpack(values["A"]),
            ephemeral=ServerEphemeral(private=_unpack(values["b"]), public=_unpack(values["B"])),
            session=values["s"],
            expires=values["e"],
        )


def begin(
    request: SignInRequest,
    kind: str,
    *,
    username: str,
    srp_name: str,
    verifier: SrpVerifier,
    pool_user: PoolUser | None = None,
    session: dict[str, Any] | None = None,
) -> dict[str, str]:
    """Return SALT, SRP_B and SECRET_BLOCK. Raises ``WireError`` (InvalidParameterException) for a bad SRP_A."""
    try:
        client_public = srp.parse_srp_a(request.require("SRP_A"))
    except SrpError as error:
        raise errors.invalid_parameter(str(error)) from None
    ephemeral = srp.server_ephemeral(verifier=verifier.verifier, client_public=client_public)
    block = SecretBlock(
        kind=kind,
        client_id=request.app_client.client_id,
        username=username,
        srp_name=srp_name,
        pool_user_id=pool_user.pk if pool_user is not None else None,
        device_key=request.answers.get("DEVICE_KEY", ""),
        client_public=client_public,
        ephemeral=ephemeral,
        session=session or {},
        expires=int(expiry(request).timestamp()),
    )
    return {"SALT": verifier.salt_hex, "SRP_B": ephemeral.srp_b, "SECRET_BLOCK": block.seal()}


def load(request: SignInRequest, kind: str) -> SecretBlock:
    """Return the secret block that comes back, before anything counts as a guess.

    Raises ``WireError``: NotAuthorizedException unless it is this client's, fresh and unused; InvalidParameterException
    for a TIMESTAMP or signature in a form that no client gives it. How far the client's clock is off says nothing,
    since the block is good once and for minutes.
    """
    text = request.require("PASSWORD_CLAIM_SECRET_BLOCK")
    try:
        srp.parse_signature(request.require("PASSWORD_CLAIM_SIGNATURE"))
        parse_timestamp(request.require("TIMESTAMP"))
    except SrpError as error:
        raise errors.invalid_parameter(str(error)) from None
    block = SecretBlock.open(text)
    if block.kind != kind or block.client_id != request.app_client.client_id:
        raise errors.incorrect()
    if request.now.timestamp() >= block.expires or is_spent(text):
        raise errors.incorrect()
    return block


def is_proved(request: SignInRequest, block: SecretBlock, identity: srp.Identity, verifier: SrpVerifier) -> bool:
    """Return whether the signature is right, over the TIMESTAMP as it was sent."""
    claim = srp.Claim(
        secret_block=base64.b64decode(request.require("PASSWORD_CLAIM_SECRET_BLOCK")),
        timestamp=request.require("TIMESTAMP"),
        signature=request.require("PASSWORD_CLAIM_SIGNATURE"),
    )
    try:
        srp.verify_claim(
            claim,
            verifier=verifier.verifier,
            client_public=block.client_public,
            ephemeral=block.ephemeral,
            identity=identity,
        )
    except ClaimError:
        return False
    return True


def use_up(request: SignInRequest, block: SecretBlock) -> bool:
    """Use up the secret block that came back; return whether this was the first to do so."""
    return spend(request.require("PASSWORD_CLAIM_SECRET_BLOCK"), expires=block.expires, now=request.now)


def _pack(value: int, size: int) -> str:
    return base64.b64encode(value.to_bytes(size, "big")).decode()


def _unpack(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big")
