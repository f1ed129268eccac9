"""Access, ID and refresh tokens: issuing, checking, refreshing, revoking.

All tokens of one sign-in share ``origin_jti``; the row of its refresh token says whether they are still good.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Value
from django.db.models.functions import Replace
from django.views.decorators.debug import sensitive_variables
from joserfc import jws
from joserfc.errors import JoseError

from trusted_devices.cognito_idp import errors, factors, pool_devices, profile, signing
from trusted_devices.cognito_idp.models import PoolUser, RefreshToken, TokenUse, UserPool, UserPoolClient
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.models import STAMP_DOT, DeviceEvent
from trusted_devices.services import stamps
from trusted_devices.types import MfaVerification

logger = logging.getLogger(__name__)

SCOPE = "aws.cognito.signin.user.admin"
_REFRESH_TOKEN = record("refresh token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Whose access token was presented: the refresh token that was issued with it, its user and pool."""

    refresh_token: RefreshToken
    pool: UserPool

    @property
    def pool_user(self) -> PoolUser:
        """The user as the pool knows them."""
        return self.refresh_token.pool_user

    @property
    def user(self) -> AbstractBaseUser:
        """The site's user."""
        return self.refresh_token.pool_user.user


def start(
    *,
    app_client: UserPoolClient,
    pool_user: PoolUser,
    device_key: str,
    device_confirmed: bool,
    verification: MfaVerification | None,
    stamp: str,
    event: DeviceEvent,
) -> dict[str, Any]:
    """Return the AuthenticationResult of a finished sign-in: all three tokens.

    ``stamp`` is the credential stamp of that sign-in, ``event`` its entry in the activity log.
    """
    now = event.created_at
    refresh_token = RefreshToken(
        app_client=app_client,
        pool_user=pool_user,
        device_key=device_key,
        device_confirmed=device_confirmed,
        event_id=uuid.UUID(int=event.pk),
        auth_time=now,
        expires_at=now + app_client.refresh_token_validity,
        mfa_kind=verification.kind if verification else "",
        mfa_factor=verification.factor_id if verification else "",
        mfa_at=verification.at if verification else None,
        credential_stamp=stamp,
    )
    token = _new_refresh_token(refresh_token)
    refresh_token.save(force_insert=True)
    return {**_result(app_client, refresh_token, now=now), "RefreshToken": token}


@sensitive_variables("token")
def refresh(*, app_client: UserPoolClient, token: str, device_key: str | None, now: datetime) -> dict[str, Any]:
    """Return the AuthenticationResult for a refresh token. Raises ``WireError``.

    It carries a new refresh token only where the client rotates them. Then an old one that comes back means that
    there are two of them about, and ends the whole sign-in.
    """
    refresh_token, generation = _open(app_client, token)
    _require_active(refresh_token, now)
    if refresh_token.revoked_at is not None or not _stands(refresh_token):
        raise errors.refresh_token_revoked()
    if now >= refresh_token.expires_at:
        raise errors.not_authorized("Refresh Token has expired")
    _require_device(refresh_token, device_key)
    current = hmac.compare_digest(_digest(token), refresh_token.digest)
    if not current and not _in_grace(app_client, refresh_token, generation, now):
        RefreshToken.objects.filter(pk=refresh_token.pk, revoked_at=None).update(revoked_at=now)
        raise errors.RefreshTokenReused
    if not app_client.rotate_refresh_tokens:
        return _result(app_client, refresh_token, now=now)
    known = refresh_token.generation
    refresh_token.generation += 1
    rotated = _new_refresh_token(refresh_token)
    changed = RefreshToken.objects.filter(pk=refresh_token.pk, generation=known, revoked_at=None).update(
        generation=refresh_token.generation, digest=refresh_token.digest, rotated_at=now
    )
    if not changed:
        raise errors.invalid_refresh_token()
    return {**_result(app_client, refresh_token, now=now), "RefreshToken": rotated}


def verified(refresh_token: RefreshToken, verification: MfaVerification) -> None:
    """Note that a second factor was used in a sign-in after its tokens were issued: it counts as one with MFA now."""
    columns = {
        "mfa_kind": verification.kind,
        "mfa_factor": verification.factor_id,
        "mfa_at": verification.at,
        "credential_stamp": verification.stamp,
    }
    RefreshToken.objects.filter(pk=refresh_token.pk, revoked_at=None).update(**columns)


