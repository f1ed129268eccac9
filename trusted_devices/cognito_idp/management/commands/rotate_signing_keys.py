"""``manage.py rotate_signing_keys``: new keys for the tokens of user pools."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trusted_devices.cognito_idp import signing
from trusted_devices.cognito_idp.models import UserPool


class Command(BaseCommand):
    """New keys are published an hour before they sign; the old ones stay published until their last token is over."""

    help = "Make new signing keys for one user pool or all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pool", nargs="*", help="user pool ids; all pools if none is given")
        parser.add_argument(
            "--compromised", action="store_true", help="replace the keys at once: all access and ID tokens end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["pool"]
        pools = list(UserPool.objects.filter(pool_id__in=wanted) if wanted else UserPool.objects.all())
        missing = set(wanted) - {pool.pool_id for pool in pools}
        if missing:
            raise CommandError(f"There is no user pool {', '.join(sorted(missing))}.")
        for pool in pools:
            renew = signing.retire_now if options["compromised"] else signing.rotate
            renew(pool, now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(f"Pools with new keys: {len(pools)}")
