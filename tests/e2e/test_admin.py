"""The operator's console in a real browser, under the demo's strict content security policy."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.visitor import (
    be_accessible,
    be_asked_for_a_code,
    enter_code,
    enter_password,
    sign_in_and_trust,
)

pytestmark = pytest.mark.browser
DEVICES = "/admin/trusted_devices/device/"
SCREENS = {
    "desktop, dark": {"color_scheme": "dark"},
    "320 pixels wide": {"viewport": {"width": 320, "height": 640}},
}


def enter_admin(page, operator):
    """Sign in for the admin, without trusting the browser."""
    enter_password(page, operator, DEVICES)
    enter_code(page, operator.code())
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("heading", name="Devices", level=1)).to_be_visible()
    return page


@pytest.fixture
def operator(people, demo):
    """A superuser who has never signed in."""
    person = next(people)
    demo.run(
        "from django.contrib.auth import get_user_model;"
        f"get_user_model().objects.filter(username={person.username!r}).update(is_staff=True, is_superuser=True)"
    )
    return person


@pytest.fixture
def laptop(page, person):
    """A browser that ``person`` has trusted and is signed in from."""
    sign_in_and_trust(page, person, name="Laptop")
    return page


def find(desk, person):
    """Search the list for a person's devices."""
    desk.goto(DEVICES)
    desk.get_by_role("textbox", name="Search").fill(person.username)
    desk.get_by_role("button", name="Search").click()
    expect(desk.get_by_role("link", name="Laptop (Chrome on Windows)")).to_be_visible()


@pytest.mark.parametrize("act", ["Forget", "Mark as not remembered"])
def test_staff_end_trust_and_the_person_is_signed_out_and_asked_for_mfa(new_page, laptop, person, operator, act):
    desk = enter_admin(new_page(), operator)
    find(desk, person)
    desk.get_by_label("Select this object for an action").check()
    desk.get_by_label("Action:").select_option(act)
    desk.get_by_role("button", name="Go").click()
    expect(desk.get_by_text("Live sessions that end")).to_be_visible()
    desk.get_by_label("Reason").fill("lost on the train")
    desk.get_by_role("button", name=act).click()
    expect(desk.get_by_text(re.compile("1 device (was forgotten|is no longer remembered)"))).to_be_visible()
    laptop.goto("/devices/")
    expect(laptop.get_by_role("heading", name="Sign in")).to_be_visible()
    enter_password(laptop, person)
    be_asked_for_a_code(laptop)
    desk.goto("/admin/trusted_devices/deviceevent/")
    expect(desk.get_by_text("lost on the train").first).to_be_visible()


def test_staff_shorten_trust_on_the_page_of_a_device(new_page, laptop, person, operator):
    desk = enter_admin(new_page(), operator)
    find(desk, person)
    desk.get_by_role("link", name="Laptop (Chrome on Windows)").click()
    expect(desk.get_by_role("heading", name="Latest activity")).to_be_visible()
    be_accessible(desk, "device")
    desk.get_by_role("link", name="Shorten trust").click()
    desk.get_by_role("button", name="Shorten trust").click()
    expect(desk.get_by_role("alert")).to_be_visible()
    expect(desk.get_by_label("Trust ends")).to_have_accessible_description(re.compile("This field is required"))
    be_accessible(desk, "shorten trust, empty")
    desk.get_by_label("Trust ends").fill("2101-01-01T00:00")
    desk.get_by_role("button", name="Shorten trust").click()
    expect(desk.get_by_text("at which none of this trust has ended yet")).to_be_visible()
    desk.get_by_label("Trust ends").fill(desk.evaluate("new Date(Date.now() + 864e5).toISOString().slice(0, 16)"))
    desk.get_by_role("button", name="Shorten trust").click()
    expect(desk.get_by_text("The trust in 1 device was shortened.")).to_be_visible()
    laptop.reload()
    expect(laptop.get_by_role("heading", name="Laptop")).to_be_visible()


