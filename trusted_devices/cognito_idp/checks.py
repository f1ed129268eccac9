"""System checks of the endpoint: what would make it answer nothing but errors."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from trusted_devices.cognito_idp import conf
from trusted_devices.crypto import modexp

TAG = "trusted_devices_cognito_idp"


def register() -> None:
    """Register the checks."""
    checks.register(check_installation, TAG)
    checks.register(check_options, TAG)
    checks.register(check_arithmetic, TAG, deploy=True)


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
