"""A pool that fails in every way, at every step of a sign-in: trust is never given by accident, and nothing is lost.

Each case breaks one step in one way, and looks at the same: whoever signs in is told what to do and is not let off
anything, mirror and pool agree, and it works once the pool does.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.cognito.conftest import at
from tests.faults.conftest import EVERY, KINDS, TO_A_QUESTION, TO_AN_ORDER, agree, compare
from trusted_devices.cognito import client, tokens
from trusted_devices.cognito.session import get_tokens
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import CognitoUser, Device, DeviceEvent

TRY_AGAIN = "Signing in is not possible right now. Nothing is wrong with your account; try again in a minute."
START_AGAIN = "Your sign-in took too long or was not complete. Please start again."
NOT_TRUSTED = "You are signed in, but this device could not be marked as trusted. You will be asked for a code."


def nobody_is_let_in(browser, response):
    """Whether the page says what to do, and no more."""
    told = response.status_code == 503 and TRY_AGAIN in response.content.decode()
    return told and not browser.is_signed_in


def signs_in_with_a_code(browser, person):
    """Whether the user is asked for a code, and then whether to trust the device."""
    return at(browser.password(person)) == "sign_in_code" and at(browser.code(person.code())) == "sign_in_trust"


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *(("InitiateAuth", fault) for fault in TO_A_QUESTION),
        *(("PASSWORD_VERIFIER", fault) for fault in KINDS),
        *(("DEVICE_SRP_AUTH", fault) for fault in KINDS),
        *(("DEVICE_PASSWORD_VERIFIER", fault) for fault in KINDS),
        *(("JWKS", fault) for fault in TO_A_QUESTION),
    ],
)
def test_a_trusted_device_is_let_off_nothing_by_a_pool_that_does_not_answer(broken, browser, person, step, fault):
    browser.trusted_sign_in(person)
    tokens.forget_keys()
    with broken(step, fault):
        assert nobody_is_let_in(browser, browser.password(person))
    assert not DeviceEvent.objects.filter(action="signed_in", reason="trusted_device").exists()
    assert Device.objects.get().is_remembered
    assert agree(person)
    assert at(browser.password(person)) == "home"


@pytest.mark.parametrize("fault", TO_A_QUESTION)
def test_a_newcomer_whom_the_pool_does_not_describe_is_not_let_in(broken, browser, person, fault):
    with broken("AdminGetUser", fault):
        assert nobody_is_let_in(browser, browser.password(person))
    assert not CognitoUser.objects.exists()
    assert signs_in_with_a_code(browser, person)
    assert CognitoUser.objects.get().sub == person.sub


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *(("SOFTWARE_TOKEN_MFA", fault) for fault in EVERY),
        *(("JWKS", fault) for fault in TO_A_QUESTION),
    ],
)
def test_a_code_that_cannot_be_checked_lets_nobody_in(broken, browser, person, step, fault):
    assert at(browser.password(person)) == "sign_in_code"
    with broken(step, fault):
        assert nobody_is_let_in(browser, browser.code(person.code()))
    assert (Device.objects.count(), person.devices()) == (0, [])
    again = browser.code(person.code())
    if at(again) == "sign_in":  # the pool took the code, and nobody knows
        assert START_AGAIN in browser.http.get(again.url).content.decode()
        assert signs_in_with_a_code(browser, person)
    else:
        assert at(again) == "sign_in_trust"


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *(("ConfirmDevice", fault) for fault in [*KINDS, "500"]),
        *(("UpdateDeviceStatus", fault) for fault in TO_AN_ORDER),
    ],
)
def test_a_device_that_cannot_be_registered_is_left_over_nowhere(broken, browser, person, step, fault):
    assert signs_in_with_a_code(browser, person)
    with broken(step, fault):
        response = browser.trust()
    assert at(response) == "home"
    assert NOT_TRUSTED in browser.http.get("/devices/").content.decode()
    assert browser.is_signed_in
    assert (Device.objects.count(), person.devices()) == (0, [])
    browser.sign_out()
    assert signs_in_with_a_code(browser, person)
    assert at(browser.trust()) == "home"
    assert Device.objects.get().is_remembered
    assert agree(person)


def test_a_device_left_over_at_the_pool_skips_no_mfa_and_is_found(proxy, browser, person):
    assert signs_in_with_a_code(browser, person)
    proxy.breaks("ConfirmDevice", "lost answer")
    proxy.breaks("AdminForgetDevice", "reset")
    assert at(browser.trust()) == "home"
    proxy.heals()
    assert (Device.objects.count(), len(person.devices())) == (0, 1)
    compare()
    assert agree(person)
    assert not Device.objects.remembered().exists()
    browser.sign_out()
    assert at(browser.password(person)) == "sign_in_code"


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *(("GetTokensFromRefreshToken", fault) for fault in KINDS),
        *(("JWKS", fault) for fault in TO_A_QUESTION),
    ],
)
def test_tokens_that_cannot_be_refreshed_are_kept_and_refreshed_later(broken, browser, person, step, fault):
    assert signs_in_with_a_code(browser, person)
    browser.trust()
    kept, later = browser.http.session, timezone.now() + timedelta(minutes=59)
    before = dict(kept)
    tokens.forget_keys()
    with broken(step, fault), pytest.raises(BackendUnavailable):
        get_tokens(kept, now=later)
    assert dict(kept) == before
    assert get_tokens(kept, now=later).access != get_tokens(dict(before)).access


def test_a_storm_that_ends_is_noticed_by_nobody_at_any_step(proxy, browser, person):
    once = ["InitiateAuth", "PASSWORD_VERIFIER"]
    first = [*once, "AdminGetUser", "SOFTWARE_TOKEN_MFA", "ConfirmDevice", "UpdateDeviceStatus"]
    again = [*once, "DEVICE_SRP_AUTH", "DEVICE_PASSWORD_VERIFIER"]
    for step in first:
        proxy.breaks(step, "throttled", times=client.ATTEMPTS - 1)
    browser.trusted_sign_in(person)
    assert [step for step in proxy.seen if step != "JWKS"] == [step for step in first for _ in range(client.ATTEMPTS)]
    proxy.seen.clear()
    for step in again:
        proxy.breaks(step, "throttled", times=client.ATTEMPTS - 1)
    assert at(browser.password(person)) == "home"
    assert proxy.seen == [step for step in again for _ in range(client.ATTEMPTS)]
    assert Device.objects.get().is_remembered
    assert agree(person)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("InitiateAuth", "500"),
        ("AdminGetUser", "lost answer"),
        ("UpdateDeviceStatus", "500"),
        ("UpdateDeviceStatus", "lost answer"),
    ],
)
def test_a_hiccup_at_what_may_be_done_twice_is_noticed_by_nobody(proxy, browser, person, step, fault):
    proxy.breaks(step, fault, times=client.ATTEMPTS - 1)
    browser.trusted_sign_in(person)
    assert proxy.seen.count(step) == client.ATTEMPTS
    assert DeviceEvent.objects.filter(action="remembered").count() == 1
    assert agree(person)


def test_a_device_of_which_the_pool_only_said_that_it_remembers_it_skips_no_mfa(proxy, browser, person):
    proxy.breaks("UpdateDeviceStatus", "empty")
    browser.trusted_sign_in(person)
    assert at(browser.password(person)) == "sign_in_code"
    compare()
    assert not Device.objects.remembered().exists()
    assert agree(person)