def test_staff_forget_all_devices_of_a_user(new_page, laptop, person, operator):
    desk = enter_admin(new_page(), operator)
    desk.goto(f"/admin/auth/user/?q={person.username}")
    desk.get_by_role("link", name=person.username).click()
    expect(desk.get_by_role("region", name="Trusted devices").get_by_text("Laptop")).to_be_visible()
    desk.get_by_role("link", name="Forget all devices").click()
    desk.get_by_role("button", name="Forget").click()
    expect(desk.get_by_text("1 device was forgotten.")).to_be_visible()
    expect(desk.get_by_text("No devices.")).to_be_visible()


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS.keys())
def test_the_dashboard_draws_and_tabulates(new_page, laptop, operator, options):
    said = []
    desk = new_page(**options)
    desk.on("console", lambda message: said.append(message.text))
    desk.on("pageerror", lambda error: said.append(str(error)))
    enter_admin(desk, operator)
    desk.goto(DEVICES + "dashboard/")
    expect(desk.get_by_role("img", name="Trusted devices over time")).to_be_visible()
    drawn = desk.evaluate(
        "[...document.querySelectorAll('canvas')].map((canvas) =>"
        " canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value))"
    )
    assert drawn
    assert all(drawn)
    expect(desk.get_by_role("region", name="Trusted devices over time").get_by_role("row")).to_have_count(31)
    assert said == []
    be_accessible(desk, "dashboard")


def test_the_charts_follow_the_theme(new_page, laptop, operator):
    desk = enter_admin(new_page(color_scheme="light"), operator)
    desk.goto(DEVICES + "dashboard/")
    picture = "document.querySelector('#td-over-time').toDataURL()"
    light = desk.evaluate(picture)
    desk.emulate_media(color_scheme="dark")
    desk.wait_for_function(f"(before) => {picture} !== before", arg=light)


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS.keys())
def test_the_page_that_asks_once_more_has_no_violation(new_page, laptop, person, operator, options):
    desk = enter_admin(new_page(**options), operator)
    find(desk, person)
    desk.get_by_role("link", name="Laptop (Chrome on Windows)").click()
    for act in ("Forget", "Mark as not remembered", "Shorten trust"):
        desk.get_by_role("link", name=act).click()
        expect(desk.get_by_role("heading", name=re.compile("devices|trust", re.IGNORECASE), level=1)).to_be_visible()
        be_accessible(desk, act)
        desk.go_back()


def test_without_javascript_staff_can_do_it_all(new_page, laptop, person, operator):
    desk = enter_admin(new_page(java_script_enabled=False), operator)
    desk.goto(DEVICES + "dashboard/")
    expect(desk.get_by_role("region", name="Trusted devices over time").get_by_role("row")).to_have_count(31)
    expect(desk.locator("canvas").first).to_be_hidden()
    find(desk, person)
    desk.get_by_label("Select this object for an action").check()
    desk.get_by_label("Action:").select_option("Forget")
    desk.get_by_role("button", name="Go").click()
    desk.get_by_role("button", name="Forget").click()
    expect(desk.get_by_text("1 device was forgotten.")).to_be_visible()


def test_an_act_on_thousands_runs_in_the_background_and_is_followed(new_page, operator, person, demo):
    demo.run(
        "from django.contrib.auth import get_user_model; from trusted_devices.models import Device;"
        "from trusted_devices.services.devices import new_device_key;"
        f"user = get_user_model().objects.get(username={person.username!r});"
        "Device.objects.bulk_create("
        "[Device(user=user, device_key=new_device_key(), device_group_key='-abcd1234') for _ in range(2100)])"
    )
    desk = enter_admin(new_page(), operator)
    desk.goto(f"{DEVICES}?q={person.username}")
    desk.get_by_label("Select all objects on this page for an action").check()
    desk.get_by_role("button", name="Select all that match (more than 1,000)").click()
    desk.get_by_label("Action:").select_option("Forget")
    desk.get_by_role("button", name="Go").click()
    desk.get_by_role("button", name="Forget").click()
    expect(desk.get_by_role("progressbar")).to_be_visible()
    expect(desk.get_by_text("2100 devices were forgotten.")).to_be_visible(timeout=60_000)
    be_accessible(desk, "act in the background")
