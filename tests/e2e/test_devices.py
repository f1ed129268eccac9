"""The devices page in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.visitor import (
    FIREFOX,
    be_accessible,
    be_asked_for_a_code,
    be_signed_in_as,
    device,
    enter_password,
    sign_in_and_trust,
    sign_out,
)

pytestmark = pytest.mark.browser


@pytest.fixture
def laptop(page, person):
    """A browser that ``person`` has trusted."""
    sign_in_and_trust(page, person, name="Laptop")
    return page


@pytest.fixture
def desktop(laptop, new_page, person):
    """Another one."""
    page = new_page(user_agent=FIREFOX)
    sign_in_and_trust(page, person, name="Desktop")
    return page


def test_this_device_is_first_and_marked_in_words(laptop, desktop):
    laptop.reload()
    headings = laptop.get_by_role("heading", level=3)
    expect(headings).to_have_text(["Laptop", "Desktop"])
    expect(device(laptop, "Laptop").get_by_text("This device")).to_be_visible()
    expect(device(laptop.get_by_role("region", name="Chrome on Windows"), "Laptop")).to_be_visible()
    expect(device(laptop, "Desktop").get_by_text("This device")).to_have_count(0)
    expect(device(laptop.get_by_role("region", name="Firefox on Linux"), "Desktop")).to_be_visible()
    expect(device(laptop, "Desktop").get_by_text("just now")).to_be_visible()


def test_renaming_with_a_slip(laptop):
    laptop.get_by_role("link", name="Rename Laptop").click()
    laptop.get_by_label("Name").fill("")
    laptop.get_by_role("button", name="Save the name").click()
    field = laptop.get_by_label("Name")
    expect(field).to_have_accessible_description(
        "Such as “Work laptop”. Only you and the staff of this site see it. Give the device a name."
    )
    expect(field).to_be_focused()
    field.fill("Kitchen laptop")
    laptop.get_by_role("button", name="Save the name").click()
    expect(laptop.get_by_role("status")).to_contain_text("The device is called “Kitchen laptop” now.")
    expect(device(laptop, "Kitchen laptop")).to_be_visible()


def test_stopping_trust_asks_for_a_code_at_the_next_sign_in_there(laptop, desktop, person):
    laptop.reload()
    laptop.get_by_role("link", name="Stop trusting Desktop").click()
    expect(laptop.get_by_text("You will be asked for a code at the next sign-in from it.")).to_be_visible()
    laptop.get_by_role("button", name="Stop trusting Desktop").click()
    expect(device(laptop, "Desktop").get_by_text("Not trusted")).to_be_visible()
    desktop.reload()
    be_signed_in_as(desktop, person)
    sign_out(desktop)
    enter_password(desktop, person)
    be_asked_for_a_code(desktop)


def test_cancelling_changes_nothing(laptop):
    laptop.get_by_role("link", name="Forget Laptop").click()
    laptop.get_by_role("main").get_by_role("link", name="Cancel").click()
    expect(device(laptop, "Laptop").get_by_text("Trusted", exact=True)).to_be_visible()


def test_forgetting_another_device_signs_it_out(laptop, desktop):
    laptop.reload()
    laptop.get_by_role("link", name="Forget Desktop").click()
    laptop.get_by_role("button", name="Forget Desktop").click()
    expect(laptop.get_by_role("status")).to_contain_text("Desktop is forgotten and signed out.")
    expect(laptop.get_by_role("heading", level=3)).to_have_text(["Laptop"])
    desktop.reload()
    expect(desktop.get_by_role("heading", name="Sign in")).to_be_visible()


def test_forgetting_this_device_signs_out_here(laptop, person):
    laptop.get_by_role("link", name="Forget Laptop").click()
    expect(laptop.get_by_text("you are signed out here at once")).to_be_visible()
    laptop.get_by_role("button", name="Forget Laptop").click()
    expect(laptop.get_by_role("heading", name="Sign in")).to_be_visible()
    enter_password(laptop, person)
    be_asked_for_a_code(laptop)


def test_forgetting_all_others_keeps_this_one(laptop, desktop, person):
    desktop.get_by_role("link", name="Forget all other devices").click()
    expect(desktop.get_by_role("heading", name="Forget 1 other device?")).to_be_visible()
    desktop.get_by_role("button", name="Forget 1 device").click()
    expect(desktop.get_by_role("heading", level=3)).to_have_text(["Desktop"])
    laptop.reload()
    expect(laptop.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_rename_is_undone(laptop):
    laptop.get_by_role("link", name="Rename Laptop").click()
    laptop.get_by_label("Name").fill("Slate")
    laptop.get_by_role("button", name="Save the name").click()
    expect(laptop.get_by_role("status")).to_contain_text("The device is called “Slate” now.")
    be_accessible(laptop, "renamed")
    laptop.get_by_role("button", name="Undo").click()
    expect(laptop.get_by_role("status")).to_contain_text("The device is called “Laptop” again.")
    expect(laptop.get_by_role("heading", level=3)).to_have_text(["Laptop"])
    expect(laptop.get_by_role("button", name="Undo")).to_have_count(0)


def test_many_devices_are_filtered_and_paged(laptop, person, demo):
    demo.run(
        "from django.contrib.auth import get_user_model; from trusted_devices.services import registration;"
        "from trusted_devices.types import By, ClientInfo;"
        f"user = get_user_model().objects.get(username={person.username!r});"
        f"by = By(client=ClientInfo(user_agent={FIREFOX!r}));"
        "[registration.confirm(user=user, by=by, name=f'Kiosk {n}') for n in range(14)]"
    )
    laptop.reload()
    be_accessible(laptop, "many devices")
    laptop.get_by_role("link", name="Next page").click()
    expect(laptop.get_by_text("Page 2 of 2")).to_be_visible()
    expect(laptop.get_by_role("heading", name="Kiosk 0")).to_be_visible()
    laptop.get_by_role("searchbox", name="Search").fill("kiosk 12")
    laptop.get_by_role("button", name="Filter").click()
    expect(laptop.get_by_role("heading", level=3)).to_have_text(["Kiosk 12"])
    laptop.get_by_role("searchbox", name="Search").fill("")
    laptop.get_by_label("Show").select_option("Trusted")
    laptop.get_by_role("button", name="Filter").click()
    expect(laptop.get_by_role("heading", level=3)).to_have_text(["Laptop"])


def test_a_strange_sign_in_is_forgotten_from_the_activity(laptop, desktop, person):
    laptop.reload()
    laptop.get_by_role("region", name="Recent activity").get_by_role("link", name="Not you? Forget it Desktop").click()
    laptop.get_by_role("button", name="Forget Desktop").click()
    desktop.reload()
    expect(desktop.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_hints_that_a_browser_sends_by_itself_name_its_system(new_page, person):
    page = new_page(user_agent="Something")
    page.set_extra_http_headers({"Sec-CH-UA": '"Chromium";v="140", "Brave";v="140", "Not:A-Brand";v="8"'})
    sign_in_and_trust(page, person)
    expect(page.get_by_role("heading", level=2, name=re.compile("^Brave on "))).to_be_visible()
