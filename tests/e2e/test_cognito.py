"""The demo on a user pool, in a real browser: the site is one process and its pool another."""

import re
import uuid
from base64 import b32decode
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.demo_site.conftest import free_port
from tests.e2e.conftest import PATIENCE
from tests.e2e.running_demo import Person, RunningDemo, running_demo
from tests.e2e.visitor import (
    CHROME,
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

STATUSES = (
    "from trusted_devices.models import Device;"
    "print(*Device.objects.filter(user__username={name!r}).values_list('status', flat=True))"
)

STRICT = (
    "from trusted_devices.cognito_idp.models import UserPool;"
    "UserPool.objects.update(mfa={mfa!r}, required_attributes={required!r});"
)
NEWCOMER = (
    "from django.contrib.auth import get_user_model; from trusted_devices.cognito_idp import accounts;"
    "user = get_user_model().objects.create_user({person.username!r}, 'n@example.com', {person.password!r});"
    "member = accounts.get_pool_user(UserPool.objects.get(), user); member.must_change_password = True; member.save();"
    "accounts.keep_verifier(member, {person.password!r})"
)
SCREENS = {
    "desktop, dark": {"color_scheme": "dark"},
    "320 pixels wide": {"viewport": {"width": 320, "height": 640}},
    "without JavaScript": {"java_script_enabled": False},
}


@pytest.fixture(scope="module")
def site(chromium_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cognito-demo")
    with running_demo(folder, {"BACKEND": "cognito", "POOL_PORT": str(free_port())}) as demo:
        yield demo


@pytest.fixture(scope="module")
def pool(site):
    """The site's pool, an ordinary demo in the folder above."""
    with closing(RunningDemo(site.folder, 0)) as pool:
        yield pool


@pytest.fixture(scope="module")
def everybody(pool):
    return pool.seeded()


@pytest.fixture
def page(chromium, site):
    context = chromium.new_context(base_url=site.url, user_agent=CHROME)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def newcomer(pool):
    """Somebody whose password was set by staff, while the pool demands a first name and a second factor."""
    person = Person(f"new-{uuid.uuid4().hex[:8]}", b"", "given by staff 7")
    pool.run(STRICT.format(mfa="ON", required=["given_name"]) + NEWCOMER.format(person=person))
    yield person
    pool.run(STRICT.format(mfa="OPTIONAL", required=[]))


def becomes(demo, name, statuses):
    """Wait until the devices are as expected."""
    demo.expect_soon(STATUSES.format(name=name), statuses)


def test_a_device_is_trusted_in_the_pool_and_forgotten_there(page, pool, everybody):
    maria = everybody["maria"]
    page.goto("/")
    expect(page.get_by_text("These people live in a user pool")).to_be_visible()
    sign_in_and_trust(page, maria, name="Work laptop")
    expect(device(page, "Work laptop").get_by_text("Trusted", exact=True)).to_be_visible()
    becomes(pool, "maria", "remembered")
    sign_out(page)
    enter_password(page, maria)
    be_signed_in_as(page, maria)
    page.goto("/devices/")
    page.get_by_role("link", name="Forget Work laptop").click()
    page.get_by_role("main").get_by_role("button", name="Forget").click()
    becomes(pool, "maria", "")
    page.goto("/sign-in/")
    enter_password(page, maria)
    be_asked_for_a_code(page)


def test_on_its_date_trust_ends_and_the_sweep_tells_the_pool(page, site, pool, everybody):
    erik = everybody["erik"]
    enter_password(page, erik, "/devices/")
    enter_code(page, erik.code())
    trust(page, "30 days")
    expect(page.get_by_role("heading", name="Your devices")).to_be_visible()
    becomes(pool, "erik", "remembered")
    site.move_dates(erik, 31)
    becomes(pool, "erik", "not_remembered")
    becomes(site, "erik", "not_remembered")
    sign_out(page)
    enter_password(page, erik)
    be_asked_for_a_code(page)


def test_staff_of_the_pool_forget_somebody_s_device_in_the_admin(page, pool, everybody):
    admin = everybody["admin"]
    enter_password(page, admin, "/admin/trusted_devices/device/")
    enter_code(page, admin.code())
    trust(page, "30 days", "The console")
    becomes(pool, "admin", "remembered")
    page.goto("/admin/trusted_devices/device/")
    page.get_by_role("row").filter(has_text="The console").get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Forget")
    page.get_by_role("button", name="Go").click()
    page.get_by_label("Reason").fill("lost on the train")
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text(re.compile("1 device was forgotten"))).to_be_visible()
    becomes(pool, "admin", "")


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS.keys())
def test_a_first_sign_in_asks_for_a_new_password_and_sets_an_authenticator_up(chromium, site, newcomer, options):
    look = be_accessible if options.get("java_script_enabled", True) else lambda page, what: None
    context = chromium.new_context(base_url=site.url, user_agent=CHROME, **options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    enter_password(page, newcomer, "/devices/")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    look(page, "new password")
    choose_password(page, "password")
    expect(page.get_by_text("This password cannot be used.")).to_be_visible()
    look(page, "new password, refused")
    newcomer.password = "my own choice 7"
    choose_password(page, newcomer.password)
    expect(page.get_by_role("heading", name="Set up an authenticator app")).to_be_visible()
    look(page, "set up")
    enter_code(page, "")
    expect(page.get_by_text("Type the code.")).to_be_visible()
    look(page, "set up, empty")
    newcomer.key = b32decode("".join(page.locator(".td-key").inner_text().split()))
    enter_code(page, newcomer.code())
    trust(page, name="First device")
    expect(page.get_by_role("heading", name="First device")).to_be_visible()
    sign_out(page)
    enter_password(page, newcomer)
    be_signed_in_as(page, newcomer)
    context.close()


def choose_password(page, password, first_name="Tom"):
    """Choose a password, and say what the pool wants to know as well."""
    page.get_by_label("New password", exact=True).fill(password)
    page.get_by_label("New password again").fill(password)
    page.get_by_label("First name").fill(first_name)
    page.get_by_role("button", name="Continue").click()
