"""What the commands share that do one thing to many devices: they count, ask, and say how far they have come."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.management import progress
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk
from trusted_devices.types import By


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """``subject`` is what is counted beforehand, ``done`` what is counted afterwards, ``verb`` what was not done."""

    subject: str
    question: str
    done: str
    verb: str


class BulkCommand(BaseCommand):
    """Asks before it acts at a terminal; the devices of all users need ``--yes`` in any case."""

    kind: ClassVar[bulk.BulkKind]
    words: ClassVar[Words]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--note", default="", help="why, for the activity log (at most 255 characters)")
        parser.add_argument("--dry-run", action="store_true", help="count the devices and change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def act(self, found: DeviceQuerySet[Device], options: Mapping[str, Any], *, all_users: bool) -> None:
        """Do it to ``found``, as the ``options`` of the command line say."""
        touched, words = bulk.survey(found), self.words
        count = touched.devices
        if options["dry_run"]:
            rest = f"users: {touched.users}, live sessions: {touched.sessions}"
            self.stdout.write(f"{words.subject}: {count} ({rest})")
            return
        if all_users and not options["yes"]:
            raise CommandError(f"{words.subject.replace(' to', ' of all users to', 1)}: {count}. Add --yes to do it.")
        if count and not options["yes"] and sys.stdin.isatty() and not self._confirmed(count):
            raise CommandError(f"Nothing was {words.verb}.")
        batches, verbosity = self._batches(found, touched, options["note"]), options["verbosity"]
        try:
            changed = progress.count(batches, self.stderr, total=count, noun="devices", verbosity=verbosity)
        except BackendUnavailable as error:
            raise CommandError(f"Their backend cannot be reached; what is left was not {words.verb}.") from error
        if verbosity:
            self.stdout.write(f"{words.done}: {changed}")

    def _confirmed(self, count: int) -> bool:
        self.stdout.write(f"{self.words.subject}: {count}. {self.words.question} [y/N] ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def _batches(self, found: DeviceQuerySet[Device], touched: bulk.Touched, note: str) -> Iterator[int]:
        act = bulk.begin(self.kind, touched, note=note)
        while not act.finished:
            before = act.changed
            act = bulk.step(act, found, by=By(actor=None))
            yield act.changed - before
