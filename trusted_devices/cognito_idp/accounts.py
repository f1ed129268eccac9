"""The site's users as a pool knows them: looking them up, and their SRP verifiers.

Every user of the site is a user of every pool. A verifier can be made only while the clear password is known.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito_idp import errors, srp_names
from trusted_devices.cognito_idp.models import PoolUser, SrpCredential, UserPool, UserPoolClient
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.crypto.encoding import encode_base64
from trusted_devices.crypto.errors import SrpError
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.crypto.verifier import SrpVerifier, decoy_verifier, make_user_verifier
from trusted_devices.services.stamps import password_stamp

CLIENT_SECRET = record("client secret")
_VERIFIERS = record("srp verifiers")
MOST_MEANT = 10
"""How many users are looked at whom a database takes for the same address."""


def find(pool: UserPool, username: str) -> AbstractBaseUser | None:
    """Return the user who signs in with that name, or ``None``. The pool may take e-mail addresses as well.

    A text that means two users means neither: whoever takes somebody's address for a user name does not take their
    place. It takes the same queries whether or not there is such a user.
    """
    found = _meant(pool, username)
    return found[0] if len(found) == 1 else None


def _meant(pool: UserPool, username: str) -> list[AbstractBaseUser]:
    model = get_user_model()
    if not srp_names.is_address(pool, username):
        try:
            return [model._default_manager.get_by_natural_key(username)]
        except model.DoesNotExist:
            return []
    fields = {model.get_email_field_name(), model.USERNAME_FIELD}
    # Databases differ in what they hold for the same letter; here it is the one that made-up names go by.
    canonical = srp_names.canonical(username)
    return [
        user
        for user in model._default_manager.filter(_goes_by(username))[:MOST_MEANT]
        if canonical in {srp_names.canonical(getattr(user, field) or "") for field in fields}
    ]


def get_pool_user(pool: UserPool, user: AbstractBaseUser) -> PoolUser:
    """Return ``user`` as the pool knows them, made on first sight."""
    found, _created = PoolUser.objects.get_or_create(pool=pool, user_id=user.pk)
    found.pool, found.user = pool, cast("Any", user)
    return found


def load_pool_user(pk: int | None) -> PoolUser | None:
    """Return the user with that primary key, as a session or secret block names them; ``None`` if there is none."""
    return PoolUser.objects.select_related("user", "pool", "srp_credential").filter(pk=pk or 0).first()


def is_name_of(pool_user: PoolUser, username: str) -> bool:
    """Return whether ``username``, as typed or as the server named it, means this user."""
    if username in (pool_user.user.get_username(), srp_names.of_user(pool_user.pool, pool_user.user_id)):
        return True
    known = find(pool_user.pool, username)
    return known is not None and known.pk == pool_user.user_id


def find_for_admin(pool: UserPool, username: str) -> PoolUser | None:
    """Return the user whom an Admin call names by user name, ``sub`` or alias; ``None`` if none or two are meant."""
    found = {user.pk: user for user in _meant(pool, username)}
    try:
        known = PoolUser.objects.select_related("user", "pool").filter(pool=pool, sub=uuid.UUID(username)).first()
    except ValueError:
        known = None
    if known is not None:
        return known if found.keys() <= {known.user_id} else None
    return get_pool_user(pool, *found.values()) if len(found) == 1 else None


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


def is_taken_alias(user: AbstractBaseUser, address: str) -> bool:
    """Return whether another user has that address or goes by it, where a pool takes addresses for signing in."""
    if not UserPool.objects.filter(email_alias=True).exists():
        return False
    return get_user_model()._default_manager.exclude(pk=user.pk).filter(_goes_by(address)).exists()


def _goes_by(address: str) -> Q:
    """Return the condition that a user has that address or that name, in whatever capitals."""
    model = get_user_model()
    fields = {model.get_email_field_name(), model.USERNAME_FIELD}
    return Q.create([(f"{field}__iexact", address) for field in fields], connector=Q.OR)


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


def follow_upgrade(user: AbstractBaseUser, *, before: AbstractBaseUser) -> None:
    """Keep the verifiers of a password whose hash alone has changed; ``before`` has the one that was stored."""
    SrpCredential.objects.filter(pool_user__user=user.pk, password_stamp=password_stamp(before)).update(
        password_stamp=password_stamp(user)
    )


@sensitive_variables("password", "made")
def keep_verifier(pool_user: PoolUser, password: str) -> None:
    """Make and keep the verifiers of ``password``, which the caller knows to be right, unless they are there already.

    There is one for the user name and, in a pool that takes addresses, one for what users are called who come by one.
    """
    pool = pool_user.pool
    names = {pool_user.user.get_username()}
    if pool.email_alias:
        names.add(srp_names.of_user(pool, pool_user.user_id))
    if not pool.keep_srp_verifiers or names <= _kept(pool_user).keys():
        return
    made = {}
    try:
        for name in names:
            made[name] = make_user_verifier(
                pool_name=pool.pool_name, user_id=name, password=password, salt=srp_names.salt(pool, name)
            )
    except SrpError:
        return  # a password that has no UTF-8 form cannot be typed into a client either
    records = {name: [f"{verifier.salt:x}", f"{verifier.verifier:x}"] for name, verifier in made.items()}
    SrpCredential.objects.update_or_create(
        pool_user=pool_user,
        defaults={
            "sealed_verifiers": _VERIFIERS.seal(records),
            "password_stamp": password_stamp(pool_user.user),
        },
    )


def find_with_verifier(
    pool: UserPool, user: AbstractBaseUser | None, name: str
) -> tuple[PoolUser | None, SrpVerifier | None]:
    """Return ``user`` as the pool knows them, with the verifier under that name; ``None`` for what there is not.

    It makes no rows. For nobody the rows of somebody else are read and thrown away, so that it takes as long.
    """
    rows = PoolUser.objects.select_related("user", "pool", "srp_credential").filter(pool=pool).order_by("pk")
    found = (rows if user is None else rows.filter(user=user.pk)).first()
    verifier = verifier_of(found, name) if found is not None else None
    return (None, None) if user is None else (found, verifier)


def verifier_of(pool_user: PoolUser, name: str) -> SrpVerifier | None:
    """Return the user's verifier under that name if there is one for the password that they have now."""
    kept = _kept(pool_user).get(name)
    if kept is None:
        return None
    salt, verifier = (int(digits, 16) for digits in kept)
    return SrpVerifier(salt=salt, verifier=verifier)


def _kept(pool_user: PoolUser) -> dict[str, list[str]]:
    """Return salts and verifiers by name, nothing if they are of an earlier password."""
    try:
        kept = pool_user.srp_credential
    except SrpCredential.DoesNotExist:
        return {}
    if not hmac.compare_digest(kept.password_stamp, password_stamp(pool_user.user)):
        return {}
    try:
        return _VERIFIERS.open(kept.sealed_verifiers)
    except Unsealable:
        return {}


def decoy(pool: UserPool, name: str) -> SrpVerifier:
    """Return what stands in for the verifier of a user who has none, with the salt that goes with the name."""
    return decoy_verifier(salt=srp_names.salt(pool, name))
