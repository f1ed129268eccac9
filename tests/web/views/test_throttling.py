"""Protection against guessing, in front of the password and in front of the code."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.web.views.browser import code_of, url
from trusted_devices.web import throttling

LIMIT = 3
COOL_OFF = timedelta(minutes=15)


@pytest.fixture
def guarded(settings):
    """A site with django-axes: three wrong ones for a user close the door for 15 minutes."""
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = LIMIT
    settings.AXES_COOLOFF_TIME = COOL_OFF
    settings.AXES_LOCKOUT_PARAMETERS = ["username"]
    return settings


@pytest.fixture
def guarded_by_address(guarded):
    """A site on which the door closes for the address, whoever the passwords were for."""
    guarded.AXES_LOCKOUT_PARAMETERS = ["ip_address"]
    return guarded


def guess_passwords(browser, count=LIMIT, username="maria"):
    """Type wrong passwords."""
    for _time in range(count):
        assert browser.enter_password(username, "wrong").status_code == HTTPStatus.BAD_REQUEST


def test_after_too_many_wrong_passwords_the_right_one_is_not_looked_at(guarded, browser, user):
    guess_passwords(browser)
    response = browser.enter_password()
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not browser.user_id
    assert response.headers["Retry-After"] == "900"
    assert "Try again in 15 minutes." in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]


def test_the_page_says_the_same_of_a_user_who_does_not_exist(guarded, browser, user):
    pages = []
    for username in ("maria", "nobody"):
        guess_passwords(browser, username=username)
        pages.append(browser.enter_password(username))
    assert pages[0].status_code == pages[1].status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert pages[0].content == pages[1].content


def test_the_door_opens_when_it_said_it_would(guarded, browser, user, clock):
    guess_passwords(browser)
    clock.shift(timedelta(minutes=10))
    response = browser.enter_password()
    assert response.headers["Retry-After"] == "300"
    clock.shift(timedelta(seconds=301))
    browser.enter_password()
    assert browser.user_id == str(user.pk)


def test_trying_while_it_is_closed_keeps_it_closed_no_longer(guarded, browser, user, clock):
    guess_passwords(browser)
    for _minute in range(16):
        clock.shift(60)
        response = browser.enter_password()
    assert response.status_code == HTTPStatus.FOUND


def test_somebody_else_is_not_shut_out(guarded, browser, user, other_user):
    guess_passwords(browser)
    browser.enter_password("tom", "battery staple")
    assert browser.user_id == str(other_user.pk)


def test_by_address_everybody_there_is_shut_out(guarded_by_address, browser, user, other_user):
    guess_passwords(browser, 2)
    guess_passwords(browser, 1, username="tom")
    assert browser.enter_password("tom", "battery staple").status_code == HTTPStatus.TOO_MANY_REQUESTS
    elsewhere = browser.enter_password("tom", "battery staple", REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == HTTPStatus.FOUND


def test_wrong_codes_count_like_wrong_passwords(guarded, browser, totp, clock):
    guess_passwords(browser, 1)
    browser.enter_password()
    for _time in range(2):
        assert browser.enter_code("000000").status_code == HTTPStatus.BAD_REQUEST
        clock.shift(10)
    response = browser.enter_code(code_of(totp))
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert response.headers["Retry-After"] == "890"
    assert browser.enter_password().status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not browser.user_id


def test_wrong_codes_of_a_signed_in_user_count_as_well(guarded, browser, totp, clock):
    browser.sign_in_and_trust(totp)
    for _time in range(LIMIT):
        clock.shift(60)
        assert browser.post(url("verify"), {"code": "000000"}).status_code == HTTPStatus.BAD_REQUEST
    clock.shift(60)
    response = browser.post(url("verify"), {"code": code_of(totp)})
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "Too many attempts" in response.content.decode()


def test_a_door_that_stays_closed_names_no_time(guarded, browser, user):
    guarded.AXES_COOLOFF_TIME = None
    guess_passwords(browser)
    response = browser.enter_password()
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "Retry-After" not in response.headers
    assert "Ask the staff" in response.content.decode()


def test_with_another_store_of_attempts_the_whole_time_is_named(guarded, browser, user, clock):
    guarded.AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
    guess_passwords(browser)
    clock.shift(60)
    assert browser.enter_password().headers["Retry-After"] == "900"


def test_signing_in_takes_few_guesses_back_where_the_site_says_so(guarded, browser, user):
    guarded.AXES_RESET_ON_SUCCESS = True
    guess_passwords(browser, LIMIT - 1)
    browser.enter_password()
    assert not AccessAttempt.objects.exists()


def test_a_request_on_behalf_of_somebody_is_another_one():
    request = RequestFactory().post("/", HTTP_X_FORWARDED_FOR="192.0.2.1", HTTP_USER_AGENT="server")
    assert request.headers["User-Agent"] == "server"
    seen = throttling.on_behalf_of(request, address="198.51.100.7", user_agent="Phone/1.0")
    assert seen.headers["X-Forwarded-For"] == seen.META["REMOTE_ADDR"] == "198.51.100.7"
    assert seen.headers["User-Agent"] == "Phone/1.0"
    assert (request.META["REMOTE_ADDR"], request.META["HTTP_X_FORWARDED_FOR"]) == ("127.0.0.1", "192.0.2.1")
    assert request.META["HTTP_USER_AGENT"] == "server"


def test_without_django_axes_asking_costs_nothing(db, settings):
    request = RequestFactory().post("/")
    for change in ({"AXES_ENABLED": False}, {"INSTALLED_APPS": [a for a in settings.INSTALLED_APPS if a != "axes"]}):
        for name, value in change.items():
            setattr(settings, name, value)
        with CaptureQueriesContext(connection) as queries:
            throttling.ensure_allowed(request, "maria")
        assert len(queries) == 0
