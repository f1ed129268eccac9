"""The start page, the mailbox and the health check."""

import re
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.mail import EmailMessage, get_connection
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from demo_site import accounts

pytestmark = pytest.mark.django_db

PATIENCE = 30
"""Seconds for what takes a moment on a machine that has other work."""


def test_the_start_page_says_who_can_sign_in_and_how(visitor):
    accounts.seed()
    page = visitor.get("/").content.decode()
    for account in accounts.ACCOUNTS:
        assert account.password in page
    assert len(re.findall(r"demo-code\">\d{6}<", page)) == TOTPDevice.objects.count() == 3


def test_the_start_page_is_never_stored(visitor):
    assert "no-store" in visitor.get("/").headers["Cache-Control"]


def test_the_start_page_leads_visitors_to_sign_in_and_users_to_devices(visitor, user):
    assert reverse("trusted_devices:sign_in") in visitor.get("/").content.decode()
    visitor.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = visitor.get("/").content.decode()
    assert "Signed in as <strong>maria</strong>" in page
    assert reverse("trusted_devices:devices") in page


def test_only_those_whom_the_admin_may_let_in_are_led_to_it(visitor, user):
    def leads_to_the_admin():
        return f'href="{reverse("admin:index")}"' in visitor.get("/mail/").content.decode()

    assert leads_to_the_admin()
    visitor.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert not leads_to_the_admin()
    user.is_staff = True
    user.save()
    assert leads_to_the_admin()


def test_browsers_that_look_for_an_icon_by_themselves_find_it(visitor):
    assert visitor.get("/favicon.ico").headers["Location"] == "/static/demo_site/icon.svg"


@pytest.mark.parametrize("path", ["/", "/mail/", "/healthz"])
def test_every_page_forbids_whatever_is_inline_or_from_elsewhere(visitor, path):
    policy = visitor.get(path).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_pages_use_no_inline_style_or_script(visitor):
    accounts.seed()
    page = visitor.get("/").content.decode()
    assert "style=" not in page
    assert "<script" not in page
    assert "<style" not in page


def test_the_mailbox_is_empty_at_first_and_then_shows_what_was_sent(visitor, demo):
    assert "No mail yet" in visitor.get("/mail/").content.decode()
    connection = get_connection(
        "django.core.mail.backends.filebased.EmailBackend", file_path=Path(demo.EMAIL_FILE_PATH)
    )
    EmailMessage("A <new> device", "Chrome & Windows", to=["maria@example.com"], connection=connection).send()
    page = visitor.get("/mail/").content.decode()
    assert "A &lt;new&gt; device" in page
    assert "Chrome &amp; Windows" in page


def test_the_health_check_answers_when_the_database_does(visitor):
    response = visitor.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


def test_an_address_that_does_not_exist_is_a_404_in_the_sites_own_frame(visitor):
    response = visitor.get("/nowhere/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("username=%ff", "application/x-www-form-urlencoded; charset=utf-7"),
        ("&".join(f"f{number}=1" for number in range(2000)), "application/x-www-form-urlencoded"),
        ("no parts", "multipart/form-data"),
    ],
)
def test_a_form_that_cannot_be_read_is_a_400_that_says_so(demo, body, content_type):
    sender = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for path in ("/sign-in/", "/sign-out/"):
        sender.get("/sign-in/")
        response = sender.post(path, body, content_type=content_type)
        assert response.status_code == 400
        assert "cannot be read" in response.content.decode()


def test_the_site_can_be_served_asynchronously(demo):
    from demo_site.asgi import application

    async def first_message():
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/mail/",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        visit = ApplicationCommunicator(application, scope)
        await visit.send_input({"type": "http.request"})
        message = await visit.receive_output(timeout=PATIENCE)
        await visit.wait(timeout=PATIENCE)
        return message

    assert async_to_sync(first_message)()["status"] == 200
