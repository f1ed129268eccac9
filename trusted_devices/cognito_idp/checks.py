"""System checks of the endpoint: what would make it answer nothing but errors, and what keeps users out."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import DatabaseError, router
from django.db.models import Count, F, Q
from django.db.models.functions import Upper
from django.utils.module_loading import import_string

from trusted_devices import database
from trusted_devices.cognito_idp import conf, factors
from trusted_devices.cognito_idp.models import MfaConfiguration, UserPool
from trusted_devices.crypto import modexp

TAG = "trusted_devices_cognito_idp"
SHOWN = 5
"""How many examples a check gives."""


def register() -> None:
    """Register the checks."""
    checks.register(check_installation, TAG)
    checks.register(check_options, TAG)
    checks.register(check_names, checks.Tags.database, TAG)
    checks.register(check_arithmetic, TAG, deploy=True)
    checks.register(check_factors, checks.Tags.database, TAG)


def check_installation(**_: Any) -> list[checks.CheckMessage]:
    """Are the libraries of the extra there, and is the fast arithmetic?"""
    found: list[checks.CheckMessage] = []
    missing = [name for name in ("botocore", "joserfc") if find_spec(name) is None]
    if missing:
        found.append(
            checks.Error(
                f"trusted_devices.cognito_idp needs {' and '.join(missing)}.",
                hint="pip install 'django-device-trust[cognito-idp]'",
                id=f"{TAG}.E001",
            )
        )
    if modexp.implementation() == "python":
        found.append(
            checks.Info(
                "SRP computes in pure Python: about 16 ms a sign-in, in time that depends on its secrets.",
                hint="pip install 'django-device-trust[srp]'",
                id=f"{TAG}.I001",
            )
        )
    return found


def check_arithmetic(**_: Any) -> list[checks.CheckMessage]:
    """Which modular exponentiation is in use? Said by ``check --deploy``; the slow one is also said by every check."""
    if modexp.implementation() == "python":
        return []
    return [checks.Info("SRP computes with gmpy2, in time that does not depend on its secrets.", id=f"{TAG}.I002")]


def check_factors(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """When a database is checked: does each pool ask for the second factors that users of the site have?"""
    if database.alias() not in (databases or ()):
        return []
    try:
        pools = list(UserPool.objects.only("name", "mfa", "software_token_mfa", "email_mfa").order_by("pk"))
        gaps = [(pool, kinds) for pool in pools if (kinds := factors.not_asked(pool))]
    except (DatabaseError, ImportError, RuntimeError, TypeError):
        return []  # not migrated yet, or another check says what is wrong with the provider
    return [
        checks.Warning(
            f"The user pool {pool.name!r} does not ask for second factors that users may have: {', '.join(kinds)}.",
            hint="Whoever has no other "
            + ("cannot sign in there" if pool.mfa == MfaConfiguration.ON else "signs in there with a password alone")
            + ", and can set up none. Switch the factors on in the pool, or give people one that it asks for.",
            id=f"{TAG}.W002",
        )
        for pool, kinds in gaps
    ]


def check_options(**_: Any) -> list[checks.CheckMessage]:
    """Is ``TRUSTED_DEVICES["COGNITO_IDP"]`` complete and sound?"""
    try:
        conf.endpoint()
        sender = conf.get_options().SMS_SENDER
        if sender is not None:
            import_string(sender)
    except (ImproperlyConfigured, ImportError) as error:
        return [checks.Error(str(error), id=f"{TAG}.E002")]
    return []


def check_names(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """When a database is checked: is anybody's user name another user's address, where pools take addresses?"""
    model = get_user_model()
    name, address = model.USERNAME_FIELD, model.get_email_field_name()
    if name == address or router.db_for_read(model) not in (databases or ()):
        return []
    users = model._default_manager.annotate(as_name=Upper(name), as_address=Upper(address))
    addresses = users.filter(**{f"{address}__gt": ""}).values("as_address")
    shared = addresses.annotate(having=Count("pk")).filter(having__gt=1).values("as_address")
    others = (Q(as_name__in=addresses) & ~Q(as_name=F("as_address"))) | Q(as_name__in=shared)
    try:
        if not UserPool.objects.filter(email_alias=True).exists():
            return []
        found = [str(user.pk) for user in users.filter(others, **{f"{name}__contains": "@"}).order_by("pk")[:SHOWN]]
    except (DatabaseError, FieldError):  # before the first migration; a model without addresses
        return []
    if not found:
        return []
    return [
        checks.Warning(
            f"There are users whose name is another user's e-mail address, such as those with the primary keys "
            f"{', '.join(found)}. In pools that take addresses for signing in, nobody signs in by it.",
            hint="Give them another name or address, or switch “sign-in by e-mail address” off.",
            id=f"{TAG}.W001",
        )
    ]
