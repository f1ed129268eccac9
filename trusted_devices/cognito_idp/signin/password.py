"""The first factor: the password itself, or a proof of it (SRP)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.views.decorators.debug import sensitive_variables

from trusted_devices import database
from trusted_devices.cognito_idp import accounts, attempts, errors, srp_names
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.signin import due, exchange, known_device, new_password
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.exceptions import InvalidCredentials
from trusted_devices.services import activity
from trusted_devices.types import EventAction


@sensitive_variables("password")
def begin_with_password(request: SignInRequest) -> dict[str, Any]:
    """USER_PASSWORD_AUTH and ADMIN_USER_PASSWORD_AUTH."""
    username, password = request.require("USERNAME"), request.require("PASSWORD")
    request.require_secret_hash(username)
    known = accounts.find(request.pool, username)
    name = known.get_username() if known is not None else username
    with attempts.guess(attempts.password_subject(name), name, by=request.by) as guess:
        if known is None and not request.app_client.prevent_user_existence_errors:
            raise errors.user_not_found()
        if known is not None and not known.is_active:
            # One hash is computed here, as in the other case: inactive users take as long as anybody.
            if known.check_password(password):
                raise errors.user_disabled()
            user = None
        else:
            user = authenticate(request.client_info.request, username=name, password=password)
        if user is not None and known is None and accounts.find(request.pool, user.get_username()) != user:
            user = None  # by a name that is another user's address nobody is let in
        if user is None:
            guess.wrong = True
            _log_failure(request, known)
            raise errors.incorrect()
    pool_user = accounts.get_pool_user(request.pool, user)
    accounts.keep_verifier(pool_user, password)
    return _passed(request, pool_user, request.answers.get("DEVICE_KEY", ""))


def begin_with_srp(request: SignInRequest) -> dict[str, Any]:
    """USER_SRP_AUTH: the server's half of the exchange. It looks the same for users who do not exist."""
    username = request.require("USERNAME")
    request.require("SRP_A")
    request.require_secret_hash(username)
    known = accounts.find(request.pool, username)
    name = _srp_name(request, username, known)
    verifier = accounts.find_with_verifier(request.pool, known, name)[1]
    if verifier is None and not request.app_client.prevent_user_existence_errors:
        raise errors.WireError("PasswordResetRequiredException", "Password reset required for the user")
    parameters = exchange.begin(
        request,
        exchange.USER,
        username=username,
        srp_name=name,
        verifier=verifier or accounts.decoy(request.pool, name),
    )
    return {
        "ChallengeName": "PASSWORD_VERIFIER",
        "ChallengeParameters": {**parameters, "USERNAME": name, "USER_ID_FOR_SRP": name},
    }


def answer_verifier(request: SignInRequest) -> dict[str, Any]:
    """PASSWORD_VERIFIER. The block is used up by success and by a wrong signature, not by an unknown device."""
    username = request.require("USERNAME")
    block = exchange.load(request, exchange.USER)
    request.require_secret_hash(username)
    known = accounts.find(request.pool, block.username)
    pool_user, verifier = accounts.find_with_verifier(request.pool, known, block.srp_name)
    named = username in (block.username, block.srp_name)
    if not named and (pool_user is None or not accounts.is_name_of(pool_user, username)):
        raise errors.incorrect()
    name = known.get_username() if known is not None else block.username
    with attempts.guess(attempts.password_subject(name), name, by=request.by) as guess:
        identity = srp_names.identity(request.pool, block.srp_name)
        proved = exchange.is_proved(request, block, identity, verifier or accounts.decoy(request.pool, block.srp_name))
        if not proved or pool_user is None:
            guess.wrong = True
            exchange.use_up(request, block)
            _log_failure(request, known)
            user_login_failed.send(sender=__name__, credentials={"username": name}, request=request.client_info.request)
            raise errors.incorrect()
        if not pool_user.user.is_active:
            raise errors.user_disabled()
        # A later step that names the key, or takes it back, wins over the earlier one.
        device_key = "" if request.key_withdrawn else request.answers.get("DEVICE_KEY", block.device_key)
        known_device.find(pool_user, device_key)
        if not exchange.use_up(request, block):
            raise errors.incorrect()
    return _passed(request, pool_user, device_key)


def _srp_name(request: SignInRequest, username: str, known: AbstractBaseUser | None) -> str:
    """Return what the user is called until the password is proved.

    Raises ``WireError`` (UserNotFoundException) where the app client may tell who exists.
    """
    if not request.app_client.prevent_user_existence_errors:
        if known is None:
            raise errors.user_not_found()
        return known.get_username()
    if not srp_names.is_address(request.pool, username):
        return username
    if known is None:
        return srp_names.of_nobody(request.pool, username)
    return srp_names.of_user(request.pool, known.pk)


def _passed(request: SignInRequest, pool_user: PoolUser, device_key: str) -> dict[str, Any]:
    device = known_device.find(pool_user, device_key)
    if pool_user.must_change_password:
        return new_password.challenge(request, pool_user)
    return due.after_password(request, pool_user, device)


def _log_failure(request: SignInRequest, user: AbstractBaseUser | None) -> None:
    """Log a wrong password. Of a name that nobody has no entry stays, for anybody can invent them; it takes as long."""
    with database.atomic(), database.atomic():
        activity.record(EventAction.SIGN_IN_FAILED, user=user, reason=InvalidCredentials.code, by=request.by)
        if user is None:
            database.connection().set_rollback(True)
