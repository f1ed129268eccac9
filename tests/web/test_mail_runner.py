"""Nobody waits for a mail server, and it is told all the same."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core import mail

from tests.mail_server import running_mail_server
from tests.shared_database import eventually
from tests.web.views.browser import Browser, code_of
from trusted_devices import tasks
from trusted_devices.models import Device
from trusted_devices.web import mail_runner

ROOT = Path(__file__).parents[2]
taken = []


def take(letter):
    """Take a mail on."""
    taken.append(letter)


def refuse(letter):
    """Fail as a broker does that cannot be reached."""
    raise ConnectionError(letter["to"])


@pytest.fixture
def server(settings, monkeypatch):
    """A mail server that says nothing yet, of a site that leaves it all the time in the world."""
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, None
        monkeypatch.setattr(mail_runner, "_queue", mail_runner._Queue())
        monkeypatch.setattr(mail_runner, "FIRST_PAUSE", 0.02)
        yield server
        server.speaks.set()
        assert eventually(lambda: not mail_runner._queue._letters)


def letter(to="maria@example.com"):
    return {"to": to, "subject": "Hello", "text": "text", "html": "<p>html</p>"}


def runs(settings, runner):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAIL_RUNNER": runner}


def test_trust_is_given_at_once_while_the_mail_server_says_nothing(totp, server, django_capture_on_commit_callbacks):
    browser = Browser()
    browser.enter_password()
    browser.enter_code(code_of(totp))
    began = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        browser.trust()
    assert time.monotonic() - began < 5
    assert Device.objects.get().is_remembered
    assert browser.user_id
    assert eventually(lambda: server.calls)
    server.speaks.set()
    assert eventually(lambda: server.mails)
    assert "New trusted device" in server.mails[0]
    assert "Auto-Submitted: auto-generated" in server.mails[0]


def test_a_mail_server_without_a_time_limit_is_given_one(server, monkeypatch):
    monkeypatch.setattr(mail_runner, "TIMEOUT", 0.1)
    with pytest.raises(mail_runner.MailServerAway):
        mail_runner.deliver(letter())


def test_a_time_limit_of_the_site_stays(server, settings, monkeypatch):
    settings.EMAIL_TIMEOUT = 0.1
    monkeypatch.setattr(mail_runner, "TIMEOUT", 60)
    with pytest.raises(mail_runner.MailServerAway):
        mail_runner.deliver(letter())


def test_a_mail_waits_until_the_mail_server_is_back(server, caplog):
    server.speaks.set()
    server.refusing = 3
    mail_runner.post(letter())
    assert eventually(lambda: server.mails)
    assert server.calls == 4
    assert "The mail server is away (SMTPConnectError); 1 mails wait." in caplog.text


def test_a_mail_that_may_have_arrived_is_not_sent_twice_and_the_next_is(server, caplog):
    server.speaks.set()
    server.dropping = 1
    mail_runner.post(letter("first@example.com"))
    mail_runner.post(letter("second@example.com"))
    assert eventually(lambda: server.mails)
    assert "To: second@example.com" in server.mails[0]
    assert server.calls == 2
    assert "A mail could not be sent (SMTPServerDisconnected)." in caplog.text
    assert "example.com" not in caplog.text


def test_a_mail_server_that_stays_away_is_not_waited_for_for_ever(server, caplog, monkeypatch):
    monkeypatch.setattr(mail_runner, "KEEP_SECONDS", 0)
    server.speaks.set()
    server.refusing = 2
    mail_runner.post(letter("late@example.com"))
    assert eventually(lambda: "away for too long" in caplog.text)
    mail_runner.post(letter("in-time@example.com"))
    assert eventually(lambda: not server.refusing)


def test_what_there_is_no_room_for_is_dropped_at_once_and_said(server, caplog, monkeypatch):
    monkeypatch.setattr(mail_runner, "MOST", 2)
    began = time.monotonic()
    for _ in range(4):
        mail_runner.post(letter())
    assert time.monotonic() - began < 5
    assert caplog.text.count("Mails are not sent: 2 others wait for the mail server.") == 1
    server.speaks.set()
    assert eventually(lambda: "2 mails were not sent while there was no room for them." in caplog.text)
    assert len(server.mails) == 2


def test_whoever_sends_many_leaves_room_and_waits_for_nobody_who_is_away(server, caplog, monkeypatch):
    monkeypatch.setattr(mail_runner, "MOST", 4)
    monkeypatch.setattr(mail_runner, "TIMEOUT", 0.1)
    for number in range(6):
        mail_runner.post(letter(f"many-{number}@example.com"), patient=True)
    mail_runner.post(letter("alarm@example.com"))
    server.speaks.set()
    assert eventually(lambda: any("alarm@" in text for text in server.mails))
    assert len(server.mails) == 3


def test_whoever_sends_many_waits_for_room_while_mails_are_taken(server, caplog, monkeypatch):
    monkeypatch.setattr(mail_runner, "MOST", 4)
    server.speaks.set()
    for _ in range(20):
        mail_runner.post(letter(), patient=True)
    assert eventually(lambda: len(server.mails) == 20)
    assert server.calls < 20
    assert "not sent" not in caplog.text


PROGRAM = """
import os, sys
from django.conf import settings
settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT=int(sys.argv[1]))
from trusted_devices.web import mail_runner
mail_runner.post({"to": "maria@example.com", "subject": "Hello", "text": "text", "html": "html"})
if not os.fork():
    sys.exit()
os.wait()
"""


def test_a_process_that_ends_sends_its_last_mails_and_none_of_its_parents(server):
    server.speaks.set()
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, str(server.port)], cwd=ROOT, check=True, timeout=60)
    assert len(server.mails) == 1


def test_a_site_says_who_takes_mails_on(settings):
    taken.clear()
    runs(settings, f"{__name__}.take")
    mail_runner.post(letter())
    assert taken == [letter()]
    assert mail.outbox == []


def test_what_a_broker_does_not_take_is_sent_from_here(settings, server, caplog):
    server.speaks.set()
    runs(settings, f"{__name__}.refuse")
    mail_runner.post(letter())
    assert eventually(lambda: server.mails)
    assert "The mail runner did not take on a mail (ConnectionError)." in caplog.text
    assert "example.com" not in caplog.text


def test_a_site_may_want_to_wait(settings, server):
    server.speaks.set()
    runs(settings, "inline")
    mail_runner.post(letter())
    assert len(server.mails) == 1


def test_a_worker_tries_again_while_the_mail_server_is_away(server):
    server.speaks.set()
    server.refusing = 2
    tasks.send_mail.apply([letter()])
    assert (len(server.mails), server.calls) == (1, 3)


def test_a_worker_does_not_send_a_mail_twice_that_may_have_arrived(server, caplog):
    server.speaks.set()
    server.dropping = 1
    assert tasks.send_mail.apply([letter()]).successful()
    assert (server.mails, server.calls) == ([], 1)
    assert "example.com" not in caplog.text
