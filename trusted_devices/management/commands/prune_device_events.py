"""``manage.py prune_device_events``: the retention of the activity log, for cron or by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from trusted_devices.management import arguments, progress
from trusted_devices.services import activity, sessions


class Command(BaseCommand):
    """Any number may run at once; one that is killed loses nothing."""

    help = "Delete what the activity log has kept for longer than EVENT_RETENTION says, and notes of ended sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count the entries and change nothing")
        parser.add_argument("--keep-days", type=arguments.days, metavar="N", help="keep N days, not EVENT_RETENTION")
        parser.add_argument(
            "--batch-size",
            type=arguments.batch_size,
            default=activity.BATCH_SIZE,
            metavar="N",
            help="how many entries one transaction takes (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, verbosity, days = timezone.now(), options["verbosity"], options["keep_days"]
        before = activity.kept_since(now) if days is None else now - timedelta(days=days)
        old = activity.count_prunable(before) if options["dry_run"] or verbosity else 0
        if options["dry_run"]:
            self.stdout.write(f"Entries to delete: {old}")
            return
        batches = activity.prune(before=before, batch_size=options["batch_size"])
        pruned = progress.count(batches, self.stderr, total=old, noun="entries", verbosity=verbosity)
        ended = sum(sessions.prune(now=now))
        if verbosity:
            self.stdout.write(f"Entries deleted: {pruned}; notes of ended sessions: {ended}")
