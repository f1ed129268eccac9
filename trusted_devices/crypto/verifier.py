"""SRP verifiers: what the server keeps instead of a password, for users and for devices."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from trusted_devices.crypto.encoding import decode_base64, encode_base64, pad, parse_signed, to_hex
from trusted_devices.crypto.errors import SaltError
from trusted_devices.crypto.modexp import PowMod, powmod
from trusted_devices.crypto.srp import (
    G,
    Identity,
    N,
    RandomBytes,
    device_identity,
    draw_positive,
    password_hash,
    require_verifier,
    user_identity,
)

_DEVICE_PASSWORD_BYTES: Final = 40
_SALT_BYTES: Final = 16
# Clients make 16-byte salts; the ceiling leaves room for others and bounds what is stored and sent back.
_MAX_SALT_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SrpVerifier:
    """A salt and the verifier v = g^x mod N made with it; whoever has both can guess passwords, so no repr.

    Raises SaltError unless 0 < salt < 2^512, VerifierError unless 1 < v < N.
    """

    salt: int = field(repr=False)
    verifier: int = field(repr=False)

    def __post_init__(self) -> None:
        if self.salt < 0:
            raise SaltError("Salt is negative.")
        if self.salt == 0 or self.salt.bit_length() > _MAX_SALT_BYTES * 8:
            raise SaltError("Salt is out of range.")
        require_verifier(self.verifier)

    @property
    def salt_hex(self) -> str:
        """The salt as SALT travels: canonical hex."""
        return to_hex(self.salt)

    def to_config(self) -> dict[str, str]:
        """DeviceSecretVerifierConfig as ConfirmDevice sends it: base64 of the PAD bytes."""
        return {
            "Salt": encode_base64(pad(self.salt)),
            "PasswordVerifier": encode_base64(pad(self.verifier)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSecret:
    """A new device's password, which stays on the device, and the verifier that is registered for it."""

    password: str = field(repr=False)
    verifier: SrpVerifier


def make_device_secret(
    *,
    device_group_key: str,
    device_key: str,
    random_bytes: RandomBytes = secrets.token_bytes,
    powmod: PowMod = powmod,
) -> DeviceSecret:
    """A fresh device password (base64 of 40 random bytes) with its verifier, for ConfirmDevice."""
    password = encode_base64(random_bytes(_DEVICE_PASSWORD_BYTES))
    identity = device_identity(device_group_key=device_group_key, device_key=device_key)
    verifier = make_verifier(identity=identity, password=password, random_bytes=random_bytes, powmod=powmod)
    return DeviceSecret(password=password, verifier=verifier)


def make_user_verifier(
    *, pool_name: str, user_id: str, password: str, salt: int, powmod: PowMod = powmod
) -> SrpVerifier:
    """A user's verifier, possible only while the clear password is at hand. Raises TextError or SaltError.

    It hangs on ``user_id``: a user who is renamed needs a new one. ``salt`` is that of the identity
    (:func:`lasting_salt`).
    """
    identity = user_identity(pool_name=pool_name, user_id=user_id)
    return _made(identity, password, salt, powmod)


def make_verifier(
    *,
    identity: Identity,
    password: str,
    random_bytes: RandomBytes = secrets.token_bytes,
    powmod: PowMod = powmod,
) -> SrpVerifier:
    """v = g^x mod N with a fresh 16-byte salt. Raises TextError."""
    return _made(identity, password, draw_positive(size=_SALT_BYTES, random_bytes=random_bytes), powmod)


def lasting_salt(*, key: bytes, identity: Identity) -> int:
    """The salt of an identity, for users and for names that nobody has (RFC 5054, section 2.5.1.3).

    ``key`` is a server secret. A salt drawn at random would tell when a user comes, goes, or changes the password.
    """
    digest = hmac.digest(key, hashlib.sha256(identity.encode(errors="replace")).digest(), "sha256")
    return int.from_bytes(digest[:_SALT_BYTES], "big")


def decoy_verifier(*, salt: int) -> SrpVerifier:
    """A verifier for a user who does not exist, so that the challenge does not tell: no password fits it."""
    return SrpVerifier(salt=salt, verifier=2 + secrets.randbelow(N - 2))


def parse_device_verifier(*, salt: str, password_verifier: str) -> SrpVerifier:
    """DeviceSecretVerifierConfig from a client, read as signed big-endian integers like the real service.

    Raises Base64Error, LengthError, SaltError or VerifierError (a first byte of 0x80 or more is negative).
    """
    salt_bytes = decode_base64(salt, name="Salt", max_bytes=_MAX_SALT_BYTES + 1)
    verifier_bytes = decode_base64(password_verifier, name="PasswordVerifier", max_bytes=len(pad(N)))
    return SrpVerifier(salt=parse_signed(salt_bytes), verifier=parse_signed(verifier_bytes))


def _made(identity: Identity, password: str, salt: int, powmod: PowMod) -> SrpVerifier:
    x = password_hash(identity=identity, password=password, salt=salt)
    return SrpVerifier(salt=salt, verifier=powmod(G, x, N))
