"""``manage.py forget_devices``: after an incident, forget one device, a user's, or all that were trusted since."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser

from trusted_devices.management import arguments
from trusted_devices.management.bulk_command import BulkCommand, Words
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services.bulk import BulkKind


class Command(BulkCommand):
    """``BulkCommand`` says when it asks."""

    help = "Forget devices and sign out their sessions: their users are asked for MFA at the next sign-in."
    kind = BulkKind.FORGET
    words = Words(
        subject="Devices to forget",
        question="Forget them and sign out their sessions?",
        done="Devices forgotten",
        verb="forgotten",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--user", metavar="USERNAME", help="the devices of this user")
        whose.add_argument("--all-users", action="store_true", help="the devices of all users; needs --yes")
        whose.add_argument("--device-key", metavar="KEY", help="this device")
        parser.add_argument(
            "--since", type=arguments.moment, metavar="TIME", help="only those trusted at TIME (ISO 8601) or later"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.act(_selected(options), options, all_users=options["all_users"])


def _selected(options: dict[str, Any]) -> DeviceQuerySet[Device]:
    found = Device.objects.all()
    if options["user"] is not None:
        users = get_user_model()
        try:
            found = found.of(users._default_manager.get_by_natural_key(options["user"]))
        except users.DoesNotExist:
            raise CommandError(f"There is no user {options['user']!r}.") from None
    if options["device_key"] is not None:
        found = found.filter(device_key=options["device_key"])
        if not found.exists():
            raise CommandError(f"There is no device {options['device_key']!r}.")
    return found.trusted_since(options["since"]) if options["since"] else found
