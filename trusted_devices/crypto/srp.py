"""SRP-6a exactly as Amazon Cognito's clients compute it, both halves.

Names follow RFC 5054: ``a``/``A`` are the client's private and public value, ``b``/``B`` the server's, ``v``
the verifier, ``x`` the password's hash, ``u`` the hash of both public values, ``S`` the shared secret.
Cognito differs from the RFC: g is 2 in the 3072-bit group, a hashed integer has its minimal signed form and
never a fixed width, and S is proved by one HMAC, the claim signature.

A user and a device sign in by the same mathematics; only the :data:`Identity` differs.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NewType, Self

from trusted_devices.crypto.encoding import decode_base64, encode_base64, encode_text, pad, parse_hex, to_hex
from trusted_devices.crypto.errors import (
    ClaimError,
    LengthError,
    PoolIdError,
    PublicValueError,
    VerifierError,
)
from trusted_devices.crypto.modexp import PowMod, powmod

Identity = NewType("Identity", str)
"""What precedes the password in its hash and the secret block in the signed message."""

RandomBytes = Callable[[int], bytes]

N: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22"
    "514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6"
    "F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D"
    "C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603"
    "9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB31"
    "43DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
"""The 3072-bit safe prime of RFC 3526, group 15."""
G: Final = 2
K: Final = int.from_bytes(hashlib.sha256(pad(N) + pad(G)).digest(), "big")

MAX_SECRET_BLOCK_BYTES: Final = 65_536
PUBLIC_BYTES: Final = 384
_MAX_PUBLIC_DIGITS: Final = PUBLIC_BYTES * 2
# Some servers write the sign byte of a B whose top bit is set; every client reads it.
_MAX_SRP_B_DIGITS: Final = _MAX_PUBLIC_DIGITS + 2
_MAX_SALT_DIGITS: Final = 130
_CLIENT_SECRET_BYTES: Final = 128
SERVER_SECRET_BYTES: Final = 32
_KEY_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 32
_KEY_INFO: Final = b"Caldera Derived Key\x01"


def pool_name_of(*, pool_id: str) -> str:
    """What follows the underscore of a user pool id: ``us-east-1_AbC`` gives ``AbC``. Raises PoolIdError."""
    region, _, name = pool_id.partition("_")
    if not region or not name or "_" in name:
        raise PoolIdError("A user pool id has the form <region>_<name>, with one underscore.")
    return name


def user_identity(*, pool_name: str, user_id: str) -> Identity:
    """A user's identity; ``user_id`` is what the challenge calls USER_ID_FOR_SRP."""
    return Identity(pool_name + user_id)


def device_identity(*, device_group_key: str, device_key: str) -> Identity:
    """A device's identity."""
    return Identity(device_group_key + device_key)


def password_hash(*, identity: Identity, password: str, salt: int) -> int:
    """x = SHA-256(PAD(salt) ‖ SHA-256(identity ‖ ":" ‖ password)). Raises TextError."""
    inner = hashlib.sha256(encode_text(f"{identity}:{password}", name="The password")).digest()
    return _sha256_integer(pad(salt) + inner)


def scramble(*, client_public: int, server_public: int) -> int:
    """u = SHA-256(PAD(A) ‖ PAD(B))."""
    return _sha256_integer(pad(client_public) + pad(server_public))


def claim_message(*, identity: Identity, secret_block: bytes, timestamp: str) -> bytes:
    """What the claim signs: identity ‖ decoded SECRET_BLOCK ‖ TIMESTAMP as sent. Raises TextError."""
    name = encode_text(identity, name="The identity")
    return name + secret_block + encode_text(timestamp, name="TIMESTAMP")


def claim_signature(*, session_key: bytes, message: bytes) -> bytes:
    """The 32 bytes of PASSWORD_CLAIM_SIGNATURE: HMAC-SHA256(K, message)."""
    return hmac.digest(session_key, message, "sha256")