@sensitive_variables("token")
def owner(*, app_client: UserPoolClient, token: str) -> PoolUser:
    """Return whose refresh token that is. Raises ``WireError``."""
    return _open(app_client, token)[0].pool_user


@sensitive_variables("token")
def revoke(*, app_client: UserPoolClient, token: str, now: datetime) -> None:
    """End the sign-in that a refresh token is from. Raises ``WireError`` for anything that is not one."""
    try:
        opened = _REFRESH_TOKEN.open(token)
    except Unsealable:
        raise errors.WireError("UnsupportedTokenTypeException", "Only refresh tokens can be revoked") from None
    found = RefreshToken.objects.filter(origin_jti=opened["jti"], app_client=app_client, revoked_at=None)
    found.update(revoked_at=now)


def follow_upgrade(user: AbstractBaseUser, *, before: AbstractBaseUser) -> None:
    """Carry sign-ins over from the hash of ``before`` to the one that Django made of the same password."""
    old, new = stamps.password_stamp(before), stamps.password_stamp(user)
    RefreshToken.objects.filter(pool_user__user=user.pk, credential_stamp__startswith=old + STAMP_DOT).update(
        credential_stamp=Replace("credential_stamp", Value(old), Value(new))
    )


def revoke_all(*, user: AbstractBaseUser, pool: UserPool | None = None, now: datetime | None = None) -> None:
    """End all sign-ins of ``user``, in one pool or in all of them."""
    live = RefreshToken.objects.filter(pool_user__user=user.pk, revoked_at=None)
    if pool is not None:
        live = live.filter(pool_user__pool=pool)
    keys = list(live.values_list("pk", flat=True))
    if keys:
        RefreshToken.objects.filter(pk__in=keys).update(revoked_at=now or datetime.now(UTC))


@sensitive_variables("token")
def authenticate(token: str | None, *, now: datetime) -> Bearer:
    """Return whose access token that is. Raises ``WireError`` (NotAuthorizedException) unless it is good now."""
    if not token:
        raise errors.not_authorized("Missing access token")
    kid, use = _peek(token)
    if use != TokenUse.ACCESS:
        raise errors.not_authorized("Invalid Access Token")
    try:
        pool, claims = signing.verify(token, kid=kid, now=now)
    except signing.BadSignature:
        raise errors.not_authorized("Could not verify signature for Access Token") from None
    if claims.get("token_use") != TokenUse.ACCESS or claims.get("iss") != pool.issuer:
        raise errors.not_authorized("Invalid Access Token")
    if now.timestamp() >= claims["exp"]:
        raise errors.not_authorized("Access Token has expired")
    refresh_token = (
        RefreshToken.objects.select_related("app_client", "pool_user__user", "pool_user__pool")
        .filter(origin_jti=claims["origin_jti"], pool_user__pool=pool)
        .first()
    )
    if refresh_token is None:
        raise errors.not_authorized("Access Token has been revoked")
    _require_active(refresh_token, now)
    if refresh_token.revoked_at is not None or not _device_stands(refresh_token):
        raise errors.not_authorized("Access Token has been revoked")
    if SCOPE not in claims.get("scope", "").split():
        raise errors.not_authorized("Access Token does not have required scopes")
    require_standing(refresh_token)
    return Bearer(refresh_token=refresh_token, pool=pool)


def require_standing(refresh_token: RefreshToken) -> None:
    """Raise ``WireError`` unless the user still has the credentials that they had at that sign-in."""
    if not _stands(refresh_token):
        raise errors.not_authorized("Access Token has been revoked")


def _result(app_client: UserPoolClient, refresh_token: RefreshToken, *, now: datetime) -> dict[str, Any]:
    pool, pool_user = app_client.pool, refresh_token.pool_user
    user = pool_user.user
    common: dict[str, Any] = {
        "sub": str(pool_user.sub),
        "iss": pool.issuer,
        "origin_jti": str(refresh_token.origin_jti),
        "event_id": str(refresh_token.event_id),
        "auth_time": int(refresh_token.auth_time.timestamp()),
        "iat": int(now.timestamp()),
    }
    groups = [group.name for group in user.groups.all()] if hasattr(user, "groups") else []
    if groups:
        common["cognito:groups"] = groups
    access = {
        **common,
        "token_use": TokenUse.ACCESS.value,
        "scope": SCOPE,
        "client_id": app_client.client_id,
        "username": user.get_username(),
        "jti": str(uuid.uuid4()),
        "exp": int((now + app_client.access_token_validity).timestamp()),
    }
    if refresh_token.device_key:
        access["device_key"] = refresh_token.device_key
    identity = {
        **common,
        "token_use": TokenUse.ID.value,
        "aud": app_client.client_id,
        "cognito:username": user.get_username(),
        "jti": str(uuid.uuid4()),
        "exp": int((now + app_client.id_token_validity).timestamp()),
        **profile.attributes(pool_user),
    }
    return {
        "AccessToken": signing.sign(pool, TokenUse.ACCESS, access, now=now),
        "IdToken": signing.sign(pool, TokenUse.ID, identity, now=now),
        "ExpiresIn": int(app_client.access_token_validity.total_seconds()),
        "TokenType": "Bearer",
    }


