"""Second factors that the sign-in pages can ask for. ``get_provider()`` returns the one that the settings name."""

from __future__ import annotations

from django.utils.module_loading import import_string

from trusted_devices import conf
from trusted_devices.mfa.base import BaseMfaProvider, NoMfaProvider


def get_provider() -> BaseMfaProvider:
    """Return the provider of ``TRUSTED_DEVICES["MFA"]``, or one without any factor where none is set."""
    path = conf.get_settings().MFA
    if path is None:
        return NoMfaProvider()
    provider = import_string(path)()
    if not isinstance(provider, BaseMfaProvider):
        raise TypeError(f"{path} is not a {BaseMfaProvider.__module__}.BaseMfaProvider.")
    return provider
