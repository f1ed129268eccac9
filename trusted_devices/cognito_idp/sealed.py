"""Small records that travel or rest sealed under ``SECRET_KEY``: sessions, secret blocks, tokens, stored secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trusted_devices.conf import secret_keys
from trusted_devices.crypto.sealing import Sealer, Unsealable

LONGEST = 16_384


def seal(purpose: str, record: Mapping[str, Any]) -> str:
    """Return ``record`` (JSON-able) sealed, as unpadded base64url. ``purpose`` separates one use from another."""
    return _sealer(purpose).seal(json.dumps(record, separators=(",", ":")).encode())


def unseal(purpose: str, text: str) -> dict[str, Any]:
    """Return what :func:`seal` sealed. Raises ``Unsealable`` for anything else."""
    if len(text) > LONGEST:
        raise Unsealable("longer than anything sealed here")
    record: dict[str, Any] = json.loads(_sealer(purpose).open(text).plaintext)
    return record


def _sealer(purpose: str) -> Sealer:
    return Sealer(keys=secret_keys(), context=f"cognito_idp {purpose} v1")
