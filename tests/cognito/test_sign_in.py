"""Signing in on the pages, with a pool in another process as the owner of users and devices."""

import json
import re
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.urls import reverse
from django.utils import timezone

from tests.cognito.conftest import at, new_person, site_settings
from trusted_devices import cookies
from trusted_devices.cognito import session
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.flow import Flow
from trusted_devices.cognito.identities import UserMapper
from trusted_devices.cognito.session import get_tokens
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import BackendUnavailable, InvalidCredentials, SignInExpired
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.signin.cognito import CognitoSignIn
from trusted_devices.types import ClientInfo


def test_a_trusted_device_signs_in_without_mfa_until_it_is_forgotten(browser, person):
    assert at(browser.password(person)) == "sign_in_code"
    assert not browser.is_signed_in
    assert at(browser.code(person.code())) == "sign_in_trust"
    assert at(browser.trust("laptop")) == "home"
    assert browser.is_signed_in

    device = Device.objects.get()
    (owned,) = person.devices()
    assert owned == {"key": device.device_key, "status": "remembered", "name": "laptop"}
    assert (device.binding, device.status, device.name) == ("srp", "remembered", "laptop")
    assert (device.srp_salt, device.srp_verifier) == (None, None)
    assert CognitoUser.objects.get(sub=person.sub).user == device.user

    browser.sign_out()
    assert at(browser.password(person)) == "home"
    assert browser.is_signed_in
    assert DeviceEvent.objects.filter(action="signed_in", reason="trusted_device", device=device).exists()


def test_the_password_never_travels_and_no_secret_of_the_device_is_stored(browser, person, monkeypatch):
    sent = []
    once = PoolClient._once

    def listen(self, operation, params):
        sent.append(json.dumps(params))
        return once(self, operation, params)

    monkeypatch.setattr(PoolClient, "_once", listen)
    browser.trusted_sign_in(person)
    browser.password(person)
    held = cookies.load(browser.http.cookies["trusted_device"].value).entries[0]
    assert sent
    assert not any(person.password in text or held.secret in text for text in sent)
    stored = json.dumps(list(Device.objects.values()), default=str)
    assert held.secret not in stored
    assert held.group_key in stored


@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH"])
@pytest.mark.parametrize("secret", [True, False], ids=["with secret", "without secret"])
def test_every_flow_and_kind_of_client_goes_all_the_way(browser, person, process, settings, flow, secret):
    client = {} if secret else {"CLIENT_ID": process.facts["client_id"], "CLIENT_SECRET": None}
    settings.TRUSTED_DEVICES = site_settings(process, AUTH_FLOW=flow, SEND_IP_ADDRESS=True, **client)
    browser.trusted_sign_in(person)
    assert at(browser.password(person)) == "home"
    assert [device["status"] for device in person.devices()] == ["remembered"]


@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH"])
def test_a_device_is_known_whatever_its_user_types_for_a_name(browser, process, settings, flow):
    process.facts = process.act("new_pool", email_alias=True)
    settings.TRUSTED_DEVICES = site_settings(process, AUTH_FLOW=flow)
    person = new_person(process, totp=True)
    address = replace(person, username=f"{person.username}@Example.COM")
    browser.password(address)
    browser.code(person.code())
    assert at(browser.trust()) == "home"
    browser.sign_out()
    for typed in (address, person):
        assert at(browser.password(typed)) == "home", typed
        browser.sign_out()
    assert Device.objects.count() == 1


def test_whoever_does_not_trust_the_device_is_asked_again(browser, person):
    browser.password(person)
    browser.code(person.code())
    assert at(browser.not_now()) == "home"
    assert (Device.objects.count(), person.devices()) == (0, [])
    browser.sign_out()
    assert at(browser.password(person)) == "sign_in_code"


