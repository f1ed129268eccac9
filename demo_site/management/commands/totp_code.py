"""``manage.py totp_code <username>``: what a demo user's authenticator app would show."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from demo_site import accounts


class Command(BaseCommand):
    """Print the code of the moment, alone on stdout."""

    help = "Print the current authenticator code of one of the demo's users."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", choices=[account.username for account in accounts.ACCOUNTS])

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"]
        code = next(
            facts.code for facts in accounts.sign_in_facts(timezone.now()) if facts.account.username == username
        )
        if code is None:
            raise CommandError(f"{username} has no authenticator app. Set one up under Security.")
        if code.wait:
            self.stderr.write(f"The current codes were used. This one can be used in {code.wait} seconds:")
        self.stdout.write(code.value)
