"""Whatever a browser sends as its device-key cookie: the code is asked, no page fails, and nothing else changes."""

from http import HTTPStatus

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.conftest import NOW
from tests.web.views.browser import SIXTY_DAYS, code_of, url
from trusted_devices import cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.types import DeviceCredential, DeviceStatus, TrustReason


def last_refusal():
    """Return the reason of the latest refusal in the log."""
    return str(DeviceEvent.objects.filter(action="trust_refused").latest("pk").reason)


def forged(user, **changes):
    """Return a cookie that is sealed as the site would, for what it never gave out."""
    entry = {
        "user_id": str(user.pk),
        "device_key": Device.objects.get().device_key,
        "secret": "x" * 43,
        "generation": 99,
    }
    return cookies.dump(DeviceCookie((DeviceCredential(**entry | changes),)))


@pytest.mark.parametrize(
    "garble",
    [
        lambda value: "garbage",
        lambda value: value[:-10],
        lambda value: value[:20],
        lambda value: value[:-1] + ("A" if value[-1] != "A" else "B"),
        lambda value: value + "A",
        lambda value: value * 40,
        lambda value: "é" * 50,
        lambda value: "\x00",
        lambda value: " ",
    ],
    ids=["garbage", "truncated", "cut short", "changed", "lengthened", "oversized", "not ASCII", "null", "blank"],
)
def test_what_was_not_sealed_here_asks_for_a_code_and_is_replaced(browser, totp, clock, garble):
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    browser.device_cookie = garble(browser.device_cookie)
    clock.shift(60)
    assert browser.enter_password().headers["Location"] == url("sign_in_code")
    assert Device.objects.get().status == DeviceStatus.REMEMBERED
    browser.enter_code(code_of(totp))
    browser.trust()
    assert Device.objects.count() == 2
    assert cookies.load(browser.device_cookie).entries


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, TrustReason.WRONG_SECRET),
        ({"secret": ""}, TrustReason.WRONG_SECRET),
        ({"secret": "x" * 2000}, TrustReason.WRONG_SECRET),
        ({"device_key": "local_00000000-0000-4000-8000-000000000000"}, TrustReason.UNKNOWN_DEVICE),
        ({"device_key": ""}, TrustReason.UNKNOWN_DEVICE),
        ({"device_key": "x" * 500}, TrustReason.UNKNOWN_DEVICE),
    ],
)
def test_a_forged_entry_asks_for_a_code_and_harms_nothing(browser, other_browser, user, totp, changes, reason):
    browser.sign_in_and_trust(totp)
    other_browser.device_cookie = forged(user, **changes)
    assert other_browser.enter_password().headers["Location"] == url("sign_in_code")
    assert last_refusal() == reason
    assert Device.objects.get().status == DeviceStatus.REMEMBERED
    browser.sign_out()
    browser.enter_password()
    assert browser.user_id


def test_a_wrong_device_secret_never_counts_as_a_guess(browser, other_browser, user, totp, settings):
    settings.AXES_ENABLED = True
    browser.sign_in_and_trust(totp)
    other_browser.device_cookie = forged(user)
    for _time in range(2 * settings.AXES_FAILURE_LIMIT):
        assert other_browser.enter_password().headers["Location"] == url("sign_in_code")
    assert not AccessAttempt.objects.exists()
    totp.refresh_from_db()
    assert totp.throttling_failure_count == 0


def test_somebody_elses_cookie_is_of_no_use(browser, other_browser, totp, other_user):
    TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
    browser.sign_in_and_trust(totp)
    other_browser.device_cookie = browser.device_cookie
    response = other_browser.enter_password("tom", "battery staple")
    assert response.headers["Location"] == url("sign_in_code")
    assert Device.objects.get().status == DeviceStatus.REMEMBERED


def test_two_users_of_a_browser_do_not_disturb_each_other(browser, totp, other_user):
    theirs = TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    browser.enter_password("tom", "battery staple")
    browser.enter_code(code_of(theirs))
    browser.trust()
    for username, password in (("maria", "correct horse"), ("tom", "battery staple")):
        browser.sign_out()
        browser.enter_password(username, password)
        assert browser.user_id


def test_a_copied_cookie_that_is_replayed_ends_trust_and_sessions_and_tells(browser, other_browser, totp, clock):
    browser.sign_in_and_trust(totp)
    copied = browser.device_cookie
    for _time in range(2):  # the successor has been seen once the second sign-in is through
        browser.sign_out()
        clock.shift(120)
        browser.enter_password()
    other_browser.device_cookie = copied
    assert other_browser.enter_password().headers["Location"] == url("sign_in_code")
    assert last_refusal() == TrustReason.SUPERSEDED_SECRET
    assert Device.objects.get().status == DeviceStatus.NOT_REMEMBERED
    assert browser.get(url("devices")).status_code == HTTPStatus.FOUND
    assert DeviceEvent.objects.filter(action="compromised").count() == 1


def test_the_very_second_of_expiry_is_too_late(browser, totp, clock):
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    clock.move_to(NOW + SIXTY_DAYS - (SIXTY_DAYS / SIXTY_DAYS.days / 86400))
    browser.enter_password()
    assert browser.user_id
    browser.sign_out()
    clock.move_to(NOW + SIXTY_DAYS)
    assert browser.enter_password().headers["Location"] == url("sign_in_code")
    assert last_refusal() == TrustReason.EXPIRED


@pytest.mark.parametrize("tracking", ["opt_in", "always"])
def test_where_no_browser_would_keep_the_cookie_trust_is_not_promised(browser, totp, settings, tracking):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"COOKIE_SECURE": None, "TRACKING": tracking}
    browser.enter_password()
    response = browser.enter_code(code_of(totp), follow=True)
    assert browser.user_id
    assert response.request["PATH_INFO"] == "/"
    assert not Device.objects.exists()


def test_the_cookie_keeps_out_of_scripts_and_of_other_sites(browser, totp, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"COOKIE_SECURE": True}
    browser.enter_password(secure=True)
    browser.enter_code(code_of(totp), secure=True)
    response = browser.trust(secure=True)
    morsel = response.cookies["__Host-trusted_device"]
    assert (morsel["httponly"], morsel["secure"], morsel["samesite"], morsel["path"]) == (True, True, "Lax", "/")
    assert len(morsel.OutputString()) < 4096
    assert "Cookie" in response.headers["Vary"]
    assert "private" in response.headers["Cache-Control"]


@pytest.mark.parametrize("signed_in", [False, True])
def test_a_page_that_does_not_ask_costs_nothing_and_changes_no_header(browser, totp, signed_in):
    browser.sign_in_and_trust(totp)
    if not signed_in:
        del browser.cookies["sessionid"]
    with CaptureQueriesContext(connection) as queries:
        response = browser.get("/")
    assert response.content == b"home"
    assert len(queries) == 0
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    assert "Vary" not in response.headers
