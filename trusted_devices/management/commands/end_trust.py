"""``manage.py end_trust``: end all trust that was given before a moment, as after a database backup was restored."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from trusted_devices.management import arguments
from trusted_devices.management.bulk_command import BulkCommand, Words
from trusted_devices.models import Device
from trusted_devices.services.bulk import BulkKind


class Command(BulkCommand):
    """Devices keep their names and history; their users trust them again after MFA."""

    help = "End all trust that was given before a moment, and sign out the sessions of those devices."
    kind = BulkKind.STOP_TRUSTING
    words = Words(
        subject="Devices to stop trusting",
        question="Stop trusting them and sign out their sessions?",
        done="Devices not trusted any more",
        verb="changed",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--before",
            type=arguments.moment,
            metavar="TIME",
            required=True,
            help="trust that was given before TIME (ISO 8601), whoever's it is",
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found = Device.objects.remembered().filter(trust_granted_at__lt=options["before"])
        self.act(found, options, all_users=True)
