"""Everybody can use the pages: axe-core on each of them, small and dark screens, the keyboard alone, no JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.e2e.running_demo import Person
from tests.e2e.visitor import (
    PHONE,
    be_accessible,
    be_asked_for_a_code,
    be_signed_in_as,
    device,
    enter_password,
    go_everywhere,
    sign_in_and_trust,
    sign_out,
)

pytestmark = pytest.mark.browser
SCREENS = {
    "desktop, dark": {"color_scheme": "dark"},
    "320 pixels wide": {"viewport": {"width": 320, "height": 640}, "user_agent": PHONE, "has_touch": True},
}
MANY_TABS = 40


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS.keys())
def test_no_page_has_a_violation(new_page, person, options):
    go_everywhere(new_page(**options), person, be_accessible)


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS.keys())
def test_devices_in_all_their_states_have_none(new_page, person, demo, options):
    page = new_page(**options)
    sign_in_and_trust(page, person, name="A name that is as long as a name can be, and then a little")
    demo.run(
        "from django.contrib.auth import get_user_model; from trusted_devices.services import registration;"
        "from trusted_devices.models import Device; from trusted_devices.types import By, StatusReason;"
        f"user = get_user_model().objects.get(username={person.username!r});"
        "made = [registration.confirm(user=user, by=By(), name='x' * 60)[0] for reason in StatusReason];"
        "[Device.objects.filter(pk=d.pk).update(status_reason=r) for d, r in zip(made, StatusReason)]"
    )
    page.goto("/devices/")
    expect(page.get_by_text("Not trusted: its key was copied")).to_be_visible()
    be_accessible(page, "devices")
    page.get_by_role("link", name="Forget all other devices").click()
    be_accessible(page, "forget others")


def test_the_page_that_closes_the_door_has_none(page, person, demo):
    try:
        for _time in range(10):
            enter_password(page, Person(person.username, b"", "wrong"))
        enter_password(page, person)
        expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
        be_accessible(page, "too many attempts")
    finally:
        demo.run("from django.core.management import call_command; call_command('axes_reset')")


def press_tab_until(page, name):
    """Press Tab until what is called ``name`` has the focus, looking that the focus can be seen all the way."""
    for _press in range(MANY_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e.closest('.td-choice') ?? e);"
            " const box = e.getBoundingClientRect();"
            " return {name: e.innerText.replace(/\\s+/g, ' ').trim(), outline: s.outlineStyle,"
            " on_page: e !== document.body, seen: box.top >= 0 && box.bottom <= innerHeight} }"
        )
        if not focused["on_page"]:
            continue  # the browser's own buttons
        assert focused["outline"] != "none", f"the focus cannot be seen on {focused['name']}"
        assert focused["seen"], f"{focused['name']} has the focus outside the window"
        if focused["name"] == name:
            return
    raise AssertionError(f"{name} cannot be reached with the Tab key")


def test_the_keyboard_alone_signs_in_trusts_and_forgets(page, person):
    page.goto("/sign-in/?next=/devices/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(person.username)
    page.keyboard.press("Tab")
    page.keyboard.type(person.password)
    page.keyboard.press("Enter")
    be_asked_for_a_code(page)
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    page.keyboard.type(person.code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Trust this device?")).to_be_visible()
    press_tab_until(page, "Trust this device")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your devices")).to_be_visible()
    press_tab_until(page, "Forget Chrome on Windows")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Forget Chrome on Windows?")).to_be_visible()
    press_tab_until(page, "Forget Chrome on Windows")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_without_javascript_everything_works(new_page, person):
    page = new_page(java_script_enabled=False)
    sign_in_and_trust(page, person, name="Laptop")
    page.get_by_role("link", name="Rename Laptop").click()
    page.get_by_label("Name").fill("Old laptop")
    page.get_by_role("button", name="Save the name").click()
    page.get_by_role("link", name="Stop trusting Old laptop").click()
    page.get_by_role("button", name="Stop trusting Old laptop").click()
    expect(device(page, "Old laptop").get_by_text("Not trusted")).to_be_visible()
    sign_out(page)
    enter_password(page, person)
    be_asked_for_a_code(page)


def test_no_page_says_a_word_in_the_console_or_loads_from_elsewhere(page, person, demo):
    said = []
    asked = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    sign_in_and_trust(page, person)
    page.goto("/devices/unknown/forget/")
    be_signed_in_as(page, person)
    assert [text for text in said if "404" not in text] == []
    assert [url for url in asked if not url.startswith(demo.url)] == []
