"""The device secret: how it is made, digested, compared and succeeded.

256 random bits need no slow hash (OWASP ASVS 11.4.1, 11.5.1): the server keeps a SHA-256 digest. The successor of a
secret is derived from it and a random nonce: as long as the server keeps the nonce, two requests that rotate the same
secret at the same time are given the same successor, by whichever process, and the nonce alone tells nobody anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from trusted_devices.types import SecretMatch

NONCE_LENGTH = 16


def new_secret() -> str:
    """Return a fresh 256-bit secret as unpadded base64url text (43 characters)."""
    return secrets.token_urlsafe(32)


def new_nonce() -> bytes:
    """Return the 128 random bits that single out one rotation."""
    return secrets.token_bytes(NONCE_LENGTH)


def digest(secret: str) -> str:
    """Return what the server keeps of ``secret``: SHA-256 in hex (64 characters)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def successor(secret: str, *, nonce: bytes) -> str:
    """Return the secret that follows ``secret`` in the rotation singled out by ``nonce``."""
    derived = hmac.digest(secret.encode(), b"trusted_devices:successor\0" + nonce, "sha256")
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def match(
    secret: str, *, generation: int, current_digest: str, next_digest: str, current_generation: int
) -> SecretMatch:
    """Tell how an authentic but unproven ``secret`` relates to the two digests that the server holds.

    Neither of them, and of a generation that the server has handed out: it was replaced, and somebody kept a copy.
    Of a generation that the server has not handed out (a database restored from a backup): merely wrong.
    """
    presented = digest(secret)
    if current_digest and hmac.compare_digest(presented, current_digest):
        return SecretMatch.CURRENT
    if next_digest and hmac.compare_digest(presented, next_digest):
        return SecretMatch.SUCCESSOR
    latest = current_generation + 1 if next_digest else current_generation
    return SecretMatch.SUPERSEDED if generation <= latest else SecretMatch.WRONG
