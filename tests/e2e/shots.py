"""``python -m tests.e2e.shots``: the screenshots in ``docs/images``, taken from a demo that is started for them."""

import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.demo_site.conftest import ROOT, free_port
from tests.e2e.conftest import find_chromium
from tests.e2e.running_demo import Person, RunningDemo, running_demo
from tests.e2e.test_cognito import NEWCOMER, STRICT, choose_password
from tests.e2e.visitor import CHROME, FIREFOX, PHONE, enter_code, enter_password, sign_in_and_trust

IMAGES = ROOT / "docs" / "images"
DESK = {"width": 1100, "height": 800}
HAND = {"width": 390, "height": 844}

# Devices with a past, so that the list looks as it does after some months.
HISTORY = """
from datetime import timedelta
from django.utils import timezone
from trusted_devices.models import Device
now = timezone.now()
days = lambda count: timedelta(days=count)
for name, first, used, granted, period in (
    ("Work laptop", 214, 0, 21, 60), ("", 12, 3, 12, 30), ("Tablet in the kitchen", 101, 64, 101, 30)
):
    device = Device.objects.get(user__username="maria", name=name)
    device.created_at = now - days(first)
    device.last_authenticated_at = now - days(used)
    device.trust_granted_at, device.trust_period = now - days(granted), days(period)
    device.trust_expires_at = device.trust_granted_at + device.trust_period
    device.save()
"""
# A site with a month behind it, so that the dashboard has something to draw.
MONTH = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services.devices import new_device_key
users = list(get_user_model().objects.filter(username__in=["maria", "erik", "admin"]).order_by("pk"))
now, events = timezone.now(), []
note = lambda day, action, reason: events.append(
    DeviceEvent(user=users[0], action=action, reason=reason, created_at=now - timedelta(days=day, minutes=5))
)
for day in range(30):
    for _ in range(4 + day * 7 % 5):
        note(day, "remembered", "user_trusted")
    for _ in range(1 + day * 3 % 4):
        note(day, "expired", "expired")
    for reason in ("no_device", "expired", "unknown_device", "credentials_changed")[: 1 + day % 4]:
        note(day, "trust_refused", reason)
