"""``manage.py expire_devices``: the sweep, for cron or by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.management import arguments, progress
from trusted_devices.services import expiry


class Command(BaseCommand):
    """Any number may run at once; one that is killed loses nothing."""

    help = (
        "Make the devices whose trust has ended not remembered. Trust is refused on its date even if this never runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count the devices that are due and change nothing")
        parser.add_argument("--plan", action="store_true", help="say how long it will take and change nothing")
        parser.add_argument(
            "--batch-size",
            type=arguments.batch_size,
            default=expiry.BATCH_SIZE,
            metavar="N",
            help="how many devices one transaction takes (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, verbosity = timezone.now(), options["verbosity"]
        if options["plan"]:
            self._show(expiry.plan(now))
            return
        due = expiry.count_due(now) if options["dry_run"] or verbosity else 0
        if options["dry_run"]:
            self.stdout.write(f"Devices due: {due}")
            return
        batches = expiry.sweep(now=now, batch_size=options["batch_size"])
        try:
            expired = progress.count(batches, self.stderr, total=due, noun="devices", verbosity=verbosity)
        except BackendUnavailable as error:
            raise CommandError("Their backend cannot be reached; the next run does what is left.") from error
        if verbosity:
            self.stdout.write(f"Devices made not remembered: {expired}")

    def _show(self, plan: expiry.Plan) -> None:
        self.stdout.write(f"Devices due: {plan.due:,}")
        if plan.oldest is not None:
            self.stdout.write(f"Due since: {plan.oldest:%Y-%m-%d %H:%M %Z}")
        if plan.per_second is None:
            self.stdout.write("Rate: as fast as the database")
            return
        self.stdout.write(f"Rate: at most {plan.per_second:g} a second, all sweeps together")
        self.stdout.write(f"Done by: {plan.done_at:%Y-%m-%d %H:%M %Z}, if nothing more falls due")
