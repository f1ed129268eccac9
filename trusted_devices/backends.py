"""The backends that a site can choose: who owns the devices, and who signs people in."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.module_loading import import_string

from trusted_devices import conf


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Who owns the devices and who signs people in, as dotted paths of two classes.

    ``owner`` is a ``trusted_devices.owners.base.DeviceOwner``, ``sign_in`` a
    ``trusted_devices.signin.base.SignInBackend``. A site that has one of its own defines a value of this class, and
    names that: ``TRUSTED_DEVICES = {"BACKEND": "myproject.devices.BACKEND"}``.
    """

    owner: str = "trusted_devices.owners.local.LocalOwner"
    sign_in: str = "trusted_devices.signin.local.LocalSignIn"


BACKENDS = {
    "local": Backend(),
    "cognito": Backend(
        owner="trusted_devices.owners.pool.PoolOwner",
        sign_in="trusted_devices.signin.cognito.CognitoSignIn",
    ),
}


def get_choice() -> Backend:
    """Return the backend that ``TRUSTED_DEVICES["BACKEND"]`` names. Raises ``ImportError``, ``TypeError``."""
    name = conf.get_settings().BACKEND
    choice = BACKENDS.get(name) or import_string(name)
    if not isinstance(choice, Backend):
        raise TypeError(f"{name} is not a {__name__}.Backend.")
    return choice
