"""Signing out on the pages."""

import pytest

from tests.web.views.browser import told, url


def test_signing_out_takes_a_press(browser, totp):
    browser.sign_in_and_trust(totp)
    assert "Sign out?" in browser.get(url("sign_out")).content.decode()
    assert browser.user_id
    response = browser.sign_out()
    assert response.headers["Location"] == url("sign_in")
    assert not browser.user_id
    assert "signed out" in told(browser.get(url("sign_in")))


def test_signing_out_leads_to_where_the_site_says(browser, user, settings):
    settings.LOGOUT_REDIRECT_URL = "home"
    browser.enter_password()
    assert browser.sign_out().headers["Location"] == "/"
    browser.enter_password()
    assert browser.post(url("sign_out"), {"next": "/?bye"}).headers["Location"] == "/?bye"


@pytest.mark.parametrize("how", ["get", "post"])
def test_whoever_is_not_signed_in_needs_not_sign_out(browser, db, how):
    assert getattr(browser, how)(url("sign_out")).headers["Location"] == url("sign_in")
