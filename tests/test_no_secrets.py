"""Nothing secret is in a repr, a log line, an event or an error."""

import dataclasses
import importlib
import logging
import pkgutil
import re
from datetime import timedelta
from enum import Enum

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import reverse
from django_otp import oath

import trusted_devices
from tests.broken_database import broken
from trusted_devices import cookies, exceptions
from trusted_devices.cookies import DeviceCookie
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import SignInExpired, TrustedDevicesError
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import granting, sign_in, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.services.sign_in_state import SignInState
from trusted_devices.types import By, ClientInfo, Presented, SecretMatch, TrustReason
from trusted_devices.web.session_note import Verification

DAY = timedelta(days=1)
PASSWORD = "correct horse"
SECRET_NAMES = re.compile(
    r"secret|password|passwd|digest|verifier|(?<!time)stamp|plaintext|private|sealed|salt|token|nonce|session_key|signature|^code$"
)
HARMLESS = {
    "DeviceFacts.secret",  # how it matched, not what it is
    "DeviceSecret.verifier",  # a value object that shows nothing of itself
}
# Wire formats and keys of the endpoint are its own tests' business.
ELSEWHERE = ("trusted_devices.cognito_idp", "trusted_devices.cognito", "trusted_devices.migrations")


def modules():
    for found in pkgutil.walk_packages(trusted_devices.__path__, "trusted_devices."):
        if not found.name.startswith(ELSEWHERE):
            yield importlib.import_module(found.name)


def value_objects():
    seen = {}
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__:
                seen[f"{value.__module__}.{value.__qualname__}"] = value
    return seen


def test_fields_of_value_objects_that_are_named_like_secrets_are_not_shown():
    shown = [
        f"{name.rpartition('.')[2]}.{field.name}"
        for name, value_object in value_objects().items()
        for field in dataclasses.fields(value_object)
        if field.repr and SECRET_NAMES.search(field.name)
    ]
    assert set(shown) <= HARMLESS


def test_the_search_for_value_objects_finds_them():
    names = {name.rpartition(".")[2] for name in value_objects()}
    assert {"DeviceCredential", "SignInState", "SignedIn", "Verification", "Opened", "TrustCheck"} <= names


def test_models_are_shown_without_what_they_keep_secret():
    marker = "s3cr3t"
    for model in apps.get_app_config("trusted_devices").get_models():
        instance = model()
        for field in model._meta.concrete_fields:
            if SECRET_NAMES.search(field.name):
                setattr(instance, field.attname, marker)
        assert marker not in repr(instance)
        assert marker not in str(instance)


@pytest.fixture(autouse=True)
def _at_now(now, time_machine):
    time_machine.move_to(now, tick=False)


class Secrets:
    """Everything secret that a test has seen, and where it may have slipped out."""

    def __init__(self):
        self.values = {PASSWORD}

    def add(self, *credentials):
        for credential in credentials:
            self.values |= {credential.secret, device_secret.digest(credential.secret)}

    def add_stored(self):
        for device in Device.objects.all():
            self.values |= {device.secret_digest, device.next_secret_digest, device.credential_stamp}
            self.values |= {repr(bytes(device.rotation_nonce))[2:-1], bytes(device.rotation_nonce).hex()}
        for session in DeviceSession.objects.all():
            self.values |= {session.session_digest, session.sealed_session_key}
        self.values |= set(Session.objects.values_list("session_key", flat=True))
        self.values.discard("")

    def found_in(self, *texts):
        return {value for value in self.values if value for text in texts if value in str(text)}


@pytest.fixture
def secrets():
    return Secrets()


