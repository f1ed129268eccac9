"""The policy that the site has chosen."""

from __future__ import annotations

from functools import cache

from django.utils.module_loading import import_string

from trusted_devices import conf
from trusted_devices.policy import TrustPolicy


def get_policy() -> TrustPolicy:
    """Return the site's policy, an instance of ``TRUSTED_DEVICES["POLICY"]``."""
    settings = conf.get_settings()
    return _policy_class(settings.POLICY)(settings)


@cache
def _policy_class(path: str) -> type[TrustPolicy]:
    chosen: type[TrustPolicy] = import_string(path)
    return chosen
