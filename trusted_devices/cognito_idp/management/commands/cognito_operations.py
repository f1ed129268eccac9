"""``manage.py cognito_operations``: the documentation's page about which operations there are."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from trusted_devices.cognito_idp import coverage


class Command(BaseCommand):
    """Redirect it to ``docs/reference/cognito-operations.md``."""

    help = "Print which of Cognito's operations the endpoint answers, as Markdown."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(coverage.render(), ending="")
