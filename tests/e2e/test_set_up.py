"""Somebody without a second factor: signs in without an offer, is told how to set one up, and does."""

from base64 import b32decode

import pytest
from playwright.sync_api import expect

from tests.e2e.running_demo import Person
from tests.e2e.visitor import (
    be_accessible,
    be_asked_for_a_code,
    be_signed_in_as,
    enter_code,
    enter_password,
    sign_out,
    trust,
)

pytestmark = pytest.mark.browser


def test_a_second_factor_is_set_up_with_a_qr_code_and_then_trust_is_offered(page):
    tom = Person("tom", b"", "tom-demo")
    enter_password(page, tom, "/devices/")
    be_signed_in_as(page, tom)
    expect(page.get_by_role("heading", name="No devices yet")).to_be_visible()
    page.get_by_role("status").get_by_role("link", name="Set up a second factor").click()
    be_accessible(page, "security")
    page.get_by_role("link", name="Set up an authenticator app").click()
    expect(page.get_by_role("img", name="QR code with the key below")).to_be_visible()
    be_accessible(page, "set up")
    tom.key = b32decode("".join(page.locator(".td-key").inner_text().split()))
    page.get_by_label("Code from the app").fill(tom.code())
    page.get_by_label("Your password").fill(tom.password)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    be_accessible(page, "recovery codes")
    recovery_code = page.locator(".td-codes li").first.inner_text()

    sign_out(page)
    enter_password(page, tom, "/devices/")
    be_asked_for_a_code(page)
    enter_code(page, tom.code())
    trust(page, name="First device")
    expect(page.get_by_role("heading", name="First device")).to_be_visible()

    page.context.clear_cookies()
    enter_password(page, tom, "/devices/")
    page.get_by_role("button", name="Recovery code").click()
    enter_code(page, recovery_code)
    be_signed_in_as(page, tom)
