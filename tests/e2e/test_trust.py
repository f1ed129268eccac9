"""The whole life of a trusted device, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.visitor import (
    FIREFOX,
    be_accessible,
    be_asked_for_a_code,
    be_signed_in_as,
    device,
    enter_code,
    enter_password,
    sign_in_and_trust,
    sign_out,
    trust,
)

pytestmark = pytest.mark.browser


def test_a_trusted_browser_needs_no_code_and_another_one_does(page, new_page, person):
    enter_password(page, person, "/devices/")
    be_asked_for_a_code(page)
    enter_code(page, person.code())
    for words in ("30 days", "60 days", "90 days"):
        expect(page.get_by_role("radio", name=re.compile(rf"^{words} until \w+\.? \d+, \d{{4}}$"))).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("^60 days"))).to_be_checked()
    trust(page)
    be_signed_in_as(page, person)
    sign_out(page)
    enter_password(page, person)
    be_signed_in_as(page, person)

    elsewhere = new_page(user_agent=FIREFOX)
    enter_password(elsewhere, person)
    be_asked_for_a_code(elsewhere)


def test_not_now_signs_in_and_asks_again_the_next_time(page, person):
    enter_password(page, person, "/devices/")
    enter_code(page, person.code())
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("heading", name="No devices yet")).to_be_visible()
    sign_out(page)
    enter_password(page, person)
    be_asked_for_a_code(page)


def test_who_does_not_want_to_be_asked_again_in_this_browser_is_not(page, person):
    enter_password(page, person, "/devices/")
    enter_code(page, person.code())
    page.get_by_role("button", name=re.compile("ask again in this browser")).click()
    expect(page.get_by_role("status")).to_contain_text("You will not be asked about this browser again.")
    expect(page.get_by_text("You chose not to be asked whether to trust this browser.")).to_be_visible()
    be_accessible(page, "devices, declined")
    sign_out(page)
    enter_password(page, person, "/devices/")
    enter_code(page, person.code())
    page.get_by_role("button", name="Ask me again").click()
    expect(page.get_by_text("You chose not to be asked")).to_have_count(0)
    expect(page.get_by_text("you will be asked whether to trust the device")).to_be_visible()


def test_the_two_answers_weigh_the_same(page, person):
    enter_password(page, person)
    enter_code(page, person.code())
    looks = []
    for name in ("Trust this device", "Not now"):
        button = page.get_by_role("button", name=name)
        box = button.bounding_box()
        assert box is not None
        style = button.evaluate(
            "b => { const s = getComputedStyle(b); return [s.color, s.backgroundColor, s.border, s.font] }"
        )
        looks.append((round(box["width"]), round(box["height"]), style))
    assert looks[0] == looks[1]


def test_enter_in_a_field_does_not_trust(page, person):
    enter_password(page, person)
    enter_code(page, person.code())
    page.get_by_label("Name of this device").fill("Laptop")
    page.get_by_role("radio", name=re.compile("^90 days")).check()
    for field in (page.get_by_label("Name of this device"), page.get_by_role("radio", name=re.compile("^90 days"))):
        field.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("Press “Trust this device” or “Not now”.")
        expect(page.get_by_label("Name of this device")).to_have_value("Laptop")
        expect(page.get_by_role("radio", name=re.compile("^90 days"))).to_be_checked()
    assert not [cookie for cookie in page.context.cookies() if "trusted_device" in cookie["name"]]


def test_the_back_button_after_the_sign_in_leads_on(page, person):
    sign_in_and_trust(page, person)
    for _time in range(3):
        page.go_back()
    be_signed_in_as(page, person)
    expect(page.get_by_label("Code", exact=True)).to_have_count(0)
    expect(page.get_by_label("Password")).to_have_count(0)


def test_a_second_tab_that_answers_later_leads_on(page, person):
    enter_password(page, person, "/devices/")
    enter_code(page, person.code())
    second = page.context.new_page()
    second.goto("/sign-in/trust/")
    trust(page)
    be_signed_in_as(page, person)
    trust(second, name="Twice")
    be_signed_in_as(second, person)
    second.goto("/devices/")
    expect(second.get_by_role("heading", level=3)).to_have_count(1)
    expect(second.get_by_role("heading", name="Twice")).to_have_count(0)


def test_cancelling_leaves_nothing_behind(page, person):
    enter_password(page, person, "/devices/")
    page.get_by_role("button", name="Not you? Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("Sign-in cancelled.")
    page.goto("/sign-in/trust/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_code_from_the_mail_works_too(page, person):
    enter_password(page, person, "/devices/")
    page.get_by_role("button", name="Code by e-mail").click()
    expect(page.get_by_text("We have sent it to your e-mail address.")).to_be_visible()
    mails = page.context.new_page()
    mails.goto("/mail/")
    mail = mails.get_by_role("listitem").filter(has_text=f"{person.username}@example.com").first
    # The text alone: the address has digits, too.
    code = re.search(r"\b\d{6}\b", mail.locator("pre").inner_text())
    assert code
    enter_code(page, code[0])
    expect(page.get_by_role("heading", name="Trust this device?")).to_be_visible()


def test_a_recovery_code_signs_in_without_an_offer(page, person):
    enter_password(page, person, "/devices/")
    page.get_by_role("button", name="Recovery code").click()
    enter_code(page, "ABCD-2345")
    expect(page.get_by_role("heading", name="No devices yet")).to_be_visible()


def test_beat_ends_trust_on_its_date_and_the_device_can_be_trusted_again(page, person, demo):
    sign_in_and_trust(page, person, name="Work laptop")
    expect(device(page, "Work laptop").get_by_text("Trusted", exact=True)).to_be_visible()
    demo.move_dates(person, days=60)
    page.reload()
    expect(device(page, "Work laptop").get_by_text("Trust has ended")).to_be_visible()
    sign_out(page)
    enter_password(page, person, "/devices/")
    be_asked_for_a_code(page)

    status = f"Device.objects.get(user__username={person.username!r}).status"
    demo.expect_soon(f"from trusted_devices.models import Device; print({status})", "not_remembered")
    enter_code(page, person.code())
    expect(page.get_by_label("Name of this device")).to_have_value("Work laptop")
    trust(page, name="Work laptop")
    expect(page.get_by_role("heading", level=3)).to_have_count(1)
    expect(device(page, "Work laptop").get_by_text("Trusted", exact=True)).to_be_visible()


def test_two_minutes_are_spelled_with_their_time(page, person):
    enter_password(page, person)
    enter_code(page, person.code())
    expect(
        page.get_by_role("radio", name=re.compile(r"^2 minutes until .*[ap]\.m\. UTC$|^2 minutes.*(noon|midnight)"))
    ).to_be_visible()
