"""The new password that a user has to set at a sign-in, and the attributes that the pool wants along with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito_idp import accounts, errors, tokens
from trusted_devices.cognito_idp.models import PoolUser

PREFIX = "userAttributes."
MAX_LENGTH = 256
PATTERN = r"^[\S]+.*[\S]+$"


def missing(pool_user: PoolUser) -> dict[str, str]:
    """Return the attributes that the pool requires and the user lacks, with the fields of the user that hold them."""
    known = {field.name for field in get_user_model()._meta.get_fields()}
    return {
        attribute: field
        for attribute, field in accounts.attribute_fields().items()
        if attribute in pool_user.pool.required_attributes and field in known and not getattr(pool_user.user, field)
    }


def challenge_parameters(pool_user: PoolUser) -> dict[str, str]:
    """Return the ChallengeParameters of NEW_PASSWORD_REQUIRED; what is required and missing has an empty value."""
    lacking = missing(pool_user)
    present = {**dict.fromkeys(lacking, ""), **tokens.attribute_texts(pool_user)}
    return {
        "USER_ID_FOR_SRP": pool_user.user.get_username(),
        "requiredAttributes": json.dumps([PREFIX + name for name in lacking], separators=(",", ":")),
        "userAttributes": json.dumps(present, separators=(",", ":")),
    }


@sensitive_variables("password")
def assign(pool_user: PoolUser, password: str, answers: Mapping[str, str]) -> list[str]:
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
    wanted, user = missing(pool_user), pool_user.user
    for name in given:
        if name not in wanted:
            raise errors.attribute_provided(name) if name in tokens.attributes(pool_user) else errors.attribute_denied()
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
    if "email" in wanted and accounts.is_taken_alias(pool_user.pool, given["email"].strip()):
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