def draw_positive(*, size: int, random_bytes: RandomBytes = secrets.token_bytes) -> int:
    """A random integer of ``size`` bytes that is not 0."""
    while (value := int.from_bytes(random_bytes(size), "big")) == 0:
        pass
    return value


def require_verifier(value: int, /) -> None:
    """Raise VerifierError unless 1 < v < N: with 0 or 1, anybody could compute S."""
    if value < 0:
        raise VerifierError("PasswordVerifier is negative.")
    if not 1 < value < N:
        raise VerifierError("PasswordVerifier is out of range.")


# The server's half


def parse_srp_a(text: str, /) -> int:
    """A client's SRP_A, refused before any exponentiation if it could cost or fix anything.

    Takes at most 768 hex digits. Raises LengthError, HexError, or PublicValueError if A is 0 modulo N.
    """
    value = parse_hex(text, name="SRP_A", max_digits=_MAX_PUBLIC_DIGITS)
    _require_unit(value, name="SRP_A")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEphemeral:
    """The server's key pair of one sign-in: ``private`` is b (secret, 256 bits), ``public`` is B."""

    private: int = field(repr=False)
    public: int

    @property
    def srp_b(self) -> str:
        """B as SRP_B travels: canonical hex."""
        return to_hex(self.public)


def server_public(*, verifier: int, private: int, powmod: PowMod = powmod) -> int:
    """B = (k·v + g^b) mod N. Raises VerifierError."""
    require_verifier(verifier)
    return (K * verifier + powmod(G, private, N)) % N


def server_ephemeral(
    *,
    verifier: int,
    client_public: int,
    random_bytes: RandomBytes = secrets.token_bytes,
    powmod: PowMod = powmod,
) -> ServerEphemeral:
    """Draw b until neither B nor u is 0 (clients refuse both).

    Raises VerifierError, or PublicValueError if A is 0 modulo N.
    """
    _require_unit(client_public, name="SRP_A")
    while True:
        private = draw_positive(size=SERVER_SECRET_BYTES, random_bytes=random_bytes)
        public = server_public(verifier=verifier, private=private, powmod=powmod)
        if public != 0 and scramble(client_public=client_public, server_public=public) != 0:
            return ServerEphemeral(private=private, public=public)


