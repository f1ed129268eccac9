"""What a person does in a browser: types, presses, looks."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)
# Everything that axe knows, with the target sizes of WCAG 2.2 (2.5.8), which it leaves out unless asked.
AXE_OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


def enter_password(page, person, path="/sign-in/"):
    """Open ``path``, which leads to the sign-in page, and give the password there."""
    page.goto(path)
    page.get_by_label("Username").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def enter_code(page, code):
    """Give a code."""
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Continue").click()


def trust(page, period="60 days", name=""):
    """Choose a period and trust the device."""
    expect(page.get_by_role("heading", name="Trust this device?")).to_be_visible()
    page.get_by_role("radio", name=re.compile(f"^{period}")).check()
    page.get_by_label("Name of this device").fill(name)
    page.get_by_role("button", name="Trust this device").click()


def sign_in_and_trust(page, person, *, period="60 days", name=""):
    """Sign in with password and code, trust the device, and end up on the devices page."""
    enter_password(page, person, "/devices/")
    enter_code(page, person.code())
    trust(page, period, name)
    expect(page.get_by_role("heading", name="Your devices")).to_be_visible()


def sign_out(page):
    """Press the header's "Sign out"."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_contain_text("You are signed out.")


def be_signed_in_as(page, person):
    """Look whether the header says so."""
    expect(page.get_by_text(f"Signed in as {person.username}")).to_be_visible()


def be_asked_for_a_code(page):
    """Look whether the code page is there."""
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()


def device(where, name):
    """Return the entry of the device called ``name`` in the list, or in a part of it."""
    page = where if isinstance(where, Page) else where.page
    return where.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def be_accessible(page, what):
    """Look at the page with axe-core's eyes, and whether anything reaches beyond its edge."""
    results = Axe().run(page, options=AXE_OPTIONS)
    assert results.violations_count == 0, f"{what}: {results.generate_report()}"
    size = page.viewport_size
    assert size is not None
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], f"{what} scrolls sideways"


def go_everywhere(page, person, look):
    """Go through all pages of the app, with what can go wrong on them, and ``look`` at each."""
    page.goto("/sign-in/?next=/devices/")
    look(page, "sign-in")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    look(page, "sign-in, empty")
    enter_password(page, person, "/sign-in/?next=/devices/")
    look(page, "code")
    page.get_by_role("button", name="Continue").click()
    look(page, "code, empty")
    page.get_by_role("button", name="Recovery code").click()
    look(page, "recovery code")
    page.get_by_role("button", name="Code by e-mail").click()
    look(page, "code by e-mail")
    page.get_by_role("button", name="Code from your authenticator app").click()
    enter_code(page, person.code())
    look(page, "trust")
    page.get_by_label("Name of this device").fill("\u202ex")
    page.get_by_role("button", name="Trust this device").click()
    look(page, "trust, wrong name")
    trust(page, "30 days", "Work laptop")
    look(page, "devices")
    for action in ("Rename", "Stop trusting", "Forget"):
        page.goto("/devices/")
        page.get_by_role("link", name=f"{action} Work laptop").click()
        look(page, action)
    page.goto("/devices/")
    page.get_by_role("link", name="Rename Work laptop").click()
    page.get_by_label("Name").fill("")
    page.get_by_role("button", name="Save the name").click()
    look(page, "rename, empty")
    page.goto("/devices/unknown/forget/")
    look(page, "no such device")
    page.goto("/verify/")
    look(page, "verify")
    page.goto("/sign-out/")
    look(page, "sign out")
