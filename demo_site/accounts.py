"""The people who can sign in to the demo, and what a visitor needs to do so.

Showing passwords and codes to everybody is what makes this a demo. No site with real accounts may do it.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django_otp.oath import hotp
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_totp.models import TOTPDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One of the demo's users as the seed makes them. ``about`` is the start page's sentence."""

    username: str
    about: str
    totp: bool = False
    email_code: bool = False
    is_staff: bool = False

    @property
    def password(self) -> str:
        return f"{self.username}-demo"

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"


ACCOUNTS = (
    Account(username="maria", about="Uses an authenticator app.", totp=True),
    Account(username="erik", about="Uses an authenticator app, or a code by e-mail.", totp=True, email_code=True),
    Account(username="tom", about="Starts without a second factor, and so is not offered trust."),
    Account(
        username="admin",
        about="Staff: sees everybody's devices in the admin, and may trust for 30 days at most.",
        totp=True,
        is_staff=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A TOTP code that the site will accept. ``wait`` is how many seconds from now it will (0: at once),
    ``left`` how many it has left from now."""

    value: str
    wait: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFacts:
    """What a visitor needs to sign in as ``account``: its confirmed TOTP key in base32 and the code of the moment."""

    account: Account
    totp_secret: str | None
    code: Code | None


@transaction.atomic
def seed() -> None:
    """Make the accounts, or put right what no longer is as the start page says. Changes nothing else."""
    for account in ACCOUNTS:
        user = _user(account)
        if account.totp and not TOTPDevice.objects.filter(user=user, confirmed=True).exists():
            TOTPDevice.objects.create(user=user, name="Authenticator app")
        if account.email_code and not EmailDevice.objects.filter(user=user, confirmed=True).exists():
            EmailDevice.objects.create(user=user, name="E-mail")


def _user(account: Account) -> Any:
    user, _ = get_user_model().objects.get_or_create(username=account.username, defaults={"email": account.email})
    wanted = {"is_active": True, "is_staff": account.is_staff, "is_superuser": account.is_staff}
    changed = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    for name, value in changed.items():
        setattr(user, name, value)
    right_password = user.check_password(account.password)
    if not right_password:
        user.set_password(account.password)
    if changed or not right_password:
        user.save()
    return user


def sign_in_facts(now: datetime) -> Iterator[SignInFacts]:
    """Yield the accounts with their current keys and codes, in one query."""
    devices = TOTPDevice.objects.filter(confirmed=True, user__username__in=[a.username for a in ACCOUNTS])
    by_username = {device.user.get_username(): device for device in devices.select_related("user").order_by("-pk")}
    for account in ACCOUNTS:
        device = by_username.get(account.username)
        yield SignInFacts(
            account=account,
            totp_secret=b32encode(device.bin_key).decode() if device else None,
            code=current_code(device, now) if device else None,
        )


def current_code(device: TOTPDevice, now: datetime) -> Code:
    """Return the first code from now on that the site will accept.

    A code is good once. Somebody who has just used the current one gets the next, which the site accepts a step early.
    """
    seconds = int(now.timestamp()) - device.t0
    step = max(seconds // device.step + device.drift, device.last_t + 1)
    begins = (step - device.drift) * device.step
    early = device.tolerance * device.step
    return Code(
        value=str(hotp(device.bin_key, step, digits=device.digits)).zfill(device.digits),
        wait=max(0, begins - early - seconds),
        left=begins + device.step - seconds,
    )


def as_json(url: str, now: datetime) -> dict[str, Any]:
    """Return the demo's facts as ``seed_demo --json`` prints them."""
    return {
        "url": url,
        "users": [
            {
                "username": facts.account.username,
                "password": facts.account.password,
                "totp_secret": facts.totp_secret,
                "is_staff": facts.account.is_staff,
            }
            for facts in sign_in_facts(now)
        ],
    }
