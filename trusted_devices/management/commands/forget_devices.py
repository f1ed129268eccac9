"""``manage.py forget_devices``: after an incident, forget one device, a user's, or all that were trusted since."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.management import arguments, progress
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk
from trusted_devices.types import By


class Command(BaseCommand):
    """Asks before it forgets at a terminal; all users' devices need ``--yes`` in any case."""

    help = "Forget devices and sign out their sessions: their users are asked for MFA at the next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--user", metavar="USERNAME", help="the devices of this user")
        whose.add_argument("--all-users", action="store_true", help="the devices of all users; needs --yes")
        whose.add_argument("--device-key", metavar="KEY", help="this device")
        parser.add_argument(
            "--since", type=arguments.moment, metavar="TIME", help="only those trusted at TIME (ISO 8601) or later"
        )
        parser.add_argument("--note", default="", help="why, for the activity log (at most 255 characters)")
        parser.add_argument("--dry-run", action="store_true", help="count the devices and change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        found = _selected(options)
        touched = bulk.survey(found)
        count = touched.devices
        if options["dry_run"]:
            self.stdout.write(f"Devices to forget: {count} (users: {touched.users}, live sessions: {touched.sessions})")
            return
        if options["all_users"] and not options["yes"]:
            raise CommandError(f"Devices of all users to forget: {count}. Add --yes to forget them.")
        if count and not options["yes"] and sys.stdin.isatty() and not self._confirmed(count):
            raise CommandError("Nothing was forgotten.")
        batches, verbosity = _forget(found, touched, options["note"]), options["verbosity"]
        try:
            forgotten = progress.count(batches, self.stderr, total=count, noun="devices", verbosity=verbosity)
        except BackendUnavailable as error:
            raise CommandError("Their backend cannot be reached; what is left was not forgotten.") from error
        if verbosity:
            self.stdout.write(f"Devices forgotten: {forgotten}")

    def _confirmed(self, count: int) -> bool:
        self.stdout.write(f"Devices to forget: {count}. Forget them and sign out their sessions? [y/N] ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


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


def _forget(found: DeviceQuerySet[Device], touched: bulk.Touched, note: str) -> Iterator[int]:
    act = bulk.begin(bulk.BulkKind.FORGET, touched, note=note)
    while not act.finished:
        before = act.changed
        act = bulk.step(act, found, by=By(actor=None))
        yield act.changed - before
