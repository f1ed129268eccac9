"""What hangs on ``SECRET_KEY``: small records that travel or rest sealed (sessions, secret blocks, tokens, stored
secrets), and digests by which things are counted and compared without being told."""

from __future__ import annotations

import hashlib
import hmac

from trusted_devices.conf import secret_keys
from trusted_devices.crypto.sealing import Record

LONGEST = 16_384


def record(purpose: str) -> Record:
    """Return what seals and opens the endpoint's records of one purpose."""
    return Record(f"cognito_idp {purpose} v1", keys=secret_keys, longest=LONGEST)


def keyed_digest(label: str, text: str) -> bytes:
    """Return a digest of ``text`` (HMAC-SHA256) that only this site can make. ``label`` is its one use."""
    key = hashlib.sha256(f"cognito_idp {label}\0".encode() + secret_keys()[0]).digest()
    return hmac.digest(key, text.encode(), "sha256")
