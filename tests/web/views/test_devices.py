"""The devices page, and what can be done from it."""

import html
import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conftest import CHROME
from tests.geoip import write_database
from tests.web.views.browser import Browser, told, url
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, registration
from trusted_devices.types import By, ClientInfo, DeviceStatus, StatusReason
from trusted_devices.web import session_note
from trusted_devices.web.views.devices import PAGE_SIZE

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
ACTIONS = ["rename_device", "stop_trusting", "forget_device"]


@pytest.fixture
def here(browser, totp):
    """A browser that ``user`` has trusted and is signed in with."""
    browser.sign_in_and_trust(totp)
    browser.get(url("devices"))  # shows, and so ends, the messages
    return browser


@pytest.fixture
def device(here):
    """The device of that browser."""
    return Device.objects.get(user_agent=CHROME)


@pytest.fixture
def there(here, other_browser, totp, clock):
    """Another browser that ``user`` trusted a minute later and is signed in with."""
    clock.shift(60)
    other_browser.sign_in_and_trust(totp, name="Living room")
    other_browser.get(url("devices"))
    return other_browser


@pytest.fixture
def other_device(there):
    """The device of that other browser."""
    return Device.objects.get(name="Living room")


@pytest.fixture
def theirs(other_user, here):
    """Somebody else's device."""
    return registration.confirm(user=other_user, by=By(client=ClientInfo(user_agent=FIREFOX)))[0]


def many(user, count):
    """Give ``user`` devices."""
    for number in range(count):
        registration.confirm(user=user, name=f"number {number}", by=By(client=ClientInfo(user_agent=FIREFOX)))


def is_signed_in(browser):
    """Tell whether the site still knows who this is."""
    return browser.get(url("devices")).status_code == HTTPStatus.OK


# ---- the list --------------------------------------------------------------------------------------------------------


def test_the_list_marks_this_device_in_words_and_puts_it_first(here, there):
    html = here.get(url("devices")).content.decode()
    assert html.count("This device") == 1
    assert html.index("This device") < html.index("Living room")
    other = there.get(url("devices")).content.decode()
    assert other.index("Living room") < other.index("This device") < other.index("Chrome on Windows")


def test_the_list_shows_what_people_look_for(here, there, clock):
    clock.shift(timedelta(hours=3))
    html = here.get(url("devices")).content.decode()
    assert "Chrome on Windows" in html
    assert "Firefox on Linux" in html
    assert ">April 30, 2026</time>" in html
    assert ">3\xa0hours ago</time>" in html
    assert 'title="March 1, 2026, noon UTC"' in html
    assert ">March 1, 2026</time>" in html
    assert html.count(">Trusted</span>") == 2


def test_trust_that_ends_soon_shows_the_time(here, there, device, clock):
    Device.objects.filter(pk=device.pk).update(trust_expires_at=timezone.now() + timedelta(hours=2))
    assert ">2:01 p.m. UTC</time>" in here.get(url("devices")).content.decode()


def test_trusted_until_is_what_a_shortened_maximum_leaves(here, user, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"GROUP_MAX_PERIODS": {"finance": timedelta(days=7)}}
    user.groups.add(Group.objects.create(name="finance"))
    html = here.get(url("devices")).content.decode()
    assert ">March 8, 2026</time>" in html
    assert "April 30" not in html


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trust_expires_at": "past"}, ["Trust has ended"]),
        (
            {"status": DeviceStatus.NOT_REMEMBERED, "status_reason": StatusReason.EXPIRED},
            ["Trust has ended"],
        ),
        (
            {"status": DeviceStatus.NOT_REMEMBERED, "status_reason": StatusReason.STAFF_STOPPED},
            ["Not trusted", "Trust stopped by staff"],
        ),
        (
            {"status": DeviceStatus.NOT_REMEMBERED, "status_reason": StatusReason.COMPROMISED},
            [
                "Not trusted: its key was copied",
                "A restored backup, a synced or copied browser profile can do that too",
            ],
        ),
        ({"credential_stamp": "of another password"}, ["Not trusted", "Password or second factor changed"]),
    ],
)
def test_a_device_that_is_not_trusted_says_so_and_why(here, device, changes, words):
    if "trust_expires_at" in changes:
        changes = {"trust_expires_at": timezone.now()}
    Device.objects.filter(pk=device.pk).update(**changes)
    html = here.get(url("devices")).content.decode()
    for text in words:
        assert text in html
    assert "Trusted until" not in html
    assert ">Trusted</span>" not in html
    assert ("Stop trusting" in html) == ("Password or second factor changed" in words)