def test_a_wrong_password_and_an_unknown_user_look_the_same(browser, person):
    failures = []

    def note(credentials, **_):
        failures.append(credentials)

    user_login_failed.connect(note)
    try:
        wrong = browser.password(person, "wrong")
        unknown = browser.password(replace(person, username="nobody"))
    finally:
        user_login_failed.disconnect(note)
    for response in (wrong, unknown):
        assert response.status_code == 400
        assert "User name and password do not match" in response.content.decode()
    assert failures == [{"username": person.username}, {"username": "nobody"}]
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("username", ["", " ", "two words", "a" * 129, "tab\there", "\x00", "\ud800"])
def test_names_that_the_pool_would_not_take_are_refused_like_wrong_ones(browser, person, username):
    with pytest.raises(InvalidCredentials):
        CognitoSignIn().begin({"username": username, "password": "x"}, client=ClientInfo(), recall=lambda user: None)


def test_a_wrong_code_can_be_corrected(browser, person):
    browser.password(person)
    wrong = browser.code("000000")
    assert wrong.status_code == 400
    assert at(browser.code(person.code())) == "sign_in_trust"


def test_a_user_without_a_factor_is_let_in_and_offered_nothing(browser, process):
    person = new_person(process)
    assert at(browser.password(person)) == "home"
    assert browser.is_signed_in
    assert not Device.objects.exists()


def test_a_code_by_mail_is_sent_once(browser, process):
    person = new_person(process, email=True)
    assert at(browser.password(person)) == "sign_in_code"
    page = browser.http.get(reverse("trusted_devices:sign_in_code")).content.decode()
    assert "We have sent it to m***@e***." in page
    assert process.act("mailed", username=person.username)["count"] == "1"
    browser.choose("EMAIL_OTP")
    assert process.act("mailed", username=person.username)["count"] == "1"
    assert at(browser.code(person.mailed_code())) == "sign_in_trust"


def test_a_code_by_text_message_is_asked_for(browser, process):
    phone = f"+1206555{uuid.uuid4().int % 10000:04}"
    person = new_person(process, phone=phone)
    browser.password(person)
    page = browser.http.get(reverse("trusted_devices:sign_in_code")).content.decode()
    assert f"We have sent it to +*******{phone[-4:]}." in page
    assert at(browser.code(person.texted_code(phone))) == "sign_in_trust"


class TestSomebodyWithSeveralFactors:
    @pytest.fixture
    def person(self, process, db):
        return new_person(process, totp=True, email=True)

    def test_types_the_code_of_the_app_at_once(self, browser, person):
        assert at(browser.password(person)) == "sign_in_code"
        page = browser.http.get(reverse("trusted_devices:sign_in_code")).content.decode()
        assert "authenticator app" in page
        assert "EMAIL_OTP" in page
        assert at(browser.code(person.code())) == "sign_in_trust"

    def test_may_correct_a_wrong_one(self, browser, person):
        browser.password(person)
        assert browser.code("000000").status_code == 400
        assert at(browser.code(person.code())) == "sign_in_trust"

    def test_may_have_a_code_sent_instead(self, browser, person):
        browser.password(person)
        assert at(browser.choose("EMAIL_OTP")) == "sign_in_code"
        assert at(browser.code(person.mailed_code())) == "sign_in_trust"
        assert at(browser.trust()) == "home"
        browser.sign_out()
        assert at(browser.password(person)) == "home"


