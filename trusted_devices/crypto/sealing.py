"""Authenticated encryption of small texts and records, with a format version, a context label and key rotation.

AES-256-GCM under a key and nonce that HKDF-SHA256 (RFC 5869) derives afresh for every message from a random
128-bit salt, so the number of messages under one secret is not bounded by GCM's 96-bit nonce.
A sealed text is unpadded base64url of ``version (1) || salt (16) || ciphertext || tag (16)``. That is some 30 bytes
less than ``MultiFernet`` makes of it, which knows no context and does not say whether the key has been rotated since.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = 1
SALT_LENGTH = 16
OVERHEAD = 1 + SALT_LENGTH + 16
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class Unsealable(ValueError):
    """The text is garbled, truncated, of another context or version, or sealed under a key no longer known."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The plaintext, and whether it was sealed under a key that has since been rotated out of first place."""

    plaintext: bytes = field(repr=False)
    outdated: bool


class Sealer:
    """Seals under the first of ``keys`` and opens under any of them. ``context`` separates one use from another."""

    def __init__(self, *, keys: Sequence[bytes], context: str) -> None:
        if not keys or not all(keys):
            raise ValueError("A sealer needs at least one key, and no empty one.")
        self._keys = tuple(keys)
        self._info = b"trusted_devices:" + context.encode()

    def __repr__(self) -> str:
        return f"<Sealer {self._info.decode()}>"

    def seal(self, plaintext: bytes) -> str:
        """Return ``plaintext`` (any length) as URL- and cookie-safe text."""
        head = bytes([VERSION]) + secrets.token_bytes(SALT_LENGTH)
        cipher, nonce = self._cipher(self._keys[0], head)
        sealed = head + cipher.encrypt(nonce, plaintext, head)
        return _encode(sealed)

    def open(self, text: str) -> Opened:
        """Return what ``text`` seals. Raises :class:`Unsealable` for anything that :meth:`seal` did not make."""
        data = _decode(text)
        if len(data) < OVERHEAD or data[0] != VERSION:
            raise Unsealable("not a sealed text of this version")
        head, body = data[: 1 + SALT_LENGTH], data[1 + SALT_LENGTH :]
        for position, key in enumerate(self._keys):
            cipher, nonce = self._cipher(key, head)
            try:
                return Opened(cipher.decrypt(nonce, body, head), outdated=position > 0)
            except InvalidTag:
                continue
        raise Unsealable("not sealed under a known key")

    def _cipher(self, key: bytes, head: bytes) -> tuple[AESGCM, bytes]:
        material = HKDF(algorithm=SHA256(), length=44, salt=head[1:], info=self._info).derive(key)
        return AESGCM(material[:32]), material[32:]


class Record:
    """Seals mappings that JSON can hold, for one purpose: what was sealed for another is not opened.

    ``keys`` is called at each use, so that it may lead to keys that are rotated meanwhile. ``longest`` is how long a
    text may be that comes from outside.
    """

    def __init__(self, purpose: str, *, keys: Callable[[], Sequence[bytes]], longest: int | None = None) -> None:
        self.purpose = purpose
        self._keys = keys
        self._longest = longest

    def __repr__(self) -> str:
        return f"<Record {self.purpose}>"

    def seal(self, values: Mapping[str, Any]) -> str:
        """Return ``values`` as URL- and cookie-safe text."""
        return self._sealer().seal(json.dumps(values, separators=(",", ":")).encode())

    def open(self, text: str) -> dict[str, Any]:
        """Return what ``text`` seals. Raises :class:`Unsealable` for anything that :meth:`seal` did not make."""
        if self._longest is not None and len(text) > self._longest:
            raise Unsealable("longer than anything sealed for this purpose")
        values: dict[str, Any] = json.loads(self._sealer().open(text).plaintext)
        return values

    def _sealer(self) -> Sealer:
        return Sealer(keys=self._keys(), context=self.purpose)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if not _BASE64URL.fullmatch(text):
        raise Unsealable("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise Unsealable("not base64url") from error
    # The last character may have bits that decoding drops: one sealed text has one spelling.
    if _encode(data) != text:
        raise Unsealable("not canonical base64url")
    return data