def test_where_trust_is_switched_off_no_device_is_called_trusted(here, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"TRACKING": "off"}
    html = here.get(url("devices")).content.decode()
    assert ">Trusted</span>" not in html
    assert "asks for a code every time" in html


def test_devices_of_one_browser_on_one_system_stand_together(here, there, user):
    registration.confirm(user=user, name="Phone", by=By(client=ClientInfo(user_agent=PHONE)))
    registration.confirm(user=user, name="Old laptop", by=By(client=ClientInfo(user_agent=CHROME)))
    html = here.get(url("devices")).content.decode()
    found = re.findall(r'<h2 id="td-group.*?</span> (.*?)</h2>|<h3.*?>(.*?)</h3>', html, re.DOTALL)
    assert [group or name for group, name in found] == [
        *("Chrome on Windows", "Chrome on Windows", "Old laptop"),
        *("Chrome Mobile on Android", "Phone"),
        *("Firefox on Linux", "Living room"),
    ]
    icon = 'rect x="7" y="2.5" width="10"'
    assert html.count(icon) == 1
    assert html.index(icon) < html.index("Chrome Mobile on Android")


def test_a_device_that_is_not_in_hand_is_asked_about(here, there):
    html = here.get(url("devices")).content.decode()
    current, other = html.split('<li class="td-device')[1:]
    assert "Not you?" not in current
    assert "Not you?" in other.partition("</li>")[0]


# ---- places ----------------------------------------------------------------------------------------------------------


def test_places_are_named_where_the_site_can_tell_them(here, settings, tmp_path):
    Device.objects.update(last_ip="203.0.113.0")
    DeviceEvent.objects.update(ip_address="198.51.100.0")
    assert "Boxford" not in here.get(url("devices")).content.decode()
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"GEOIP": True}
    assert "Boxford" not in here.get(url("devices")).content.decode()
    settings.GEOIP_PATH = write_database(tmp_path)
    html = here.get(url("devices")).content.decode()
    assert "<dt>Place</dt><dd>Boxford, United Kingdom</dd>" in html
    assert "Chrome on Windows · Chile" in html
    assert "203.0.113" not in html


# ---- many devices ----------------------------------------------------------------------------------------------------


def names(response):
    """Return the names of the devices that the page shows."""
    return re.findall(r"<h3.*?>(.*?)</h3>", response.content.decode())


def test_few_devices_need_no_filter_and_no_pages(here, user):
    many(user, PAGE_SIZE - 1)
    html = here.get(url("devices")).content.decode()
    assert "td-filter" not in html
    assert "td-pages" not in html