def test_no_value_of_a_whole_sign_in_with_trust_and_alarm_shows_a_secret(user, totp, client_info, secrets, caplog, now):
    shown = []
    cookie = DeviceCookie()
    with caplog.at_level(logging.DEBUG):
        credentials = {"username": "maria", "password": PASSWORD}
        by = By(client=client_info, at=now)
        challenge = sign_in.begin(credentials, cookie=cookie, by=by)
        code = f"{oath.totp(totp.bin_key):06d}"
        secrets.values |= {totp.key, challenge.state.stamp, user.password}
        offered = sign_in.answer_code(sign_in.load(challenge.state, cookie=cookie, by=by), code)
        outcome = sign_in.answer_offer(sign_in.load(offered.state, cookie=cookie, by=by), period=60 * DAY)
        shown += [challenge, offered, outcome, outcome.device, outcome.credential]
        held = [outcome.credential]
        for day in (1, 2):
            found = trust.check(
                user=user,
                presented=Presented(credential=held[-1]),
                mfa_active=True,
                by=By(client=client_info, at=now + day * DAY),
            )
            held.append(found.credential)
            shown += [found, cookie.put(found.credential), Presented(credential=found.credential)]
        alarm = trust.check(
            user=user,
            presented=Presented(credential=held[0]),
            mfa_active=True,
            by=By(client=client_info, at=now + 3 * DAY),
        )
        assert alarm.decision.reason is TrustReason.SUPERSEDED_SECRET
        shown += [alarm, *DeviceEvent.objects.all(), *Device.objects.all()]
    secrets.add(*held)
    secrets.add_stored()
    secrets.values |= {cookies.dump(cookie.put(credential)) for credential in held}
    assert len(caplog.records) >= 5
    assert not secrets.found_in(caplog.text, *map(repr, shown), *map(str, shown))
    for event in DeviceEvent.objects.values_list():
        assert not secrets.found_in(*event)


@pytest.mark.django_db
def test_nothing_secret_is_logged_or_mailed_by_the_pages(
    user, totp, secrets, caplog, django_capture_on_commit_callbacks, now
):
    browser = Client(headers={"User-Agent": "Firefox"})
    sealed = []

    def post(name, data):
        response = browser.post(reverse(f"trusted_devices:{name}"), data)
        if cookies.name() in response.cookies:
            sealed.append(response.cookies[cookies.name()].value)
        secrets.values |= {browser.session.session_key or ""}
        return response

    with caplog.at_level(logging.DEBUG), django_capture_on_commit_callbacks(execute=True):
        assert post("sign_in", {"username": "maria", "password": PASSWORD}).status_code == 302
        post("sign_in_code", {"code": f"{oath.totp(totp.bin_key):06d}"})
        post("sign_in_trust", {"trust": "", "period": str(int((60 * DAY).total_seconds())), "name": ""})
        browser.cookies[cookies.name()] = "garbage"
        browser.get(reverse("trusted_devices:devices"))
    for value in sealed:
        secrets.values.add(value)
        secrets.add(*cookies.load(value).entries)
    secrets.add_stored()
    assert Device.objects.filter(status="remembered").exists(), "the device was trusted in the course of it"
    assert not secrets.found_in(caplog.text, *(message.message() for message in mail.outbox))


def test_every_error_has_a_code_of_its_own_that_is_safe_to_show():
    errors = [
        error
        for error in vars(exceptions).values()
        if isinstance(error, type) and issubclass(error, TrustedDevicesError)
    ]
    assert all(re.fullmatch(r"[a-z_]+", error.code) for error in errors)
    assert len({error.code for error in errors}) == len(errors)


@pytest.mark.parametrize("garbage", ["s3cr3t-password", {"verified": "s3cr3t"}, ["s3cr3t"]])
def test_a_garbled_state_is_not_quoted(garbage):
    with pytest.raises(SignInExpired) as raised:
        SignInState.load(garbage)
    assert "s3cr3t" not in f"{raised.value!r} {raised.value.__cause__!r}"


def test_a_database_error_is_logged_without_its_row(user, totp, verified, client_info, sixty_days, now, caplog):
    granted = granting.grant(
        user=user,
        verification=verified,
        presented=Presented(),
        choice=TrustChoice(period=sixty_days),
        by=By(client=client_info, at=now),
    )
    presented = Presented(credential=granted.credential)
    with caplog.at_level(logging.DEBUG, logger="trusted_devices"), broken("^UPDATE .trusted_devices_device"):
        trust.check(user=user, presented=presented, mfa_active=True, by=By(client=client_info, at=now + DAY))
    ours = [record for record in caplog.records if record.name.startswith("trusted_devices")]
    assert ours
    assert all(record.exc_info is None for record in ours)


def test_enums_and_facts_say_how_a_secret_matched_and_nothing_of_it():
    assert {match.value for match in SecretMatch} == {"current", "successor", "superseded", "wrong"}
    assert issubclass(SecretMatch, Enum)


def test_notes_of_sessions_and_clients_do_not_show_what_identifies_a_session(now):
    note = Verification(user_id="1", verified_by="mfa", at=now, session_digest="d1g3st")
    assert "d1g3st" not in repr(note)
    assert "r3qu3st" not in repr(ClientInfo(request="r3qu3st"))