class TestADevice:
    def test_that_the_pool_has_forgotten_is_forgotten_here_and_mfa_is_asked(self, browser, person, process):
        browser.trusted_sign_in(person)
        process.act("forget", device_key=Device.objects.get().device_key)
        assert at(browser.password(person)) == "sign_in_code"
        assert not Device.objects.exists()
        assert not browser.http.cookies["trusted_device"].value
        assert at(browser.code(person.code())) == "sign_in_trust"
        assert at(browser.trust()) == "home"

    def test_that_the_pool_no_longer_remembers_proves_itself_after_the_code(self, browser, person, process):
        browser.trusted_sign_in(person)
        process.act("set_status", device_key=Device.objects.get().device_key, status="not_remembered")
        assert at(browser.password(person)) == "sign_in_code"
        assert not browser.is_signed_in
        assert at(browser.code(person.code())) == "sign_in_trust"
        assert DeviceEvent.objects.filter(action="trust_refused", reason="proof_missing").exists()

    def test_that_fails_its_proof_is_asked_for_mfa(self, browser, person):
        browser.trusted_sign_in(person)
        held = cookies.load(browser.http.cookies["trusted_device"].value)
        forged = replace(held.entries[0], secret="A" * 56)
        browser.http.cookies["trusted_device"] = cookies.dump(cookies.DeviceCookie((forged,)))
        # As if the mirror had been tampered with as well.
        Device.objects.update(secret_digest=device_secret.digest("A" * 56))
        assert at(browser.password(person)) == "sign_in_code"
        assert DeviceEvent.objects.filter(action="trust_refused", reason="proof_failed").exists()

    def test_is_not_named_to_the_pool_when_the_policy_refuses_it(self, browser, person, monkeypatch):
        browser.trusted_sign_in(person)
        Device.objects.update(status="not_remembered")
        assert at(browser.password(person)) == "sign_in_code"
        assert DeviceEvent.objects.filter(action="trust_refused", reason="not_remembered").exists()

    def test_of_two_people_in_one_browser_are_two(self, browser, person, process):
        other = new_person(process, totp=True)
        browser.trusted_sign_in(person)
        browser.trusted_sign_in(other)
        assert at(browser.password(person)) == "home"
        browser.sign_out()
        assert at(browser.password(other)) == "home"
        assert Device.objects.count() == 2

    def test_forgotten_by_staff_while_it_signs_in_does_not_get_in(self, browser, person, monkeypatch):
        browser.trusted_sign_in(person)
        prove = Flow.prove

        def forget_meanwhile(self, *args):
            answer = prove(self, *args)
            Device.objects.all().delete()
            return answer

        monkeypatch.setattr(Flow, "prove", forget_meanwhile)
        assert browser.password(person).status_code == 503
        assert not browser.is_signed_in
        monkeypatch.undo()

    def test_that_cannot_be_marked_remembered_is_left_nowhere(self, browser, person, monkeypatch):
        browser.password(person)
        browser.code(person.code())
        with monkeypatch.context() as patch:

            def fail(self, device, status):
                raise BackendUnavailable

            patch.setattr(PoolOwner, "update_device_status", fail)
            assert at(browser.trust()) == "home"
        assert browser.is_signed_in
        assert (Device.objects.count(), person.devices()) == (0, [])


