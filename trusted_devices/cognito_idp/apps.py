"""The application's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CognitoIdpConfig(AppConfig):
    """``trusted_devices.cognito_idp`` in ``INSTALLED_APPS``, beside ``trusted_devices``."""

    name = "trusted_devices.cognito_idp"
    label = "trusted_devices_cognito_idp"
    verbose_name = _("User pools")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect receivers and checks, and tell of the second factors that are the endpoint's own."""
        from trusted_devices.cognito_idp import checks, factors, receivers
        from trusted_devices.services import enrolment

        checks.register()
        receivers.connect()
        enrolment.count_in(factors.has_text_messages)
