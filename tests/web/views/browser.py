"""A browser of a test: Django's client, and the steps that a person takes on the pages."""

from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP

from tests.conftest import CHROME
from trusted_devices import conf, cookies

SIXTY_DAYS = timedelta(days=60)


def url(name, *args):
    """Return the URL of one of the app's pages."""
    return reverse(f"trusted_devices:{name}", args=args)


def code_of(totp):
    """Return the code that the authenticator shows now."""
    generator = TOTP(totp.bin_key, totp.step, totp.t0, totp.digits, totp.drift)
    generator.time = timezone.now().timestamp()
    return str(generator.token()).zfill(totp.digits)


class Browser(Client):
    """One browser with its cookies."""

    def __init__(self, *, user_agent=CHROME, **options):
        super().__init__(headers={"user-agent": user_agent}, **options)

    @property
    def user_id(self):
        """The primary key of who is signed in here; empty if nobody is."""
        return str(self.session.get("_auth_user_id", ""))

    @property
    def device_cookie(self):
        """The sealed value of the device-key cookie; empty if there is none."""
        found = self.cookies.get(cookies.name())
        return found.value if found else ""

    @device_cookie.setter
    def device_cookie(self, value):
        self.cookies[cookies.name()] = value

    def enter_password(self, username="maria", password="correct horse", next_url="", **extra):
        """Fill in the first page."""
        data = {"username": username, "password": password, "next": next_url}
        return self.post(url("sign_in"), data, **extra)

    def enter_code(self, code, **extra):
        """Fill in the second page."""
        return self.post(url("sign_in_code"), {"code": code}, **extra)

    def trust(self, period=SIXTY_DAYS, name="", **extra):
        """Press "Trust this device"."""
        data = {"trust": "1", "period": str(int(period.total_seconds())), "name": name}
        return self.post(url("sign_in_trust"), data, **extra)

    def not_now(self, **extra):
        """Press "Not now"."""
        return self.post(url("sign_in_trust"), {"not_now": "1"}, **extra)

    def sign_in_and_trust(self, totp, **options):
        """Go all the way."""
        self.enter_password()
        self.enter_code(code_of(totp))
        self.trust(**options)
        assert self.user_id

    def sign_out(self):
        """Press "Sign out"."""
        return self.post(url("sign_out"))


def told(response):
    """Return what the page that ``response`` shows or leads to tells the user."""
    return " ".join(str(message) for message in response.context["messages"])


def sign_in_timeout():
    """Return how long a sign-in may stay half finished."""
    return conf.get_settings().SIGN_IN_TIMEOUT
