"""What a visitor does on the bare project, from the first page to the last."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from csp import POLICY
from django.core import mail
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.test import Client
from django.utils import timezone

import trusted_devices
from people.models import Code, Person
from trusted_devices.models import Device

EXTRAS = ("rest_framework", "django_filters", "celery", "redis", "boto3", "botocore", "joserfc", "django_otp", "axes")
NOT_CORE = ("api", "tasks", "integrations", "mfa.otp", "cognito", "owners.pool", "signin.cognito")
PASSWORD = "correct horse"
FORBIDDEN = re.compile(
    r"<script|<style|<link[^>]+href=\"(?!/static/)|<img|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE
)


class Browser:
    """A browser that sends its tokens back, goes where it is sent, and would show nothing that the policy forbids."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True, headers={"host": "bare.example.com"})

    def get(self, url: str) -> str:
        return self._show(self.client.get(url, secure=True))

    def post(self, **data: str) -> str:
        """Send the form in front of us."""
        [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page)
        data["csrfmiddlewaretoken"] = token
        referer = f"https://bare.example.com{self.url}"
        return self._show(self.client.post(self.url, data, headers={"referer": referer}, secure=True))

    def _show(self, response: Any) -> str:
        while response.status_code == 302:
            response = self.client.get(response.url, secure=True)
        self.url: str = response.request["PATH_INFO"]
        self.page: str = response.content.decode()
        self.status: int = response.status_code
        assert response.headers["Content-Security-Policy"] == POLICY
        if not self.url.startswith("/admin/"):
            assert not FORBIDDEN.search(self.page), FORBIDDEN.search(self.page)
        return self.url

    def sign_in(self, email: str) -> str:
        assert self.get("/").startswith("/sign-in/")
        return self.post(username=email, password=PASSWORD)


def the_core_needs_no_extra() -> None:
    """Every module of the core can be imported where no extra is installed."""
    assert Path(trusted_devices.__file__).is_relative_to(sys.prefix), "This is not the wheel that was installed."
    assert not [name for name in EXTRAS if find_spec(name)]
    imported = set(import_core(trusted_devices, "trusted_devices."))
    assert {"checks", "receivers", "web.views.sign_in.code", "admin", "owners.local"} <= imported


def import_core(package: ModuleType, prefix: str) -> Iterator[str]:
    """Import what is in ``package``, but for what needs an extra; yield its names. A package not needed stays out."""
    for found in pkgutil.iter_modules(package.__path__, prefix):
        name = found.name.removeprefix("trusted_devices.")
        if not name.startswith(NOT_CORE):
            module = importlib.import_module(found.name)
            yield name
            if found.ispkg:
                yield from import_core(module, f"{found.name}.")


def the_project_is_well_configured() -> None:
    """The checks are content, and the migrations fit a user model with another key."""
    call_command("makemigrations", "people", verbosity=0)
    call_command("check", fail_level="WARNING", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    assert Path("collected/trusted_devices/trusted_devices.css").stat().st_size


def a_device_is_trusted_and_known_again() -> None:
    """Password, code, trust; then the password alone, and in another browser the code again."""
    anna = Person.objects.create_user("anna@example.com", PASSWORD)
    Code.objects.bulk_create(Code(user=anna, value=value) for value in ("111111", "222222", "333333"))

    browser = Browser()
    assert browser.sign_in("anna@example.com") == "/sign-in/code/"
    assert browser.post(code="999999") == "/sign-in/code/"
    assert browser.status == 400
    assert browser.post(code="111111") == "/sign-in/trust/"
    period = re.findall(r'name="period" value="(\w+)"[^>]*checked', browser.page)
    assert browser.post(trust="1", period=period[0], name="Kitchen") == "/"
    assert browser.page == "Hello anna@example.com"
    assert mail.outbox[0].to == ["anna@example.com"]
    assert "https://bare.example.com/devices/" in mail.outbox[0].body

    assert browser.get("/devices/") == "/devices/"
    assert "Kitchen" in browser.page
    browser.get("/sign-out/")
    assert browser.post() == "/sign-in/"
    assert browser.sign_in("anna@example.com") == "/"

    another = Browser()
    assert another.sign_in("anna@example.com") == "/sign-in/code/"
    assert another.post(code="111111") == "/sign-in/code/", "A code was good for twice."
    assert another.post(code="222222") == "/sign-in/trust/"
    assert another.post(not_now="1") == "/"

    Device.objects.update(trust_expires_at=timezone.now() - timedelta(seconds=1))
    call_command("expire_devices", verbosity=0)
    assert Device.objects.get().status_reason == "expired"
    browser.get("/sign-out/")
    browser.post()
    assert browser.sign_in("anna@example.com") == "/sign-in/code/"


def without_a_second_factor_nothing_is_offered() -> None:
    """The password is enough, and no device comes of it."""
    Person.objects.create_user("ben@example.com", PASSWORD)
    browser = Browser()
    assert browser.sign_in("ben@example.com") == "/"
    assert not Device.objects.filter(user__email="ben@example.com").exists()


def the_admin_asks_for_the_code_too() -> None:
    """Staff sign in through the app's pages, and see everybody's devices."""
    carla = Person.objects.create_user("carla@example.com", PASSWORD, is_staff=True, is_superuser=True)
    Code.objects.create(user=carla, value="444444")
    Code.objects.create(user=carla, value="555555")
    browser = Browser()
    assert browser.get("/admin/trusted_devices/device/") == "/sign-in/"
    assert browser.post(username="carla@example.com", password=PASSWORD, next="/admin/") == "/sign-in/code/"
    assert browser.get("/admin/").startswith("/sign-in/")
    assert browser.get("/sign-in/code/") == "/sign-in/code/"
    browser.post(code="444444")
    browser.post(not_now="1")
    assert browser.get("/admin/trusted_devices/device/") == "/admin/trusted_devices/device/"
    assert "Kitchen" in browser.page
    device = Device.objects.get()
    assert browser.get(f"/admin/trusted_devices/device/{device.pk}/change/").startswith("/admin/")
    assert browser.status == 200


class Command(BaseCommand):
    """``walk``: all of it, in order."""

    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        the_core_needs_no_extra()
        the_project_is_well_configured()
        a_device_is_trusted_and_known_again()
        without_a_second_factor_nothing_is_offered()
        the_admin_asks_for_the_code_too()
        self.stdout.write("All is well.")
