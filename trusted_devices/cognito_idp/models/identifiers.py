"""Identifiers in the forms that Cognito gives them."""

from __future__ import annotations

import secrets
import string

from trusted_devices.cognito_idp import conf

_ALPHANUMERIC = string.ascii_letters + string.digits


def random_text(alphabet: str, length: int) -> str:
    """Return ``length`` characters of ``alphabet``, drawn by the operating system."""
    return "".join(secrets.choice(alphabet) for _position in range(length))


def new_pool_id() -> str:
    """Return a fresh user pool id, ``<region>_<nine letters or digits>``."""
    return f"{conf.get_options().REGION}_{random_text(_ALPHANUMERIC, 9)}"


def new_group_key() -> str:
    """Return a fresh device group key: ``-`` and eight letters or digits."""
    return "-" + random_text(_ALPHANUMERIC, 8)


def new_seed() -> str:
    """Return 256 fresh random bits, in hexadecimal."""
    return secrets.token_hex(32)


def new_client_id() -> str:
    """Return a fresh client id: 26 lower-case letters and digits."""
    return random_text(string.ascii_lowercase + string.digits, 26)


def new_access_key_id() -> str:
    """Return a fresh access key id: 20 capitals and digits."""
    return "TDAK" + random_text(string.ascii_uppercase + string.digits, 16)
