"""A database that goes away during a request: a code is asked for, or people are told to try again."""

import psycopg
import pytest
from django.db import connection

from tests.broken_database import away, interrupted
from tests.web.views.browser import Browser, code_of, url
from trusted_devices.models import Device, DeviceEvent

READS_DEVICE = r"^SELECT .* FROM .trusted_devices_device. "


@pytest.fixture
def browser(user, totp):
    """A browser that is trusted and signed out."""
    browser = Browser(raise_request_exception=False)
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    return browser


STEPS = {
    "the user is looked for": (r"^SELECT .* FROM .auth_user. ", Browser.enter_password),
    "the factors are read": (r"^SELECT .* FROM .otp_", Browser.enter_password),
    "trust is checked and the session is stored": (r"trusted_devices_device|django_session", Browser.enter_password),
    "everything": (r"", Browser.enter_password),
    "the devices page": (READS_DEVICE, lambda browser: browser.get(url("devices"))),
}


@pytest.mark.django_db
@pytest.mark.parametrize("step", STEPS)
def test_a_page_says_to_try_again_and_nobody_is_half_signed_in(browser, step, caplog):
    pattern, act = STEPS[step]
    if "page" in step:
        browser.enter_password()
    with away(pattern):
        response = act(browser)
    assert response.status_code == 503
    assert "try again in a minute" in response.content.decode()
    assert response.headers["Retry-After"] == "60"
    assert "secret-of-a-row" not in caplog.text
    if "page" not in step:
        assert not browser.user_id
    browser.enter_password()
    assert browser.user_id


@pytest.mark.django_db
def test_a_grant_that_fails_keeps_nobody_from_signing_in(browser, user, totp):
    fresh = Browser()
    totp.__class__.objects.update(last_t=-1)
    fresh.enter_password()
    fresh.enter_code(code_of(totp))
    with away(r"^INSERT INTO .trusted_devices_device. "):
        fresh.trust()
    assert fresh.user_id
    assert Device.objects.count() == 1


@pytest.mark.django_db
def test_the_api_says_so_as_a_problem(browser):
    browser.enter_password()
    with away(READS_DEVICE):
        response = browser.get("/api/devices/")
    assert (response.status_code, response.json()["code"]) == (503, "backend_unavailable")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_dies_as_trust_is_checked_leads_to_the_code(browser):
    def terminate():
        address = connection.get_connection_params()
        with psycopg.connect(**{name: address[name] for name in ("host", "user", "dbname")}) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

    with interrupted(READS_DEVICE, terminate):
        response = browser.enter_password()
    assert (response.status_code, response.url) == (302, url("sign_in_code"))
    assert DeviceEvent.objects.filter(action="trust_refused", reason="backend_unavailable").count() == 1