def test_many_devices_come_in_pages_that_show_each_once(here, user):
    many(user, PAGE_SIZE + 4)
    first, second = here.get(url("devices")), here.get(url("devices"), {"page": 2})
    shown = names(first) + names(second)
    assert len(names(first)) == PAGE_SIZE
    assert sorted(shown) == sorted(["Chrome on Windows", *(f"number {number}" for number in range(PAGE_SIZE + 4))])
    assert 'rel="next" href="?page=2"' in first.content.decode()
    assert 'rel="prev" href="?page=1"' in second.content.decode()
    assert "Page 2 of 2" in second.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "NUMBER 7"}, ["number 7"]),
        ({"q": "windows"}, ["Chrome on Windows"]),
        ({"q": "linux number 1"}, ["number 13", "number 12", "number 11", "number 10", "number 1"]),
        ({"q": "unheard of"}, []),
        ({"show": "trusted"}, ["Chrome on Windows"]),
        ({"show": "not_trusted", "q": "number 9"}, ["number 9"]),
        ({"show": "trusted", "q": "number 9"}, []),
    ],
)
def test_the_filter_finds_by_words_and_by_trust(here, user, query, found):
    many(user, 14)
    response = here.get(url("devices"), query)
    assert names(response) == found
    html = response.content.decode()
    assert 'name="q"' in html
    assert ("None of your devices is like that." in html) == (not found)
    assert "Forget all other devices" in html


def test_a_page_of_what_was_filtered_stays_filtered(here, user):
    many(user, PAGE_SIZE + 4)
    html = here.get(url("devices"), {"q": "number"}).content.decode()
    assert 'href="?q=number&amp;page=2"' in html
    assert names(here.get(url("devices"), {"q": "number", "page": 2})) == [
        "number 3",
        "number 2",
        "number 1",
        "number 0",
    ]


@pytest.mark.parametrize(
    "query",
    [{"page": "x"}, {"page": "-1"}, {"page": "9" * 400}, {"show": "all of them"}, {"q": "\0"}, {"q": "x" * 5000}],
)
def test_a_query_that_cannot_be_understood_shows_what_can(here, user, query):
    many(user, PAGE_SIZE)
    response = here.get(url("devices"), query)
    assert response.status_code == HTTPStatus.OK
    assert names(response)


# ---- recent activity -------------------------------------------------------------------------------------------------


def activity_of(browser):
    """Return the page's list of what happened, without markup."""
    html = browser.get(url("devices")).content.decode().partition("Recent activity")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("</ol>")[0]).split())


def test_what_happened_lately_is_told_newest_first(here, there, device, clock):
    clock.shift(timedelta(hours=2))
    here.post(url("rename_device", device.device_key), {"name": "Work laptop"})
    text = activity_of(here)
    assert text.startswith("Renamed Work laptop · Chrome on Windows · just now")
    assert "Signed in · With a second factor Living room · Firefox on Linux · 2 hours ago" in text
    assert 'title="March 1, 2026, 12:01 p.m. UTC"' in here.get(url("devices")).content.decode()


def test_a_strange_sign_in_can_be_forgotten_from_there(here, there, device, other_device):
    html = here.get(url("devices")).content.decode().partition("Recent activity")[2]
    assert f'<a href="{url("forget_device", other_device.device_key)}">Not you? Forget it' in html
    assert url("forget_device", device.device_key) not in html


def test_what_staff_did_is_told_without_who_from_where_and_why(here, device, other_user):
    client = ClientInfo(user_agent=PHONE, ip_address="203.0.113.9")
    reason = StatusReason.STAFF_STOPPED
    devices.stop_trusting([device], reason=reason, by=By(actor=other_user, note="ticket 17", client=client))
    text = activity_of(here)
    assert text.startswith("Trust stopped by staff Chrome on Windows · ")
    for secret in ("tom", "ticket", "Android", "203"):
        assert secret not in text


def test_nothing_is_told_of_anybody_else(here, theirs):
    DeviceEvent.objects.exclude(user=theirs.user).delete()
    assert DeviceEvent.objects.exists()
    assert "Recent activity" not in here.get(url("devices")).content.decode()


def test_each_button_names_its_device(here, there):
    html = here.get(url("devices")).content.decode()
    for name in ("Chrome on Windows", "Living room"):
        for action in ("Rename", "Stop trusting", "Forget"):
            assert f'{action}<span class="td-hidden"> {name}</span>' in html


def test_a_name_cannot_smuggle_markup_in(here, device):
    here.post(url("rename_device", device.device_key), {"name": "<b>x</b>"})
    html = here.get(url("devices")).content.decode()
    assert "<b>x" not in html
    assert "&lt;b&gt;x" in html


