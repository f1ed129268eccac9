"""Who owns the devices. ``get_backend()`` returns the one that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.module_loading import import_string

from trusted_devices import conf
from trusted_devices.backends.base import BaseDeviceBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Who owns the devices and who signs people in, as dotted paths of two classes."""

    owner: str
    sign_in: str


BACKENDS = {
    "local": Backend(
        owner="trusted_devices.owners.local.LocalOwner",
        sign_in="trusted_devices.signin.local.LocalSignIn",
    ),
    "cognito": Backend(
        owner="trusted_devices.owners.pool.PoolOwner",
        sign_in="trusted_devices.signin.cognito.CognitoSignIn",
    ),
}

NAMES = {
    "local": "trusted_devices.backends.local.LocalBackend",
    "cognito": "trusted_devices.cognito.CognitoBackend",
}


def get_backend() -> BaseDeviceBackend:
    """Return the backend of ``TRUSTED_DEVICES["BACKEND"]``."""
    chosen = conf.get_settings().BACKEND
    backend = import_string(NAMES.get(chosen, chosen))()
    if not isinstance(backend, BaseDeviceBackend):
        raise TypeError(f"{chosen} is not a {BaseDeviceBackend.__module__}.BaseDeviceBackend.")
    return backend
