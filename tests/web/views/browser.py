"""A browser of a test: Django's client, and the steps that a person takes on the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.conftest import CHROME
from trusted_devices import conf, cookies

SIXTY_DAYS = timedelta(days=60)


def url(name: str, *args: Any) -> str:
    """Return the URL of one of the app's pages."""
    return reverse(f"trusted_devices:{name}", args=args)


def code_of(totp: TOTPDevice) -> str:
    """Return the code that the authenticator shows now."""
    generator = TOTP(totp.bin_key, totp.step, totp.t0, totp.digits, totp.drift)
    generator.time = timezone.now().timestamp()
    return str(generator.token()).zfill(totp.digits)


class Browser(Client):
    """One browser with its cookies."""

    def __init__(self, *, user_agent: str = CHROME, **options: Any) -> None:
        super().__init__(headers={"user-agent": user_agent}, **options)

    @property
    def user_id(self) -> str:
        """The primary key of who is signed in here; empty if nobody is."""
        return str(self.session.get("_auth_user_id", ""))

    @property
    def device_cookie(self) -> str:
        """The sealed value of the device-key cookie; empty if there is none."""
        found = self.cookies.get(cookies.name())
        return found.value if found else ""

    @device_cookie.setter
    def device_cookie(self, value: str) -> None:
        self.cookies[cookies.name()] = value

    def enter_password(
        self, username: str = "maria", password: str = "correct horse", next_url: str = "", **extra: Any
    ) -> HttpResponse:
        """Fill in the first page."""
        data = {"username": username, "password": password, "next": next_url}
        return self.post(url("sign_in"), data, **extra)

    def enter_code(self, code: str, **extra: Any) -> HttpResponse:
        """Fill in the second page."""
        return self.post(url("sign_in_code"), {"code": code}, **extra)

    def trust(self, period: timedelta = SIXTY_DAYS, name: str = "", **extra: Any) -> HttpResponse:
        """Press "Trust this device"."""
        data = {"trust": "1", "period": str(int(period.total_seconds())), "name": name}
        return self.post(url("sign_in_trust"), data, **extra)

    def not_now(self, **extra: Any) -> HttpResponse:
        """Press "Not now"."""
        return self.post(url("sign_in_trust"), {"not_now": "1"}, **extra)

    def sign_in_and_trust(self, totp: TOTPDevice, **options: Any) -> None:
        """Go all the way."""
        self.enter_password()
        self.enter_code(code_of(totp))
        self.trust(**options)
        assert self.user_id

    def sign_out(self) -> HttpResponse:
        """Press "Sign out"."""
        return self.post(url("sign_out"))


def told(response: Any) -> str:
    """Return what the page that ``response`` shows or leads to tells the user."""
    return " ".join(str(message) for message in response.context["messages"])


def sign_in_timeout() -> timedelta:
    """Return how long a sign-in may stay half finished."""
    return conf.get_settings().SIGN_IN_TIMEOUT
