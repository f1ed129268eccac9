"""``manage.py sync_devices``: compare the mirror with the user pool, and report and mend what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.management import arguments, progress
from trusted_devices.services import comparison

WORDS = {
    comparison.Drift.UNKNOWN_THERE: "unknown to the owner, forgotten here",
    comparison.Drift.UNKNOWN_HERE: "unknown here, taken into the list",
    comparison.Drift.REMEMBERED_HERE_ONLY: "remembered here only, not remembered any more",
    comparison.Drift.REMEMBERED_THERE_ONLY: "remembered by the owner only, not remembered any more",
}


class Command(BaseCommand):
    """One that was killed is taken up again with ``--since``, the time that it printed when it began."""

    help = "Compare the devices of every user with those of the user pool, report differences and mend them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report the differences and mend nothing")
        parser.add_argument(
            "--since",
            type=arguments.moment,
            metavar="TIME",
            help="leave out users whose devices were compared at TIME (ISO 8601) or later (default: now)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, verbosity = timezone.now(), options["verbosity"]
        since = options["since"] or now
        total = comparison.count(since=since)
        if verbosity:
            self.stdout.write(f"Users to compare: {total} (if interrupted, go on with --since {since.isoformat()})")
        drift: Counter[comparison.Drift] = Counter()
        users = self._run(since, now, drift, mend=not options["dry_run"], verbosity=verbosity)
        try:
            compared = progress.count(users, self.stderr, total=total, noun="users", verbosity=verbosity)
        except NotImplementedError:
            raise CommandError("This site owns its devices itself: there is nothing to compare them with.") from None
        except BackendUnavailable as error:
            raise CommandError("The user pool cannot be reached; --since takes up what is left.") from error
        if verbosity:
            self.stdout.write(f"Users compared: {compared}")
            for kind, words in WORDS.items():
                self.stdout.write(f"Devices {words if not options['dry_run'] else words.split(',')[0]}: {drift[kind]}")

    def _run(
        self, since: Any, now: Any, drift: Counter[comparison.Drift], *, mend: bool, verbosity: int
    ) -> Iterator[int]:
        for found in comparison.compare(since=since, now=now, mend=mend):
            drift.update(found.drift.values())
            if verbosity > 1:
                for key, kind in found.drift.items():
                    self.stdout.write(f"{found.user_id} {key} {kind}")
            yield 1