def test_the_page_costs_the_same_however_many_devices_there_are(here, user):
    counts = []
    for more in (0, 15):
        many(user, more)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert here.get(url("devices")).status_code == HTTPStatus.OK
        counts.append(len(queries))
    # Session, user, django-otp's factor, the device in hand, list, activity; and factors of four kinds.
    assert counts[0] == counts[1] <= 10


def test_somebody_without_devices_is_told_how_to_get_one(browser, user, settings):
    browser.enter_password()
    html = browser.get(url("devices")).content.decode()
    assert "No devices yet" in html
    assert "asked whether to trust" in html
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"MFA_SETUP_URL": "/security/"}
    assert 'href="/security/"' in browser.get(url("devices")).content.decode()


def test_only_ones_own_devices_are_listed(here, theirs):
    html = here.get(url("devices")).content.decode()
    assert theirs.device_key not in html
    assert "Forget all other" not in html


def test_a_session_from_a_device_whose_cookie_is_lost_still_knows_its_device(here, device):
    here.device_cookie = "x"
    assert "This device" in here.get(url("devices")).content.decode()
    assert "signed out here at once" in here.get(url("forget_device", device.device_key)).content.decode()


# ---- rename ----------------------------------------------------------------------------------------------------------


def test_renaming(here, device):
    page = here.get(url("rename_device", device.device_key))
    assert page.status_code == HTTPStatus.OK
    response = here.post(url("rename_device", device.device_key), {"name": "  Work   laptop "})
    assert response.headers["Location"] == url("devices")
    device.refresh_from_db()
    assert device.name == "Work laptop"
    html = here.get(url("devices")).content.decode()
    assert "The device is called “Work laptop” now." in html
    assert "Chrome on Windows" in html
    assert DeviceEvent.objects.filter(action="renamed").get().actor_id == device.user_id


def test_a_name_that_cannot_be_is_refused_with_the_text_kept(here, device):
    complaints = {
        "": "Give the device a name.",
        "   ": "Give the device a name.",
        "x" * 65: "at most 64 characters",
        "x" * 5000: "at most 64 characters",
        "a\x07b": "cannot be shown",
        "a\u202eb": "cannot be shown",
        "\u200b\ufeff": "Nothing of this name can be seen",
        "a\x00b": "Null characters",
    }
    for name, complaint in complaints.items():
        response = here.post(url("rename_device", device.device_key), {"name": name})
        assert response.status_code == HTTPStatus.BAD_REQUEST, name
        html = response.content.decode()
        assert complaint in html
        assert not name.strip() or f'value="{name}"' in html
        device.refresh_from_db()
        assert device.name == ""


def undo_form(browser):
    """Return the fields of the form that takes a rename back; empty if the page has none."""
    html = browser.get(url("devices")).content.decode()
    return dict(re.findall(r'<input type="hidden" name="(seen|previous)"(?: value="(.*?)")?', html))


@pytest.mark.parametrize("previous", ["", "Old & grey", "A name of an app's " + "x" * 100])
def test_a_rename_can_be_undone_once_whatever_the_name_was(here, device, previous):
    Device.objects.update(name=previous)
    here.post(url("rename_device", device.device_key), {"name": "Work laptop"})
    fields = undo_form(here)
    assert undo_form(here) == {}
    fields = {name: html.unescape(value) for name, value in fields.items()}
    response = here.post(url("undo_rename", device.device_key), fields, follow=True)
    device.refresh_from_db()
    assert device.name == previous
    assert f"is called “{previous or 'Chrome on Windows'}” again." in told(response)
    assert DeviceEvent.objects.filter(action="renamed", actor=device.user).count() == 2


