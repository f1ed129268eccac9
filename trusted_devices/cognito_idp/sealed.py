"""Small records that travel or rest sealed under ``SECRET_KEY``: sessions, secret blocks, tokens, stored secrets."""

from __future__ import annotations

from trusted_devices.conf import secret_keys
from trusted_devices.crypto.sealing import Record

LONGEST = 16_384


def record(purpose: str) -> Record:
    """Return what seals and opens the endpoint's records of one purpose."""
    return Record(f"cognito_idp {purpose} v1", keys=secret_keys, longest=LONGEST)