def _require_active(refresh_token: RefreshToken, now: datetime) -> None:
    """Raise ``WireError`` for a disabled user; the sign-in does not come back with the account."""
    if not refresh_token.user.is_active:
        RefreshToken.objects.filter(pk=refresh_token.pk, revoked_at=None).update(revoked_at=now)
        raise errors.user_disabled()


def _stands(refresh_token: RefreshToken) -> bool:
    """Return whether the user still has the credentials that they had at that sign-in."""
    pool_user = refresh_token.pool_user
    if factors.is_gone(pool_user, refresh_token.mfa_factor):
        return False
    return stamps.stands(refresh_token.credential_stamp, factors.credential_stamp(pool_user))


def _new_refresh_token(refresh_token: RefreshToken) -> str:
    """Return a refresh token for the sign-in's generation, and keep its digest there."""
    token = _REFRESH_TOKEN.seal(
        {"jti": str(refresh_token.origin_jti), "gen": refresh_token.generation, "secret": secrets.token_urlsafe(32)}
    )
    refresh_token.digest = _digest(token)
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _open(app_client: UserPoolClient, token: str) -> tuple[RefreshToken, int]:
    try:
        opened = _REFRESH_TOKEN.open(token)
    except Unsealable:
        raise errors.invalid_refresh_token() from None
    refresh_token = (
        RefreshToken.objects.select_related("pool_user__user", "pool_user__pool")
        .filter(origin_jti=opened["jti"], app_client=app_client)
        .first()
    )
    if refresh_token is None:
        raise errors.invalid_refresh_token()
    return refresh_token, opened["gen"]


def _in_grace(app_client: UserPoolClient, refresh_token: RefreshToken, generation: int, now: datetime) -> bool:
    rotated_at, grace = refresh_token.rotated_at, timedelta(seconds=app_client.rotation_grace)
    if not app_client.rotate_refresh_tokens or rotated_at is None or generation != refresh_token.generation - 1:
        return False
    # Without a grace there is none either for a request that began before the rotation and is served after it.
    return bool(grace) and now < rotated_at + grace


def _require_device(refresh_token: RefreshToken, device_key: str | None) -> None:
    """Raise ``WireError`` unless the refresh comes with the confirmed device that the sign-in belongs to."""
    pool = refresh_token.pool_user.pool
    if not refresh_token.device_key:
        return
    why = ""
    if not _device_stands(refresh_token):
        why = "the device was forgotten"
    elif not pool.is_tracking or (
        pool.refresh_without_device and not refresh_token.device_confirmed and not device_key
    ):
        return
    elif not device_key:
        why = "no device key came with it"
    elif device_key != refresh_token.device_key:
        why = "the device key is another one's"
    elif not refresh_token.device_confirmed:
        why = "the device was never confirmed"
    if why:
        logger.info("Refresh token of device %s refused: %s.", refresh_token.device_key, why)
        raise errors.invalid_refresh_token()


def _device_stands(refresh_token: RefreshToken) -> bool:
    """Return whether the sign-in's device, if it was ever confirmed, has not been forgotten."""
    if not refresh_token.device_confirmed:
        return True
    return pool_devices.of(refresh_token.pool_user).filter(device_key=refresh_token.device_key).exists()


def _peek(token: str) -> tuple[str, Any]:
    """Return key id and use of a JWT, unverified. Raises ``WireError`` for a header that none issued here has.

    The key id is looked up before anything is verified, so that it must be one that could be stored.
    """
    try:
        parts = jws.extract_compact(token.encode())
        header, use = parts.headers(), json.loads(parts.payload)["token_use"]
        kid = header["kid"] if header.keys() <= signing.HEADER else None
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        kid, use = None, None
    if not isinstance(kid, str) or not signing.KEY_ID.fullmatch(kid):
        raise errors.not_authorized("Invalid Access Token")
    return kid, use
