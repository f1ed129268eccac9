"""Verifying the pool's tokens against its published keys, which are cached and fetched anew when they rotate."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from django.views.decorators.debug import sensitive_variables
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from trusted_devices.cognito.conf import Options
from trusted_devices.cognito.errors import MalformedAnswer
from trusted_devices.exceptions import BackendUnavailable

logger = logging.getLogger(__name__)

ALGORITHM = "RS256"
CLOCK_SKEW = timedelta(minutes=2)
KEEP_SECONDS = 3600.0
RETRY_SECONDS = 30.0
"""A key that is not known is looked for again after this long at the soonest."""
HTTP_OK = 200


@dataclass(slots=True)
class _Kept:
    keys: dict[str, Any] = field(default_factory=dict)
    fetched_at: float = float("-inf")


_kept: dict[str, _Kept] = {}
_fetching = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a sign-in brings: ``expires_at`` is that of the access token; ``refresh`` is empty where there is none."""

    access: str = field(repr=False)
    identity: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    claims: dict[str, Any] = field(default_factory=dict, repr=False)
    expires_at: int = 0


@sensitive_variables()
def verify(result: dict[str, Any], options: Options, *, now: datetime) -> Tokens:
    """Return the tokens of an AuthenticationResult, verified. ``claims`` are those of the ID token.

    Raises ``BackendUnavailable`` if they are not the pool's, not for this client, or not good now.
    """
    try:
        access, identity = str(result["AccessToken"]), str(result["IdToken"])
    except (KeyError, TypeError):
        raise MalformedAnswer("A sign-in without tokens.") from None
    about_access, about_user = _claims(access, options), _claims(identity, options)
    good = (
        _is_good(about_access, "access", options, now)
        and _is_good(about_user, "id", options, now)
        and about_access.get("client_id") == options.CLIENT_ID
        and about_user.get("aud") == options.CLIENT_ID
        and isinstance(about_user.get("sub"), str)
        and about_user["sub"] == about_access.get("sub")
    )
    if not good:
        raise MalformedAnswer("A token that is not for this site, or not good now.")
    return Tokens(
        access=access,
        identity=identity,
        refresh=str(result.get("RefreshToken") or ""),
        claims=about_user,
        expires_at=int(about_access["exp"]),
    )


def _is_good(claims: dict[str, Any], use: str, options: Options, now: datetime) -> bool:
    expires = claims.get("exp")
    return (
        claims.get("iss") == options.issuer
        and claims.get("token_use") == use
        and isinstance(expires, int)
        and now.timestamp() < expires + CLOCK_SKEW.total_seconds()
    )


@sensitive_variables()
def _claims(token: str, options: Options) -> dict[str, Any]:
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid")
        key = _key(options, str(kid))
        if key is None:
            raise MalformedAnswer("A token under a key that the pool does not publish.")
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, TypeError):
        raise MalformedAnswer("A token that the pool has not signed.") from None
    return claims


def _key(options: Options, kid: str) -> Any:
    """Return the published key, ``None`` if there is none of that id."""
    with _fetching:
        kept = _kept.setdefault(options.issuer, _Kept())
        age = time.monotonic() - kept.fetched_at
        if age > KEEP_SECONDS or (kid not in kept.keys and age > RETRY_SECONDS):
            try:
                kept.keys = _fetch(options)
            except BackendUnavailable:
                if kid not in kept.keys:
                    raise
                # Keys are rotated with overlap: one that was good an hour ago is, until somebody says otherwise. Nor
                # need everybody wait for somebody who is away.
                kept.fetched_at = time.monotonic() - KEEP_SECONDS + RETRY_SECONDS
            else:
                kept.fetched_at = time.monotonic()
        return kept.keys.get(kid)


def _fetch(options: Options) -> dict[str, Any]:
    url = f"{options.issuer}/.well-known/jwks.json"
    timeouts: Any = (options.CONNECT_TIMEOUT, options.READ_TIMEOUT)
    http = URLLib3Session(timeout=timeouts)
    try:
        response = http.send(AWSRequest("GET", url).prepare())
        if response.status_code != HTTP_OK:
            raise MalformedAnswer(f"The pool's keys: status {response.status_code}.")
        # Keys of other kinds are none of ours (RFC 7517, section 5).
        published = [key for key in json.loads(response.content)["keys"] if key["kty"] == "RSA"]
        return {str(key["kid"]): RSAKey.import_key(key) for key in published}
    except (BotoCoreError, JoseError, ValueError, TypeError, KeyError) as error:
        logger.error("The user pool's keys cannot be fetched (%s).", type(error).__name__)  # noqa: TRY400
        raise BackendUnavailable("The user pool's keys cannot be fetched.") from None
    finally:
        http.close()


def forget_keys() -> None:
    """Drop what is cached."""
    with _fetching:
        _kept.clear()
