"""The tokens that a session keeps, sealed, for calls on behalf of its user; refreshed with the device's key.

A site asks ``get_tokens(request.session)``. Refreshing works in sessions that were begun on a trusted device: the pool
binds refresh tokens to confirmed devices.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito import conf, tokens
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.flow import PoolSignIn
from trusted_devices.cognito.tokens import Tokens
from trusted_devices.conf import secret_keys
from trusted_devices.crypto.sealing import Record, Unsealable
from trusted_devices.exceptions import BackendUnavailable, SignInExpired, TrustedDevicesError

SESSION_KEY = "_trusted_devices_cognito"
_KEPT = Record("cognito session v1", keys=secret_keys)
EARLY = timedelta(minutes=2)
"""Tokens are refreshed so long before they end."""


def pack(sign_in: PoolSignIn, device_key: str) -> dict[str, str]:
    """Return what a session keeps of a finished sign-in from the confirmed device ``device_key``, if from any."""
    if not sign_in.access:
        return {}
    bound = device_key in (sign_in.new_key, sign_in.device_key) and bool(device_key)
    record = {
        "access": sign_in.access,
        "identity": sign_in.identity,
        "refresh": sign_in.refresh,
        "expires_at": sign_in.expires_at,
        "device_key": device_key if bound else "",
    }
    return {SESSION_KEY: _KEPT.seal(record)}


@sensitive_variables()
def get_tokens(session: MutableMapping[str, Any], *, now: datetime | None = None) -> Tokens:
    """Return tokens that are good now, refreshed where they were about to end.

    Raises ``SignInExpired`` if the user has to sign in again for that, ``BackendUnavailable``.
    """
    now = now or timezone.now()
    kept = session.get(SESSION_KEY)
    if not isinstance(kept, str):
        raise SignInExpired
    try:
        record = _KEPT.open(kept)
    except Unsealable:
        raise SignInExpired from None
    if now.timestamp() >= record["expires_at"] - EARLY.total_seconds():
        record = _refreshed(record, now)
        session[SESSION_KEY] = _KEPT.seal(record)
    return Tokens(
        access=record["access"],
        identity=record["identity"],
        refresh=record["refresh"],
        expires_at=record["expires_at"],
    )


@sensitive_variables()
def _refreshed(record: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    if not record["refresh"]:
        raise SignInExpired
    options = conf.get_options()
    params = {"DeviceKey": record["device_key"]} if record["device_key"] else {}
    if options.CLIENT_SECRET:
        params["ClientSecret"] = options.CLIENT_SECRET
    try:
        answer = PoolClient(options).call(
            "get_tokens_from_refresh_token", ClientId=options.CLIENT_ID, RefreshToken=record["refresh"], **params
        )
        found = tokens.verify(answer.get("AuthenticationResult") or {}, options, now=now)
    except BackendUnavailable:
        raise
    except TrustedDevicesError as error:
        raise SignInExpired from error
    return {
        **record,
        "access": found.access,
        "identity": found.identity,
        "refresh": found.refresh or record["refresh"],
        "expires_at": found.expires_at,
    }
