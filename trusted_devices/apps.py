"""The application's configuration: names it, and connects receivers and checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrustedDevicesConfig(AppConfig):
    """``trusted_devices`` in ``INSTALLED_APPS``."""

    name = "trusted_devices"
    label = "trusted_devices"
    verbose_name = _("Trusted devices")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect receivers and checks, now that all models are there."""
        from trusted_devices import checks, receivers

        checks.register()
        receivers.connect()
