"""``manage.py seed_demo``: the demo's accounts."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from demo_site import accounts
from trusted_devices.cognito_idp import seeding


class Command(BaseCommand):
    """Bring the database up to date and make sure that the accounts are as the start page says."""

    help = "Make the demo's accounts. Running it again changes nothing."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the demo's facts as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        if settings.POOL_URL:
            self._say_whose_people(**options)
            return
        accounts.seed()
        cognito_idp = seeding.seed({account.username: account.password for account in accounts.ACCOUNTS})
        if options["json"]:
            facts = accounts.as_json(f"http://127.0.0.1:{settings.PORT}", timezone.now())
            facts["cognito_idp"] = cognito_idp
            self.stdout.write(json.dumps(facts, indent=2))
        elif options["verbosity"]:
            self.stdout.write(f"The accounts are there: {', '.join(a.username for a in accounts.ACCOUNTS)}.")

    def _say_whose_people(self, **options: Any) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({"url": f"http://127.0.0.1:{settings.PORT}", "pool": settings.POOL_URL}))
        elif options["verbosity"]:
            self.stdout.write(f"The accounts are those of the pool at {settings.POOL_URL}.")
