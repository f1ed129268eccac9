"""A pool that fails while somebody chooses a password and sets an authenticator up: no account is lost on the way."""

from base64 import b32decode

import pytest
from django_otp import oath

from tests.cognito.conftest import at, new_person, site_settings
from tests.cognito.test_first_sign_in import PASSWORD, UNSURE, shown_key
from tests.faults.conftest import EVERY, KINDS, TO_A_QUESTION
from tests.faults.test_sign_in import START_AGAIN, nobody_is_let_in
from trusted_devices.models import Device


@pytest.fixture
def strict(proxy, process, settings):
    """The pool, which demands a second factor of everybody."""
    endpoint = settings.TRUSTED_DEVICES["COGNITO"]["ENDPOINT_URL"]
    process.facts = process.act("new_pool", mfa="ON")
    settings.TRUSTED_DEVICES = site_settings(process, ENDPOINT_URL=endpoint, READ_TIMEOUT=20)
    return process


def is_unsure(browser, response):
    """Whether the page says that nobody knows, and no more."""
    return response.status_code == 503 and UNSURE in response.content.decode() and not browser.is_signed_in


def starts_again(browser, response):
    """Whether the pool did what it was asked, so that there is nothing to go on with."""
    return at(response) == "sign_in" and START_AGAIN in browser.http.get(response.url).content.decode()


def code_for(key):
    """The code of an authenticator with that key."""
    return f"{oath.totp(b32decode(key)):06}"


@pytest.mark.parametrize("fault", EVERY)
def test_a_new_password_works_if_it_was_saved_and_can_be_chosen_again_if_not(broken, browser, process, fault):
    person = new_person(process, must_change_password=True)
    assert at(browser.password(person)) == "sign_in_new_password"
    with broken("NEW_PASSWORD_REQUIRED", fault):
        assert is_unsure(browser, browser.new_password(PASSWORD))
    again = browser.new_password(PASSWORD)
    if at(again) == "sign_in":
        assert starts_again(browser, again)
        assert browser.password(person).status_code == 400
        again = browser.password(person, PASSWORD)
    assert at(again) == "home"


@pytest.mark.parametrize("fault", TO_A_QUESTION)
def test_an_authenticator_whose_key_does_not_come_is_set_up_at_the_next_attempt(broken, browser, strict, fault):
    person = new_person(strict)
    with broken("AssociateSoftwareToken", fault):
        assert nobody_is_let_in(browser, browser.password(person))
    assert at(browser.password(person)) == "sign_in_code"
    assert at(browser.code(code_for(shown_key(browser)))) == "sign_in_trust"


def test_a_new_password_stands_whatever_becomes_of_the_authenticator_after_it(broken, browser, strict):
    person = new_person(strict, must_change_password=True)
    assert at(browser.password(person)) == "sign_in_new_password"
    with broken("AssociateSoftwareToken", "500"):
        assert is_unsure(browser, browser.new_password(PASSWORD))
    assert starts_again(browser, browser.new_password(PASSWORD))
    assert at(browser.password(person, PASSWORD)) == "sign_in_code"
    assert at(browser.code(code_for(shown_key(browser)))) == "sign_in_trust"


@pytest.mark.parametrize("step", ["VerifySoftwareToken", "MFA_SETUP"])
@pytest.mark.parametrize("fault", KINDS)
def test_an_authenticator_is_set_up_once_or_can_be_set_up_again(broken, browser, strict, step, fault):
    person = new_person(strict)
    assert at(browser.password(person)) == "sign_in_code"
    key = shown_key(browser)
    with broken(step, fault):
        assert nobody_is_let_in(browser, browser.code(code_for(key)))
    again = browser.code(code_for(key))
    if at(again) == "sign_in":
        assert starts_again(browser, again)
        assert at(browser.password(person)) == "sign_in_code"
        known = "td-key" not in browser.http.get("/sign-in/code/").content.decode()
        again = browser.code(person.code() if known else code_for(shown_key(browser)))
    assert at(again) == "sign_in_trust"
    assert at(browser.trust()) == "home"
    browser.sign_out()
    assert at(browser.password(person)) == "home"
    assert Device.objects.get().is_remembered
