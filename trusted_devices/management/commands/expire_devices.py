"""``manage.py expire_devices``: the sweep, for cron or by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from trusted_devices.management import arguments
from trusted_devices.management.progress import Progress
from trusted_devices.services import expiry


class Command(BaseCommand):
    """Any number may run at once; one that is killed loses nothing."""

    help = (
        "Make the devices whose trust has ended not remembered. Trust is refused on its date even if this never runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count the devices that are due and change nothing")
        parser.add_argument(
            "--batch-size",
            type=arguments.batch_size,
            default=expiry.BATCH_SIZE,
            metavar="N",
            help="how many devices one transaction takes (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, verbosity = timezone.now(), options["verbosity"]
        due = expiry.count_due(now) if options["dry_run"] or verbosity else 0
        if options["dry_run"]:
            self.stdout.write(f"Devices due: {due}")
            return
        progress = Progress(self.stderr, total=due, noun="devices", verbosity=verbosity)
        expired = progress.count(expiry.expire_due(now=now, batch_size=options["batch_size"]))
        if verbosity:
            self.stdout.write(f"Devices made not remembered: {expired}")