DeviceEvent.objects.bulk_create(events)
Device.objects.bulk_create(
    Device(
        user=users[number % 7 % 3], device_key=new_device_key(), device_group_key="-abcd1234", status="remembered",
        status_reason="user_trusted", confirmed_at=now, trust_granted_at=now - timedelta(days=number % 50),
        trust_period=timedelta(days=90), trust_expires_at=now + timedelta(days=90 - number % 50, hours=1),
        last_authenticated_at=now - timedelta(hours=number), user_agent="USER_AGENT",
    )
    for number in range(120)
)
"""
TABLET = (
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


class Camera:
    """Takes the pictures, in browsers that share nothing."""

    def __init__(self, browser, demo):
        self.browser = browser
        self.demo = demo
        self.pages = {}

    def open(self, **options):
        """Open a page in a new browser."""
        defaults = {"viewport": DESK, "user_agent": CHROME}
        return self.browser.new_context(base_url=self.demo.url, **(defaults | options)).new_page()

    def shoot(self, page, name):
        """Take one picture, of the whole page, without a caret or a hovered button."""
        page.mouse.move(0, 0)
        path = IMAGES / f"{name}.png"
        page.screenshot(path=path, full_page=True, animations="disabled", caret="hide")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")

    def shoot_dark(self, page, name):
        """Take the same picture in dark colours."""
        page.emulate_media(color_scheme="dark")
        self.shoot(page, f"{name}-dark")
        page.emulate_media(color_scheme="light")

    def shoot_small(self, page, name):
        """Take the same picture on a phone."""
        page.set_viewport_size(HAND)
        self.shoot(page, f"{name}-mobile")
        page.set_viewport_size(DESK)

    def shoot_all(self, page, name):
        """Take it on a desktop, in the dark, and on a phone."""
        self.shoot(page, name)
        self.shoot_dark(page, name)
        self.shoot_small(page, name)


def shoot_pages(camera, people):
    """Sign ``maria`` in from several devices, and take the pictures on the way."""
    maria = people["maria"]
    page = camera.open()
    page.goto("/")
    camera.shoot(page, "demo")
    page.goto("/sign-in/?next=/devices/")
    camera.shoot_all(page, "sign-in")
    enter_password(page, maria, "/sign-in/?next=/devices/")
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    camera.shoot_all(page, "code")
    enter_code(page, maria.code())
    expect(page.get_by_role("heading", name="Trust this device?")).to_be_visible()
    page.get_by_label("Name of this device").fill("Work laptop")
    page.get_by_role("heading", name="Trust this device?").click()
    camera.shoot_all(page, "prompt")
    page.get_by_role("button", name="Trust this device").click()
    for user_agent, name in ((FIREFOX, ""), (TABLET, "Tablet in the kitchen")):
        sign_in_and_trust(camera.open(user_agent=user_agent), maria, name=name)
    camera.demo.run(HISTORY)
    page.goto("/devices/")
    camera.shoot_all(page, "devices")
    page.get_by_role("link", name="Forget Tablet in the kitchen").click()
    camera.shoot(page, "forget")


def shoot_admin(camera, people):
    """Take the pictures of the staff's console, after ``erik`` has trusted a phone."""
    sign_in_and_trust(camera.open(user_agent=PHONE), people["erik"], name="Phone")
    page = camera.open(viewport={"width": 1280, "height": 800})
    enter_password(page, people["admin"], "/admin/trusted_devices/device/")
    enter_code(page, people["admin"].code())
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("heading", name="Devices", level=1)).to_be_visible()
    camera.shoot(page, "admin-devices")
    camera.shoot_dark(page, "admin-devices")
    page.get_by_role("link", name="Work laptop").click()
    expect(page.get_by_role("heading", name="Latest activity")).to_be_visible()
    camera.shoot(page, "admin-device")
    page.get_by_role("link", name="Shorten trust").click()
    expect(page.get_by_label("Trust ends")).to_be_visible()
    camera.shoot(page, "admin-shorten-trust")
    camera.demo.run(MONTH.replace("USER_AGENT", FIREFOX))
    page.goto("/admin/trusted_devices/device/dashboard/")
    expect(page.get_by_role("img", name="Trusted devices over time")).to_be_visible()
    camera.shoot(page, "admin-dashboard")
    camera.shoot_dark(page, "admin-dashboard")


def shoot_first_sign_in(camera):
    """Take the pictures of a first sign-in at a user pool that demands a second factor."""
    anna = Person("anna", b"", "given by staff 7")
    with closing(RunningDemo(camera.demo.folder, 0)) as pool:
        pool.run(STRICT.format(mfa="ON", required=["given_name"]) + NEWCOMER.format(person=anna))
    page = camera.open()
    enter_password(page, anna, "/devices/")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    camera.shoot(page, "new-password")
    choose_password(page, "my own choice 7", "Anna")
    expect(page.get_by_role("heading", name="Set up an authenticator app")).to_be_visible()
    camera.shoot(page, "set-up")


@contextmanager
def a_camera(**environ):
    """Start a demo and a browser, and end both afterwards."""
    path = find_chromium()
    if not path:
        sys.exit("Screenshots need a Chromium.")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_demo(Path(folder), environ) as demo,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield Camera(browser, demo)
        browser.close()


def main():
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with a_camera() as camera:
        people = camera.demo.seeded()
        shoot_pages(camera, people)
        shoot_admin(camera, people)
    with a_camera(BACKEND="cognito", POOL_PORT=str(free_port())) as camera:
        shoot_first_sign_in(camera)


if __name__ == "__main__":
    main()
