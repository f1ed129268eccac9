"""The backends that a site can choose: who owns the devices, and who signs people in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from trusted_devices import conf

if TYPE_CHECKING:
    from trusted_devices.backends.base import BaseDeviceBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Who owns the devices and who signs people in, as dotted paths of two classes.

    ``owner`` is a ``trusted_devices.owners.base.DeviceOwner``.
    """

    owner: str = "trusted_devices.owners.local.LocalOwner"
    sign_in: str = "trusted_devices.backends.local.LocalBackend"


BACKENDS = {
    "local": Backend(),
    "cognito": Backend(
        owner="trusted_devices.owners.pool.PoolOwner",
        sign_in="trusted_devices.cognito.backend.CognitoBackend",
    ),
}


def get_choice() -> Backend:
    """Return the backend that ``TRUSTED_DEVICES["BACKEND"]`` names. Raises ``ImportError``, ``TypeError``."""
    name = conf.get_settings().BACKEND
    choice = BACKENDS.get(name) or import_string(name)
    if isinstance(choice, type):
        choice = Backend(sign_in=name)
    if not isinstance(choice, Backend):
        raise TypeError(f"{name} is not a {__name__}.Backend.")
    return choice


def get_backend() -> BaseDeviceBackend:
    """Return who signs people in, by ``TRUSTED_DEVICES["BACKEND"]``."""
    from trusted_devices.backends.base import BaseDeviceBackend

    path = get_choice().sign_in
    backend = import_string(path)()
    if not isinstance(backend, BaseDeviceBackend):
        raise TypeError(f"{path} is not a {BaseDeviceBackend.__module__}.BaseDeviceBackend.")
    return backend
