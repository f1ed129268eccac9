"""A form that comes from a page left open while somebody signed in anew, or from no page of this site at all."""

from http import HTTPStatus

import pytest

from tests.web.views.browser import Browser, url
from trusted_devices.models import Device

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def _page_of_ours(settings):
    settings.CSRF_FAILURE_VIEW = "trusted_devices.web.views.csrf_failure"


@pytest.fixture
def strict(db, clock):
    """A browser of a site that asks for tokens, as sites do."""
    return Browser(enforce_csrf_checks=True)


def press(browser, page, token, **headers):
    """Press the button of ``page`` with the token that it was shown with."""
    opened = f"http://testserver{page}"
    return browser.post(page, {"csrfmiddlewaretoken": token}, headers={**HTML, "referer": opened, **headers})


@pytest.mark.parametrize("name", ["sign_out", "forget_device", "verify"])
def test_a_page_left_open_while_somebody_signs_in_anew_says_what_to_do(strict, user, totp, name):
    device = Device.objects.create(user=user, device_key="local_a")
    page = url(name, device.device_key) if name == "forget_device" else url(name)
    strict.force_login(user)
    stale = strict.get(page).context["csrf_token"]
    strict.get(url("sign_in"))
    strict.logout()
    token = strict.get(url("sign_in")).context["csrf_token"]
    totp.delete()
    strict.post(url("sign_in"), {"username": "maria", "password": "correct horse", "csrfmiddlewaretoken": token})

    refused = press(strict, page, stale)
    html = refused.content.decode()
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert "no-store" in refused.headers["Cache-Control"]
    assert "Nothing was done" in html
    assert "signed in or out in this browser since it was opened" in html
    assert "You are signed in as <strong>maria</strong>." in html
    assert f'href="http://testserver{page}"' in html
    assert strict.user_id
    assert Device.objects.exists()
    if name != "verify":
        press(strict, page, strict.get(page).context["csrf_token"])
        assert not strict.user_id or not Device.objects.exists()


def test_a_form_without_the_cookie_or_from_elsewhere_says_so(strict):
    without_cookie = press(strict, url("sign_in"), "x" * 64)
    assert "did not send the cookie" in without_cookie.content.decode()
    token = strict.get(url("sign_in")).context["csrf_token"]
    for origin in ("https://example.org", "null"):
        html = press(strict, url("sign_in"), token, origin=origin, referer="https://example.org/x").content.decode()
        assert "did not say that the form came from a page of this site" in html, origin
        assert "You are not signed in." in html, origin
        assert "example.org" not in html, origin
        assert 'href="/"' in html, origin


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", "nonsense"])
def test_a_program_is_answered_in_one_line(strict, accept):
    refused = press(strict, url("sign_in"), "x" * 64, accept=accept)
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert refused.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert refused.content.decode().startswith("Nothing was done. ")
    assert refused.content.count(b"\n") == 1


def test_developers_read_the_reason_and_nobody_else(strict, settings):
    for debug in (True, False):
        settings.DEBUG = debug
        assert (b"CSRF cookie not set." in press(strict, url("sign_in"), "x" * 64).content) is debug