class TestWhoSomebodyIs:
    def test_follows_the_sub_when_the_name_changes(self, browser, person, process):
        browser.trusted_sign_in(person)
        user = get_user_model().objects.get()
        process.act("rename_user", username=person.username, to=f"new-{person.username}", password=person.password)
        person.username = f"new-{person.username}"
        assert at(browser.password(person)) == "sign_in_code"
        assert at(browser.code(person.code())) == "sign_in_trust"
        browser.not_now()
        assert browser.http.session["_auth_user_id"] == str(user.pk)
        assert CognitoUser.objects.get().username == person.username

    def test_a_recycled_name_inherits_nothing(self, browser, person, process):
        browser.trusted_sign_in(person)
        before = get_user_model().objects.get()
        process.act("delete_user", username=person.username)
        process.act(
            "new_user", pool=process.facts["pool_id"], username=person.username, password=person.password, totp=True
        )
        assert at(browser.password(person)) == "sign_in_code"
        # Whose name it is now only the tokens tell.
        assert at(browser.code(person.code())) == "sign_in"
        assert not browser.is_signed_in
        assert at(browser.password(person)) == "sign_in_code"
        assert at(browser.code(person.code())) == "sign_in_trust"
        browser.not_now()
        after = get_user_model().objects.get(pk=browser.http.session["_auth_user_id"])
        assert after.pk != before.pk
        assert after.username.startswith(f"{person.username}-")
        assert not Device.objects.filter(user=after).exists()

    def test_is_nobody_who_was_on_the_site_before(self, browser, process):
        person = new_person(process)
        staff = get_user_model().objects.create_superuser(person.username, "staff@example.com", "local")
        assert at(browser.password(person)) == "home"
        user = get_user_model().objects.get(pk=browser.http.session["_auth_user_id"])
        assert (user.pk == staff.pk, user.is_staff, user.has_usable_password()) == (False, False, False)

    def test_takes_name_and_address_from_the_pool(self, browser, process):
        person = new_person(process, first_name="María", last_name="Peña")
        browser.password(person)
        user = get_user_model().objects.get()
        assert (user.username, user.email) == (person.username, f"{person.username}@example.com")
        assert (user.first_name, user.last_name) == ("María", "Peña")

    def test_is_told_by_a_mapper_of_the_sites_own(self, browser, process, settings, user):
        settings.TRUSTED_DEVICES = site_settings(process, USER_MAPPER=f"{__name__}.ToTheFirst")
        person = new_person(process)
        assert at(browser.password(person)) == "home"
        assert browser.http.session["_auth_user_id"] == str(user.pk)
        browser.sign_out()
        # An account belongs to one user of the pool.
        assert browser.password(new_person(process)).status_code == 400

    @pytest.mark.parametrize("where", ["here", "in the pool"])
    def test_does_not_matter_once_they_are_disabled(self, browser, person, process, where):
        browser.trusted_sign_in(person)
        if where == "here":
            get_user_model().objects.update(is_active=False)
        else:
            process.act("disable_user", username=person.username)
        response = browser.password(person)
        assert response.status_code == 400
        assert not browser.is_signed_in


class ToTheFirst(UserMapper):
    """Everybody is the first user of the site."""

    def create(self, claims):
        return get_user_model().objects.first()


class TestTokens:
    def test_are_kept_sealed_in_the_session_and_refreshed_with_the_device(self, browser, person):
        browser.password(person)
        browser.code(person.code())
        browser.trust()
        kept = browser.http.session
        first = get_tokens(kept)
        assert first.access not in json.dumps(dict(kept))
        assert get_tokens(kept).access == first.access
        later = get_tokens(kept, now=timezone.now() + timedelta(minutes=59))
        assert later.access != first.access
        assert get_tokens(kept, now=timezone.now() + timedelta(minutes=59)).access != later.access
        assert first.access not in repr(first)
        browser.sign_out()
        browser.password(person)
        assert get_tokens(browser.http.session, now=timezone.now() + timedelta(minutes=59)).access

    def test_of_a_device_that_is_not_trusted_end_with_the_first_ones(self, browser, person):
        browser.password(person)
        browser.code(person.code())
        browser.not_now()
        assert get_tokens(browser.http.session).access
        with pytest.raises(SignInExpired):
            get_tokens(browser.http.session, now=timezone.now() + timedelta(minutes=59))

    def test_are_not_kept_where_the_site_says_so(self, browser, process, settings):
        settings.TRUSTED_DEVICES = site_settings(process, KEEP_TOKENS=False)
        browser.password(new_person(process))
        assert session.SESSION_KEY not in browser.http.session
        with pytest.raises(SignInExpired):
            get_tokens(browser.http.session)

    def test_do_not_wait_in_the_open_for_the_answer_about_trust(self, browser, person, caplog):
        browser.password(person)
        browser.code(person.code())
        raw = browser.http.session["_trusted_devices_sign_in"]["state"]["backend"]
        assert set(raw) == {"sealed"}
        jwt = re.compile(r"eyJ[\w-]+\.eyJ")
        assert jwt.search(json.dumps(raw) + caplog.text) is None