def test_undoing_a_rename_overwrites_nothing_that_came_later(here, there, device):
    here.post(url("rename_device", device.device_key), {"name": "Work laptop"})
    fields = undo_form(here)
    there.post(url("rename_device", device.device_key), {"name": "Hers now"})
    response = here.post(url("undo_rename", device.device_key), fields, follow=True)
    assert "changed meanwhile" in told(response)
    device.refresh_from_db()
    assert device.name == "Hers now"


def test_nothing_is_offered_to_undo_once_the_device_has_changed_or_gone(here, there, other_device):
    here.post(url("rename_device", other_device.device_key), {"name": "Attic"})
    there.post(url("rename_device", other_device.device_key), {"name": "Cellar"})
    assert undo_form(here) == {}
    here.post(url("rename_device", other_device.device_key), {"name": "Attic"})
    there.post(url("forget_device", other_device.device_key))
    assert undo_form(here) == {}


@pytest.mark.parametrize("fields", [{}, {"seen": "x"}, {"seen": "x" * 99}, {"seen": "\0", "previous": "a\u202eb"}])
def test_an_undo_that_nobody_was_offered_changes_nothing(here, device, fields):
    assert here.post(url("undo_rename", device.device_key), fields).headers["Location"] == url("devices")
    assert here.get(url("undo_rename", device.device_key)).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    device.refresh_from_db()
    assert device.name == ""


# ---- stop trusting ---------------------------------------------------------------------------------------------------


def test_stopping_trust_asks_for_a_code_the_next_time_and_signs_nobody_out(here, there, other_device):
    page = here.get(url("stop_trusting", other_device.device_key)).content.decode()
    assert "asked for a code at the next sign-in" in page
    response = here.post(url("stop_trusting", other_device.device_key), follow=True)
    assert "Living room is not trusted any more" in told(response)
    other_device.refresh_from_db()
    assert other_device.status == DeviceStatus.NOT_REMEMBERED
    assert other_device.status_reason == StatusReason.USER_STOPPED
    assert is_signed_in(there)
    there.sign_out()
    assert there.enter_password().headers["Location"] == url("sign_in_code")


def test_stopping_twice_is_no_error(here, device):
    for _time in range(2):
        response = here.post(url("stop_trusting", device.device_key))
        assert response.headers["Location"] == url("devices")
    assert DeviceEvent.objects.filter(action="not_remembered").count() == 1
    assert "Stop trusting" not in here.get(url("devices")).content.decode()


# ---- forget ----------------------------------------------------------------------------------------------------------


def test_forgetting_another_device_signs_it_out_at_once(here, there, other_device):
    assert "signed out at once" in here.get(url("forget_device", other_device.device_key)).content.decode()
    response = here.post(url("forget_device", other_device.device_key), follow=True)
    assert "Living room is forgotten and signed out." in told(response)
    assert Device.objects.count() == 1
    assert is_signed_in(here)
    assert not is_signed_in(there)
    assert there.enter_password().headers["Location"] == url("sign_in_code")


def test_forgetting_this_device_signs_out_here_and_takes_its_key(here, there, device):
    assert "signed out here at once" in here.get(url("forget_device", device.device_key)).content.decode()
    response = here.post(url("forget_device", device.device_key))
    assert response.headers["Location"] == url("sign_in")
    assert not here.user_id
    assert not here.device_cookie
    assert "Chrome on Windows is forgotten" in told(here.get(url("sign_in")))
    assert is_signed_in(there)
    assert not Device.objects.filter(pk=device.pk).exists()


def test_forgetting_this_sessions_device_is_no_error_without_its_cookie(here, device):
    here.device_cookie = "x"
    assert here.post(url("forget_device", device.device_key)).headers["Location"] == url("sign_in")
    assert not here.user_id


def test_forgetting_all_others_keeps_this_one(here, there, device, user):
    many(user, 2)
    page = here.get(url("forget_other_devices")).content.decode()
    assert "Forget 3 other devices?" in page
    assert "Living room" in page
    response = here.post(url("forget_other_devices"), follow=True)
    assert "3 devices are forgotten and signed out." in told(response)
    assert Device.objects.get() == device
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_where_there_is_no_other_device_there_is_nothing_to_forget(here, device):
    response = here.get(url("forget_other_devices"), follow=True)
    assert "no other device" in told(response)
    assert "forget-others" not in response.content.decode()


