"""Mails about devices."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.test import RequestFactory
from django.urls import NoReverseMatch
from django.utils import timezone, translation

from trusted_devices.testing import make_device
from trusted_devices.web import jar, mails


def send_forgotten(device):
    """Tell of one device."""
    return mails.send_forgotten([device])


SENDERS = [mails.send_new_device, mails.send_misuse, send_forgotten]


@pytest.fixture
def device(user, client_info, now):
    return make_device(user, client=client_info, now=now)


@pytest.fixture
def in_request(user, settings):
    """The request in hand, made to https://testserver/."""
    settings.ALLOWED_HOSTS = ["testserver"]
    request = RequestFactory().get("/", secure=True)
    request.user = user
    token = jar.current_request.set(request)
    yield request
    jar.current_request.reset(token)


def _parts():
    message = mail.outbox[-1]
    return message.subject, message.body, message.alternatives[0][0]


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = set()
        self.links = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name in ("href", "src", "background", "action")}


def test_a_new_device_is_described_with_its_time_zone_and_what_to_do(device):
    assert mails.send_new_device(device)
    subject, text, html = _parts()
    assert subject == "New trusted device: Chrome on Windows"
    for part in (text, html):
        assert "Chrome on Windows" in part
        assert "March 1, 2026, noon UTC" in part
        assert "April 30, 2026, noon UTC" in part
        assert "203.0.113.0" in part
        assert "If this was you, there is nothing to do." in part
    assert "Hello maria," in text


def test_a_device_with_a_name_is_called_by_it_and_described_as_well(user, client_info, now):
    mails.send_new_device(make_device(user, name="Kitchen", client=client_info, now=now))
    subject, text, html = _parts()
    assert subject == "New trusted device: Kitchen"
    assert "Kitchen (Chrome on Windows)" in text
    assert "Kitchen (Chrome on Windows)" in html


def test_misuse_says_what_happened_and_what_has_been_done(device):
    mails.send_misuse(device)
    subject, text, html = _parts()
    assert subject == "One of your devices is no longer trusted"
    assert "old copy of the key" in text
    assert "change your password" in text
    assert "old copy of the key" in html


def test_a_device_that_staff_forgot_is_named(device):
    send_forgotten(device)
    subject, text, _html = _parts()
    assert subject == "One of your devices was forgotten"
    assert "Chrome on Windows" in text


@pytest.mark.parametrize("send", SENDERS)
def test_every_mail_is_plain_text_and_html_that_loads_nothing(device, in_request, send):
    send(device)
    subject, text, html = _parts()
    assert subject
    assert "<" not in text
    parsed = _Tags()
    parsed.feed(html)
    assert not parsed.tags & {"img", "script", "link", "iframe", "object", "embed", "video", "audio", "form"}
    assert parsed.links == {"https://testserver/devices/"}
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize("send", SENDERS)
def test_no_mail_holds_a_secret(device, send):
    send(device)
    everything = str(mail.outbox[-1].message())
    for secret in (device.secret_digest, device.credential_stamp, device.device_key, device.user.password):
        assert secret
        assert secret not in everything


@pytest.mark.parametrize("send", SENDERS)
def test_a_name_of_markup_and_line_breaks_stays_text_and_one_line(user, now, send):
    device = make_device(user, now=now)
    device.name = 'x\r\nBcc: tom@example.com\r\n\r\n<b title="y">&amp;'
    send(device)
    subject, text, html = _parts()
    assert "\n" not in subject
    assert "\r" not in subject
    assert '<b title="y">&amp;' in text
    assert "<b " not in html
    message = mail.outbox[-1].message()
    assert message["Bcc"] is None
    assert mail.outbox[-1].recipients() == ["maria@example.com"]


@pytest.mark.parametrize("send", SENDERS)
def test_machines_are_asked_not_to_answer(device, send):
    send(device)
    assert mail.outbox[-1].message()["Auto-Submitted"] == "auto-generated"


def test_the_link_needs_a_request_in_hand(device):
    mails.send_new_device(device)
    _subject, text, html = _parts()
    assert "://" not in text
    assert "://" not in html


def test_there_is_no_link_where_any_host_passes(device, in_request, settings):
    settings.ALLOWED_HOSTS = ["*"]
    mails.send_new_device(device)
    assert "://" not in mail.outbox[-1].body


def test_there_is_no_link_where_the_site_has_no_such_page(device, in_request, monkeypatch):
    def no_such_page(name):
        raise NoReverseMatch

    monkeypatch.setattr(mails, "reverse", no_such_page)
    mails.send_new_device(device)
    assert "://" not in mail.outbox[-1].body


def test_users_without_an_address_get_none(user, device):
    user.email = ""
    device.user = user
    assert not mails.send_new_device(device)
    assert mail.outbox == []


@pytest.mark.parametrize("send", SENDERS)
def test_a_site_can_do_without_them(device, settings, send):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "NEW_DEVICE_EMAIL": False}
    assert not send(device)
    assert mail.outbox == []


def test_a_request_of_the_users_own_sets_language_and_time_zone(device):
    with translation.override("de"), timezone.override(ZoneInfo("Europe/Berlin")):
        mails.send_new_device(device)
        assert translation.get_language() == "de"
    _subject, text, html = _parts()
    assert "1. März 2026 13:00 CET" in text
    assert '<html lang="de">' in html


@pytest.mark.parametrize("send", [mails.send_misuse, send_forgotten])
def test_a_request_of_somebody_else_does_not(device, send):
    device.status_changed_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with translation.override("de"), timezone.override(ZoneInfo("Europe/Berlin")):
        send(device)
    _subject, text, html = _parts()
    assert " UTC" in text
    assert '<html lang="en-us">' in html


@pytest.mark.parametrize(("language", "expected"), [("de", "de"), ("xx", "en-us"), (None, "en-us"), (7, "en-us")])
def test_the_language_that_a_user_has_chosen_goes_first(device, language, expected):
    device.user.language = language
    mails.send_misuse(device)
    assert f'<html lang="{expected}">' in mail.outbox[-1].alternatives[0][0]


def test_a_site_overrides_the_templates(device, settings, tmp_path):
    folder = tmp_path / "trusted_devices" / "email"
    folder.mkdir(parents=True)
    (folder / "new_device_subject.txt").write_text("Our\nown {{ device.display_name }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    mails.send_new_device(device)
    assert mail.outbox[-1].subject == "Our own Chrome on Windows"
