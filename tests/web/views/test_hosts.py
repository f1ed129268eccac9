"""The pages inside other people's projects: LoginRequiredMiddleware, a strict CSP, the app's own frame, languages."""

import re
from http import HTTPStatus

from django_otp.plugins.otp_email.models import EmailDevice

from tests.web.views.browser import code_of, url
from trusted_devices.models import Device

STYLESHEET = "/static/trusted_devices/trusted_devices.css"


def every_page(browser, totp):
    """Go through all pages, with what can be wrong on them; yield name and response of each."""
    yield "sign in", browser.get(url("sign_in"))
    yield "wrong password", browser.enter_password(password="wrong")
    browser.enter_password()
    yield "code", browser.get(url("sign_in_code"))
    yield "empty code", browser.enter_code("")
    browser.enter_code(code_of(totp))
    yield "trust", browser.get(url("sign_in_trust"))
    yield "wrong period", browser.post(url("sign_in_trust"), {"trust": "1", "period": "1", "name": "\u202e"})
    browser.trust(name="Work laptop")
    yield "devices", browser.get(url("devices"))
    key = Device.objects.get().device_key
    for name in ("rename_device", "stop_trusting", "forget_device"):
        yield name, browser.get(url(name, key))
    yield "wrong name", browser.post(url("rename_device", key), {"name": ""})
    yield "no such device", browser.get(url("forget_device", "unknown"))
    yield "verify", browser.get(url("verify"))
    yield "sign out", browser.get(url("sign_out"))


def test_behind_login_required_middleware_everybody_can_sign_in_and_out(browser, totp, settings):
    place = settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:place],
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        *settings.MIDDLEWARE[place:],
    ]
    assert browser.get("/").headers["Location"] == url("sign_in") + "?next=/"
    assert browser.get(url("sign_in")).status_code == HTTPStatus.OK
    browser.sign_in_and_trust(totp)
    assert browser.get("/").content == b"home"
    browser.sign_out()
    assert browser.post(url("sign_out")).headers["Location"] == url("sign_in")
    assert browser.post(url("sign_in_cancel")).headers["Location"] == url("sign_in")
    assert browser.get(url("devices")).headers["Location"] == url("sign_in") + f"?next={url('devices')}"


def test_no_page_needs_more_than_the_strictest_policy_allows(browser, totp, settings):
    settings.MIDDLEWARE = ["csp.middleware.CSPMiddleware", *settings.MIDDLEWARE]
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": {"default-src": ["'none'"], "style-src": ["'self'"], "form-action": ["'self'"]}
    }
    EmailDevice.objects.create(user=totp.user, name="mail", confirmed=True)
    for name, response in every_page(browser, totp):
        assert "default-src 'none'" in response.headers["Content-Security-Policy"], name
        html = response.content.decode()
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|<img|<iframe|@import", html), name
        assert re.findall(r'<link[^>]*href="([^"]+)"', html) == [STYLESHEET], name


def test_each_page_has_one_heading_a_language_and_a_title(browser, totp):
    for name, response in every_page(browser, totp):
        html = response.content.decode()
        assert html.count("<h1") == 1, name
        assert '<html lang="en' in html, name
        assert re.search(r"<title>\S", html), name


def test_the_pages_speak_with_the_dates_of_the_users_language(browser, totp, settings):
    settings.LANGUAGE_CODE = "de"
    browser.enter_password()
    browser.enter_code(code_of(totp))
    html = browser.get(url("sign_in_trust")).content.decode()
    assert ">30. April 2026</time>" in html
    assert 'value="5184000"' in html
