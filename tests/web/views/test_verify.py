"""Proving a second factor again."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.core import mail
from django.http import HttpResponse
from django.urls import include, path
from django_otp.plugins.otp_email.models import EmailDevice

from tests.web.views.browser import Browser, code_of, told, url
from trusted_devices.decorators import fresh_mfa_required
from trusted_devices.models import DeviceEvent, DeviceSession


@fresh_mfa_required(timedelta(minutes=5))
def payout(request):
    """Wants a code that is no older than five minutes."""
    return HttpResponse("paid")


urlpatterns = [path("payout/", payout), path("", include("tests.urls"))]


@pytest.fixture
def remembered(browser, totp, clock):
    """A browser that has signed in by trust, ten minutes after it was given."""
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    clock.shift(600)
    browser.enter_password()
    return browser


@pytest.mark.urls(__name__)
def test_a_remembered_sign_in_is_asked_for_a_code_and_then_led_back(remembered, totp):
    response = remembered.get("/payout/")
    assert response.headers["Location"] == url("verify") + "?next=%2Fpayout%2F"
    page = remembered.get(response.headers["Location"]).content.decode()
    assert 'autocomplete="one-time-code"' in page
    before = remembered.session.session_key
    response = remembered.post(url("verify"), {"code": code_of(totp), "next": "/payout/"})
    assert response.headers["Location"] == "/payout/"
    assert remembered.session.session_key != before
    assert remembered.get("/payout/").content == b"paid"


def test_the_renewed_session_still_belongs_to_its_device(remembered, totp):
    remembered.post(url("verify"), {"code": code_of(totp)})
    key = str(DeviceSession.objects.get().device.device_key)
    remembered.post(url("forget_device", key))
    assert not remembered.user_id


@pytest.mark.parametrize("code", ["", "000000", "x" * 5000, "\x00", "💥"])
def test_a_wrong_code_proves_nothing(remembered, code):
    response = remembered.post(url("verify"), {"code": code, "next": "/x/"})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert 'name="next" value="/x/"' in response.content.decode()


def test_a_code_that_has_been_used_waits_for_the_next_and_slows_nobody_down(remembered, totp, clock):
    code = code_of(totp)
    for _again in range(2):
        response = remembered.post(url("verify"), {"code": code, "next": "/x/"})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "This code has been used. Wait for the next one." in response.content.decode()
    assert not DeviceEvent.objects.filter(action="sign_in_failed").exists()
    clock.shift(30)
    assert remembered.post(url("verify"), {"code": code_of(totp), "next": "/x/"}).headers["Location"] == "/x/"


def test_a_wrong_code_is_logged_and_slows_down_the_next(remembered, totp):
    remembered.post(url("verify"), {"code": "000000"})
    assert DeviceEvent.objects.filter(action="sign_in_failed").count() == 1
    response = remembered.post(url("verify"), {"code": code_of(totp)})
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert response.headers["Retry-After"] == "1"


def test_nobody_is_led_to_another_site(remembered, totp):
    response = remembered.post(url("verify"), {"code": code_of(totp), "next": "https://example.org/"})
    assert response.headers["Location"] == "/"


def test_without_a_second_factor_the_answer_is_403_and_where_to_set_one_up(browser, user, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"MFA_SETUP_URL": "/security/"}
    browser.enter_password()
    for response in (browser.get(url("verify")), browser.post(url("verify"), {"code": "123456"})):
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert 'href="/security/"' in response.content.decode()


def test_another_factor_may_be_chosen_and_a_mail_is_sent_by_a_press_only(remembered, user, settings):
    settings.OTP_EMAIL_COOLDOWN_DURATION = 20
    factor = EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    already = len(mail.outbox)
    assert "Code by e-mail" in remembered.get(url("verify")).content.decode()
    assert len(mail.outbox) == already
    response = remembered.post(url("verify"), {"method": factor.persistent_id, "next": "/x/"})
    assert response.headers["Location"] == url("verify") + "?next=%2Fx%2F"
    assert len(mail.outbox) == already + 1
    page = remembered.post(url("verify"), {"method": factor.persistent_id}, follow=True)
    assert "another in 20 seconds" in told(page)
    factor.refresh_from_db()
    assert remembered.post(url("verify"), {"code": factor.token}).headers["Location"] == "/"


def test_an_email_code_as_the_only_factor_waits_for_a_press(browser, user):
    EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.get(url("verify")).content.decode()
    assert "Send the code" in page
    assert 'name="code"' not in page
    assert not mail.outbox


@pytest.mark.parametrize("method", ["", "nonsense", "x" * 5000])
def test_a_factor_that_is_not_the_users_is_refused(remembered, method):
    assert remembered.post(url("verify"), {"method": method}).status_code == HTTPStatus.BAD_REQUEST


def test_a_backend_that_cannot_be_reached_is_a_503(remembered, totp, user, settings):
    factor = EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"BACKEND": "tests.web.views.backends.NO_CODES"}
    for data in ({"code": code_of(totp)}, {"method": factor.persistent_id}):
        response = remembered.post(url("verify"), data)
        assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "not possible right now" in response.content.decode()


def test_a_factor_that_goes_while_its_code_is_on_the_way_is_asked_for_no_more(remembered, totp, user, settings):
    mail_factor = EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"BACKEND": "tests.web.views.backends.LOSES_FACTORS"}
    for data in ({"method": mail_factor.persistent_id}, {"code": code_of(totp)}):
        response = remembered.post(url("verify"), data | {"next": "/x/"})
        assert response.headers["Location"] == url("verify") + "?next=%2Fx%2F"
    assert remembered.get(url("verify")).status_code == HTTPStatus.FORBIDDEN


def test_where_codes_are_asked_only_at_sign_in_the_page_says_so(remembered, totp, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"BACKEND": "tests.web.views.backends.ONLY_AT_SIGN_IN"}
    answers = [
        remembered.get(url("verify"), {"next": "/x/"}),
        remembered.post(url("verify"), {"code": code_of(totp), "next": "/x/"}),
    ]
    for response in answers:
        page = response.content.decode()
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert f'action="{url("sign_out")}"' in page
        assert f'href="{url("devices")}"' in page
        assert 'name="next" value="/x/"' in page


def test_the_choice_of_a_factor_is_for_once(remembered, totp, user):
    factor = EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    page = remembered.post(url("verify"), {"method": factor.persistent_id}, follow=True).content.decode()
    assert f'value="{totp.persistent_id}"' in page
    factor.refresh_from_db()
    remembered.post(url("verify"), {"code": factor.token})
    assert f'value="{totp.persistent_id}"' not in remembered.get(url("verify")).content.decode()


def test_only_whoever_is_signed_in_is_asked(browser):
    for response in (browser.get(url("verify")), browser.post(url("verify"), {"code": "1"})):
        assert response.headers["Location"].startswith(url("sign_in") + "?next=")


@pytest.mark.parametrize("by_middleware", [True, False])
def test_a_post_from_another_site_is_refused(user, totp, settings, by_middleware):
    if not by_middleware:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]
    visitor = Browser(enforce_csrf_checks=True)
    visitor.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    response = visitor.post(url("verify"), {"code": "1"})
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "CSRF" in response.content.decode()


def test_no_page_that_asks_may_be_stored(remembered):
    for response in (remembered.get(url("verify")), remembered.post(url("verify"), {"code": "1"})):
        assert "no-store" in response.headers["Cache-Control"]
