"""A user's attributes, as ID tokens and GetUser name them."""

from __future__ import annotations

from typing import Any

from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import PoolUser


def attributes(pool_user: PoolUser) -> dict[str, Any]:
    """Return the user's attributes as an ID token names them; Django knows of no verified addresses."""
    found: dict[str, Any] = {}
    for claim, field_name in accounts.attribute_fields().items():
        value = getattr(pool_user.user, field_name, "")
        if value:
            found |= {claim: value, **({"email_verified": False} if claim == "email" else {})}
    if pool_user.phone_number:
        found |= {"phone_number": pool_user.phone_number, "phone_number_verified": True}
    return found


def attribute_texts(pool_user: PoolUser) -> dict[str, str]:
    """Return the same as texts, as all but an ID token has them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in attributes(pool_user).items()
    }