def server_session_key(
    *, verifier: int, client_public: int, ephemeral: ServerEphemeral, powmod: PowMod = powmod
) -> bytes:
    """The 16-byte key K of S = (A·v^u)^b mod N.

    Raises VerifierError, or PublicValueError if A or B is 0 modulo N or u is 0.
    """
    require_verifier(verifier)
    _require_unit(client_public, name="SRP_A")
    u = _require_scramble(client_public=client_public, server_public=ephemeral.public)
    base = client_public * powmod(verifier, u, N) % N
    return _session_key(u=u, shared=powmod(base, ephemeral.private, N))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a client answers: that it knows the password. ``signature`` and ``timestamp`` are the texts as received."""

    secret_block: bytes = field(repr=False)
    timestamp: str
    signature: str = field(repr=False)


def parse_signature(text: str, /) -> bytes:
    """The 32 bytes of a PASSWORD_CLAIM_SIGNATURE. Raises Base64Error or LengthError for a text of another form."""
    signature = decode_base64(text, name="PASSWORD_CLAIM_SIGNATURE", max_bytes=_SIGNATURE_BYTES)
    if len(signature) != _SIGNATURE_BYTES:
        raise LengthError(f"PASSWORD_CLAIM_SIGNATURE is not {_SIGNATURE_BYTES} bytes long.")
    return signature


def verify_claim(
    claim: Claim,
    *,
    verifier: int,
    client_public: int,
    ephemeral: ServerEphemeral,
    identity: Identity,
    powmod: PowMod = powmod,
) -> None:
    """Return if PASSWORD_CLAIM_SIGNATURE proves knowledge of the password behind ``verifier``, else raise.

    Whether the timestamp is well formed and recent is the caller's question (``encoding.parse_timestamp``). Raises,
    before any exponentiation, Base64Error or LengthError for a signature that is not base64 of 32 bytes, TextError,
    VerifierError or PublicValueError; and ClaimError for the wrong password, message or key.
    """
    claimed = parse_signature(claim.signature)
    message = claim_message(identity=identity, secret_block=claim.secret_block, timestamp=claim.timestamp)
    key = server_session_key(verifier=verifier, client_public=client_public, ephemeral=ephemeral, powmod=powmod)
    if not hmac.compare_digest(claim_signature(session_key=key, message=message), claimed):
        raise ClaimError("The claim signature does not match.")


# The client's half


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSession:
    """One sign-in as a client of Cognito: ``private`` is a (secret, 1024 bits), ``public`` is A."""

    private: int = field(repr=False)
    public: int

    @classmethod
    def start(cls, *, random_bytes: RandomBytes = secrets.token_bytes, powmod: PowMod = powmod) -> Self:
        """Draw a and compute A = g^a mod N."""
        private = draw_positive(size=_CLIENT_SECRET_BYTES, random_bytes=random_bytes)
        return cls(private=private, public=powmod(G, private, N))

    @property
    def srp_a(self) -> str:
        """A as SRP_A travels: canonical hex."""
        return to_hex(self.public)

    def session_key(
        self, *, identity: Identity, password: str, salt: int, server_public: int, powmod: PowMod = powmod
    ) -> bytes:
        """The 16-byte key K of S = (B - k·g^x)^(a + u·x) mod N.

        Raises PublicValueError if B is 0 modulo N or u is 0, TextError for the password.
        """
        u = _require_scramble(client_public=self.public, server_public=server_public)
        x = password_hash(identity=identity, password=password, salt=salt)
        base = (server_public - K * powmod(G, x, N)) % N
        return _session_key(u=u, shared=powmod(base, self.private + u * x, N))

    def sign(
        self,
        *,
        identity: Identity,
        password: str,
        salt: str,
        srp_b: str,
        secret_block: str,
        timestamp: str,
        powmod: PowMod = powmod,
    ) -> str:
        """Answer a challenge: PASSWORD_CLAIM_SIGNATURE in base64.

        ``salt``, ``srp_b``, ``secret_block`` are SALT, SRP_B, SECRET_BLOCK as received; ``timestamp`` is the
        TIMESTAMP that will be sent (``encoding.format_timestamp``). Raises, before any exponentiation,
        LengthError, HexError, Base64Error, TextError or PublicValueError.
        """
        block = decode_base64(secret_block, name="SECRET_BLOCK", max_bytes=MAX_SECRET_BLOCK_BYTES)
        message = claim_message(identity=identity, secret_block=block, timestamp=timestamp)
        salt_value = parse_hex(salt, name="SALT", max_digits=_MAX_SALT_DIGITS)
        server_public = parse_hex(srp_b, name="SRP_B", max_digits=_MAX_SRP_B_DIGITS)
        key = self.session_key(
            identity=identity, password=password, salt=salt_value, server_public=server_public, powmod=powmod
        )
        return encode_base64(claim_signature(session_key=key, message=message))


def _sha256_integer(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest(), "big")


def _require_unit(value: int, *, name: str) -> None:
    if value % N == 0:
        raise PublicValueError(f"{name} is zero modulo N.")


def _require_scramble(*, client_public: int, server_public: int) -> int:
    _require_unit(server_public, name="SRP_B")
    u = scramble(client_public=client_public, server_public=server_public)
    if u == 0:
        raise PublicValueError("The hash of both public values is zero.")
    return u


def _session_key(*, u: int, shared: int) -> bytes:
    """HKDF-SHA256 with salt PAD(u), input PAD(S), info "Caldera Derived Key", 16 bytes."""
    pseudo_random_key = hmac.digest(pad(u), pad(shared), "sha256")
    return hmac.digest(pseudo_random_key, _KEY_INFO, "sha256")[:_KEY_BYTES]
