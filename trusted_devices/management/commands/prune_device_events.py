"""``manage.py prune_device_events``: the retention of the activity log, for cron or by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from trusted_devices.management import arguments, progress
from trusted_devices.services import activity, retention
from trusted_devices.services.retention import Kind


class Command(BaseCommand):
    """Any number may run at once; one that is killed loses nothing."""

    help = "Delete what is kept no longer: old entries of the activity log, notes of ended sessions, dead devices."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count the rows and change nothing")
        parser.add_argument("--keep-days", type=arguments.days, metavar="N", help="keep N days, not EVENT_RETENTION")
        parser.add_argument(
            "--batch-size",
            type=arguments.batch_size,
            default=retention.BATCH_SIZE,
            metavar="N",
            help="how many rows one transaction takes (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, verbosity, days = timezone.now(), options["verbosity"], options["keep_days"]
        before = activity.kept_since(now) if days is None else now - timedelta(days=days)
        old = activity.count_prunable(before) if options["dry_run"] or verbosity else 0
        if options["dry_run"]:
            self.stdout.write(f"Entries to delete: {old}; devices: {retention.count_dead(now)}")
            return
        deleted: Counter[Kind] = Counter()
        entries = _entries(deleted, now, before, options["batch_size"])
        progress.count(entries, self.stderr, total=old, noun="entries", verbosity=verbosity)
        if verbosity:
            rest = f"notes of ended sessions: {deleted[Kind.SESSIONS]}; devices: {deleted[Kind.DEVICES]}"
            self.stdout.write(f"Entries deleted: {deleted[Kind.ENTRIES]}; {rest}")


def _entries(deleted: Counter[Kind], now: datetime, before: datetime, batch_size: int) -> Iterator[int]:
    """Delete everything, count it in ``deleted``, and yield how many entries each batch deleted."""
    for kind, count in retention.prune(now=now, entries_before=before, batch_size=batch_size):
        deleted[kind] += count
        if kind is Kind.ENTRIES:
            yield count
