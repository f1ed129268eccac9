"""Who signs people in. ``get_sign_in()`` returns the one that the settings name."""

from __future__ import annotations

from django.utils.module_loading import import_string

from trusted_devices.backends import get_choice
from trusted_devices.signin.base import SignInBackend


def get_sign_in() -> SignInBackend:
    """Return who signs people in, by ``TRUSTED_DEVICES["BACKEND"]``. Raises ``ImportError``, ``TypeError``."""
    path = get_choice().sign_in
    backend = import_string(path)()
    if not isinstance(backend, SignInBackend):
        raise TypeError(f"{path} is not a {SignInBackend.__module__}.SignInBackend.")
    return backend