def test_from_a_browser_without_a_device_all_can_be_forgotten(here, other_browser, user):
    other_browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    many(user, 2)
    assert "Forget all devices" in other_browser.get(url("devices")).content.decode()
    other_browser.post(url("forget_other_devices"))
    assert not Device.objects.exists()
    assert is_signed_in(other_browser)
    assert not is_signed_in(here)


# ---- what is not there, and whose it is ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("how", ["get", "post"])
def test_an_unknown_device_and_somebody_elses_get_the_same_404(here, theirs, action, how):
    pages = []
    for key in ("local_00000000-0000-4000-8000-000000000000", theirs.device_key):
        response = getattr(here, how)(url(action, key), {"name": "mine"})
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert "No such device" in response.content.decode()
        pages.append(response.content)
    assert pages[0] == pages[1]
    theirs.refresh_from_db()
    assert theirs.name == ""


@pytest.mark.parametrize("action", ACTIONS)
def test_a_device_that_was_forgotten_in_another_tab_is_a_404(here, other_device, action):
    here.post(url("forget_device", other_device.device_key))
    assert here.post(url(action, other_device.device_key), {"name": "x"}).status_code == HTTPStatus.NOT_FOUND
    assert is_signed_in(here)


@pytest.mark.parametrize("key", ["x" * 5000, "%00", "..", "a b", "%F0%9F%92%A5", "-1"])
def test_what_cannot_be_a_device_key_is_a_404(here, key):
    assert here.get(f"/devices/{key}/forget/").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("action", ACTIONS)
def test_looking_changes_nothing(here, device, action):
    before = Device.objects.values().get(), DeviceEvent.objects.count()
    here.get(url(action, device.device_key), {"name": "x"})
    here.head(url(action, device.device_key))
    assert (Device.objects.values().get(), DeviceEvent.objects.count()) == before


@pytest.mark.parametrize("name", ["devices", "forget_other_devices", "verify"])
@pytest.mark.parametrize("how", ["get", "post"])
def test_whoever_is_not_signed_in_signs_in_first(browser, db, name, how):
    response = getattr(browser, how)(url(name))
    assert response.headers["Location"] == url("sign_in") + f"?next={url(name)}"


def test_posts_from_another_site_are_refused(user, device):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for target in (*(url(action, device.device_key) for action in ACTIONS), url("forget_other_devices")):
        assert browser.post(target, {"name": "x"}).status_code == HTTPStatus.FORBIDDEN
    assert Device.objects.values().get()["name"] == ""


def test_a_backend_that_cannot_be_reached_changes_nothing_and_says_so(here, device, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"BACKEND": "tests.services.owner.AWAY"}
    for action in ("stop_trusting", "forget_device"):
        response = here.post(url(action, device.device_key), follow=True)
        assert "Nothing was changed" in told(response)
    device.refresh_from_db()
    assert device.is_remembered
    assert is_signed_in(here)


def test_no_page_about_devices_may_be_stored(here, there, device):
    targets = [url("devices"), url("forget_other_devices"), *(url(action, device.device_key) for action in ACTIONS)]
    for target in [*targets, url("forget_device", "unknown")]:
        assert "no-store" in here.get(target).headers["Cache-Control"]


def test_after_the_sweep_the_list_says_that_trust_has_ended(here, user, clock):
    clock.shift(timedelta(days=61))
    call_command("expire_devices", verbosity=0)
    here.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert "Trust has ended" in here.get(url("devices")).content.decode()


def test_a_site_without_the_middleware_shows_the_list_all_the_same(here, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "trusted_devices" not in name]
    assert session_note.SESSION_KEY in here.session
    assert "Chrome on Windows" in here.get(url("devices")).content.decode()
