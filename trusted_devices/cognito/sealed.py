"""What has to wait between two requests, sealed: it would let its reader in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trusted_devices import conf
from trusted_devices.crypto.sealing import Sealer, Unsealable
from trusted_devices.exceptions import SignInExpired


def seal(purpose: str, record: Mapping[str, Any]) -> str:
    """Return ``record`` (JSON-able) sealed. ``purpose`` separates one use from another."""
    return _sealer(purpose).seal(json.dumps(record, separators=(",", ":")).encode())


def unseal(purpose: str, text: str) -> dict[str, Any]:
    """Return what :func:`seal` sealed. Raises ``SignInExpired`` for anything else."""
    try:
        record: dict[str, Any] = json.loads(_sealer(purpose).open(text).plaintext)
    except Unsealable:
        raise SignInExpired from None
    return record


def _sealer(purpose: str) -> Sealer:
    return Sealer(keys=conf.secret_keys(), context=f"cognito {purpose} v1")
