"""The new password that a user has to set at a sign-in, and the attributes that the pool wants along with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from trusted_devices import database
from trusted_devices.cognito_idp import accounts, errors, profile
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.signin import challenge_session, due
from trusted_devices.cognito_idp.signin.challenge_session import ChallengeSession
from trusted_devices.cognito_idp.signin.request import SignInRequest

CHALLENGE = "NEW_PASSWORD_REQUIRED"
PREFIX = "userAttributes."
MAX_LENGTH = 256
PATTERN = r"^[\S]+.*[\S]+$"


def challenge(request: SignInRequest, pool_user: PoolUser) -> dict[str, Any]:
    """Ask for a new password; what is required along with it and missing has an empty value."""
    session = ChallengeSession.start(request, pool_user, device_key="").waiting_for(CHALLENGE)
    lacking = _missing(pool_user)
    present = {**dict.fromkeys(lacking, ""), **profile.attribute_texts(pool_user)}
    return session.challenge_answer(
        {
            "USER_ID_FOR_SRP": pool_user.user.get_username(),
            "requiredAttributes": json.dumps([PREFIX + name for name in lacking], separators=(",", ":")),
            "userAttributes": json.dumps(present, separators=(",", ":")),
        }
    )


@sensitive_variables("password")
def answer(request: SignInRequest) -> dict[str, Any]:
    """NEW_PASSWORD_REQUIRED. A password or attribute that is refused leaves the session as it is.

    Trust ends with the old password, so that what follows is a sign-in without a device.
    """
    password = request.require("NEW_PASSWORD")
    session, pool_user = challenge_session.load(request)
    changed = _assign(pool_user, password, request.answers)
    with database.atomic():
        challenge_session.use_up(session, request.session_text, now=request.now)
        # Another sign-in, the site's own pages or staff may have been faster.
        stored = type(pool_user.user)._base_manager.select_for_update().filter(pk=pool_user.user.pk).first()
        marked = PoolUser.objects.filter(pk=pool_user.pk, must_change_password=True)
        if stored is None or not session.has_password(stored) or not marked.update(must_change_password=False):
            raise errors.invalid_session()
        pool_user.user.save(update_fields=changed)
    return due.after_password(request, pool_user, None)


def _missing(pool_user: PoolUser) -> dict[str, str]:
    """Return the attributes that the pool requires and the user lacks, with the fields of the user that hold them."""
    known = {field.name for field in get_user_model()._meta.get_fields()}
    return {
        attribute: field
        for attribute, field in accounts.attribute_fields().items()
        if attribute in pool_user.pool.required_attributes and field in known and not getattr(pool_user.user, field)
    }


@sensitive_variables("password")
def _assign(pool_user: PoolUser, password: str, answers: Mapping[str, str]) -> list[str]:
    """Put the new password and the attributes among ``answers`` on the user; return the fields that are to be saved.

    Raises ``WireError`` for what cannot be taken: InvalidPasswordException, InvalidParameterException,
    NotAuthorizedException or AliasExistsException.
    """
    given = {name.removeprefix(PREFIX): value for name, value in answers.items() if name.startswith(PREFIX)}
    changed = _assign_attributes(pool_user, given)
    _require_shape(password)
    try:
        validate_password(password, pool_user.user)
    except ValidationError as error:
        raise errors.invalid_password(" ".join(error.messages)) from None
    pool_user.user.set_password(password)
    return ["password", *changed]


def _assign_attributes(pool_user: PoolUser, given: Mapping[str, str]) -> list[str]:
    wanted, user = _missing(pool_user), pool_user.user
    for name in given:
        if name not in wanted:
            raise (
                errors.attribute_provided(name) if name in profile.attributes(pool_user) else errors.attribute_denied()
            )
    absent = [name for name in wanted if not given.get(name, "").strip()]
    if absent:
        raise errors.attributes_missing(absent)
    for name, field in wanted.items():
        setattr(user, field, given[name].strip())
    if wanted:
        try:
            user.full_clean(exclude={field.name for field in user._meta.get_fields()} - set(wanted.values()))
        except ValidationError as error:
            raise errors.attributes_unfit(" ".join(error.messages)) from None
    if "email" in wanted and accounts.is_taken_alias(user, given["email"].strip()):
        raise errors.WireError("AliasExistsException", "An account with the given email already exists.")
    return list(wanted.values())


@sensitive_variables("password")
def _require_shape(password: str) -> None:
    """Raise ``WireError`` for a password that Amazon's description of the service does not let through."""
    constraint = ""
    if len(password) > MAX_LENGTH:
        constraint = f"Member must have length less than or equal to {MAX_LENGTH}"
    elif not re.fullmatch(PATTERN, password, re.ASCII):
        constraint = f"Member must satisfy regular expression pattern: {PATTERN}"
    if constraint:
        raise errors.invalid_parameter(
            f"1 validation error detected: Value at 'challengeResponses.NEW_PASSWORD' failed to satisfy constraint: "
            f"{constraint}"
        )
