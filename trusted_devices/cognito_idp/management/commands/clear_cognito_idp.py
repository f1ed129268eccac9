"""``manage.py clear_cognito_idp``: delete what the wire endpoint no longer needs, for cron or by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from trusted_devices.cognito_idp import housekeeping


class Command(BaseCommand):
    """Any number may run at once."""

    help = "Delete expired sessions, sign-ins and signing keys of the Cognito endpoint."

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = sum(housekeeping.clear_expired(now=timezone.now()))
        if options["verbosity"]:
            self.stdout.write(f"Rows deleted: {deleted}")
