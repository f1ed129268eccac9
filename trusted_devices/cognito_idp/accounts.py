"""The site's users as a pool knows them: looking them up, and their SRP verifiers.

Every user of the site is a user of every pool. A verifier can be made only while the clear password is known.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.models import PoolUser, SrpCredential, UserPool, UserPoolClient
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.conf import secret_keys
from trusted_devices.crypto import srp
from trusted_devices.crypto.encoding import encode_base64
from trusted_devices.crypto.errors import SrpError
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.crypto.verifier import SrpVerifier, decoy_verifier, make_user_verifier
from trusted_devices.services.stamps import password_stamp

CLIENT_SECRET = record("client secret")
_VERIFIER = record("srp verifier")


def find(pool: UserPool, username: str) -> AbstractBaseUser | None:
    """Return the user who signs in with that name, or ``None``. The pool may take e-mail addresses as well."""
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(username)
    except model.DoesNotExist:
        pass
    if not pool.email_alias or "@" not in username:
        return None
    found = list(model._default_manager.filter(**{f"{model.get_email_field_name()}__iexact": username})[:2])
    return found[0] if len(found) == 1 else None


def get_pool_user(pool: UserPool, user: AbstractBaseUser) -> PoolUser:
    """Return ``user`` as the pool knows them, made on first sight."""
    found, _created = PoolUser.objects.get_or_create(pool=pool, user_id=user.pk)
    found.pool, found.user = pool, cast("Any", user)
    return found


def load_pool_user(pk: int | None) -> PoolUser | None:
    """Return the user with that primary key, as a session or secret block names them; ``None`` if there is none."""
    return PoolUser.objects.select_related("user", "pool").filter(pk=pk or 0).first()


def is_name_of(pool_user: PoolUser, username: str) -> bool:
    """Return whether ``username``, as typed or as the server named it, means this user."""
    if username == pool_user.user.get_username():
        return True
    known = find(pool_user.pool, username)
    return known is not None and known.pk == pool_user.user_id


def find_for_admin(pool: UserPool, username: str) -> PoolUser | None:
    """Return the user whom an Admin call names by user name, ``sub`` or alias; ``None`` if there is none."""
    user = find(pool, username)
    if user is not None:
        return get_pool_user(pool, user)
    try:
        sub = uuid.UUID(username)
    except ValueError:
        return None
    return PoolUser.objects.select_related("user", "pool").filter(pool=pool, sub=sub).first()


def require_for_admin(pool: UserPool, username: str) -> PoolUser:
    """Return the user whom an Admin call names. Raises ``WireError`` (UserNotFoundException)."""
    found = find_for_admin(pool, username)
    if found is None:
        raise errors.user_not_found()
    return found


def attribute_fields() -> dict[str, str]:
    """Return the attributes of Cognito's that a field of the site's user holds, with the field's name."""
    return {
        "email": get_user_model().get_email_field_name(),
        "given_name": "first_name",
        "family_name": "last_name",
    }


def is_taken_alias(pool: UserPool, address: str) -> bool:
    """Return whether a user has that address already, in a pool that takes addresses for signing in."""
    model = get_user_model()
    having = model._default_manager.filter(**{f"{model.get_email_field_name()}__iexact": address})
    return pool.email_alias and having.exists()


@sensitive_variables()
def require_secret_hash(app_client: UserPoolClient, given: str | None, *names: str) -> None:
    """Raise ``WireError`` unless ``given`` is the SECRET_HASH for one of ``names``, where the client has a secret."""
    if not app_client.has_secret:
        return
    if not given:
        raise errors.not_authorized(
            f"Client {app_client.client_id} is configured with secret but SECRET_HASH was not received"
        )
    expected = [secret_hash(app_client, name) for name in names]
    good = [hmac.compare_digest(given.encode(), candidate.encode()) for candidate in expected]
    if not any(good):
        raise errors.not_authorized(f"Unable to verify secret hash for client {app_client.client_id}")


@sensitive_variables()
def require_secret(app_client: UserPoolClient, given: str | None) -> None:
    """Raise ``WireError`` unless ``given`` is the client's secret itself, where it has one."""
    if not app_client.has_secret:
        return
    if given is None:
        raise errors.not_authorized(
            f"Client {app_client.client_id} is configured with secret but CLIENT_SECRET was not received"
        )
    if not hmac.compare_digest(given.encode(), client_secret(app_client).encode()):
        raise errors.not_authorized(f"Unable to verify secret for client {app_client.client_id}")


def secret_hash(app_client: UserPoolClient, username: str) -> str:
    """Return SECRET_HASH: base64 of HMAC-SHA256 (client secret, user name and client id)."""
    return encode_base64(
        hmac.digest(client_secret(app_client).encode(), (username + app_client.client_id).encode(), "sha256")
    )


def client_secret(app_client: UserPoolClient) -> str:
    """Return the client's secret; raises ``WireError`` if it can no longer be read (``SECRET_KEY`` has changed)."""
    try:
        secret: str = CLIENT_SECRET.open(app_client.sealed_secret)["secret"]
    except Unsealable:
        raise errors.internal() from None
    return secret


def set_client_secret(app_client: UserPoolClient, secret: str) -> None:
    """Give the client a secret; the caller saves it."""
    app_client.sealed_secret = CLIENT_SECRET.seal({"secret": secret})


@sensitive_variables("password")
def keep_verifiers(*, user: AbstractBaseUser, password: str) -> None:
    """Make and keep a verifier in every pool that wants one; delete those of earlier passwords."""
    for pool in UserPool.objects.filter(keep_srp_verifiers=True):
        keep_verifier(get_pool_user(pool, user), password)
    stale = SrpCredential.objects.filter(pool_user__user=user.pk).exclude(password_stamp=password_stamp(user))
    stale.delete()


@sensitive_variables("password", "made")
def keep_verifier(pool_user: PoolUser, password: str) -> None:
    """Make and keep the verifier of ``password``, which the caller knows to be right, unless there is one already."""
    if not pool_user.pool.keep_srp_verifiers or verifier_of(pool_user) is not None:
        return
    username = pool_user.user.get_username()
    try:
        made = make_user_verifier(pool_name=pool_user.pool.pool_name, user_id=username, password=password)
    except SrpError:
        return  # a password that has no UTF-8 form cannot be typed into a client either
    SrpCredential.objects.update_or_create(
        pool_user=pool_user,
        defaults={
            "sealed_verifier": _VERIFIER.seal({"salt": f"{made.salt:x}", "verifier": f"{made.verifier:x}"}),
            "user_id_for_srp": username,
            "password_stamp": password_stamp(pool_user.user),
        },
    )


def verifier_of(pool_user: PoolUser) -> SrpVerifier | None:
    """Return the user's verifier if there is one for the password and user name that they have now."""
    kept = SrpCredential.objects.filter(pool_user=pool_user).first()
    if kept is None or kept.user_id_for_srp != pool_user.user.get_username():
        return None
    if not hmac.compare_digest(kept.password_stamp, password_stamp(pool_user.user)):
        return None
    try:
        verifier = _VERIFIER.open(kept.sealed_verifier)
    except Unsealable:
        return None
    return SrpVerifier(salt=int(verifier["salt"], 16), verifier=int(verifier["verifier"], 16))


def decoy(pool: UserPool, username: str) -> SrpVerifier:
    """Return what stands in for the verifier of a user who has none, with the same salt each time."""
    return decoy_verifier(key=secret_keys()[0], identity=srp.user_identity(pool_name=pool.pool_name, user_id=username))
