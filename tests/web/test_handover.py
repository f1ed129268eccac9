"""Whoever copies a browser's cookie and knows the password is noticed, and the browser itself is left alone."""

from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from tests.broken_database import broken
from tests.web.views.browser import Browser, code_of
from trusted_devices.conf import SIGNED_COOKIES
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.types import EventAction, StatusReason
from trusted_devices.web import handover

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UPDATES_DEVICE = r"^UPDATE .trusted_devices_device. "

urlpatterns = [
    path("quiet/", lambda request: HttpResponse("quiet")),
    path("session/", lambda request: HttpResponse(str(len(request.session.keys())))),
    path("", include("tests.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture
def clock(time_machine, now):
    """Let time pass."""

    class Clock:
        at = now

        def passes(self, time):
            self.at += time
            time_machine.move_to(self.at, tick=False)

    time_machine.move_to(now, tick=False)
    return Clock()


@pytest.fixture
def owner(totp, clock):
    """A browser that was trusted a day ago and is signed out."""
    browser = Browser()
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    clock.passes(DAY)
    return browser


def copy_of(browser):
    """Another browser with a copy of the device-key cookie."""
    copy = Browser()
    copy.device_cookie = browser.device_cookie
    return copy


def signs_in(browser):
    """Whether the password is enough."""
    if browser.user_id:
        browser.sign_out()
    browser.enter_password()
    return bool(browser.user_id)


def alarms():
    return DeviceEvent.objects.filter(action=EventAction.COMPROMISED).count()


class TestACopyThatIsUsedOnce:
    def test_before_the_owner_signs_in_is_noticed_when_the_owner_does(self, owner, clock):
        thief = copy_of(owner)
        assert signs_in(thief)
        clock.passes(MINUTE)
        thief.get("/session/")
        clock.passes(HOUR)
        assert not signs_in(owner)
        assert alarms() == 1
        assert not thief.user_id

    def test_after_the_owner_was_seen_again_does_not_get_in(self, owner, clock):
        thief = copy_of(owner)
        assert signs_in(owner)
        clock.passes(MINUTE)
        owner.get("/session/")
        clock.passes(HOUR)
        assert not signs_in(thief)
        assert alarms() == 1

    def test_after_the_owner_left_at_once_is_noticed_when_the_owner_comes_back(self, owner, clock):
        thief = copy_of(owner)
        assert signs_in(owner)
        clock.passes(HOUR)
        assert signs_in(thief)
        clock.passes(HOUR)
        thief.get("/session/")
        assert not signs_in(owner)
        assert alarms() == 1

    def test_within_a_minute_of_the_owner_is_noticed_when_it_is_used_again(self, owner, clock):
        thief = copy_of(owner)
        stale = copy_of(owner)
        assert signs_in(owner)
        clock.passes(30 * SECOND)
        assert signs_in(thief)
        clock.passes(MINUTE)
        owner.get("/session/")
        clock.passes(HOUR)
        assert not signs_in(stale)
        assert alarms() == 1

    def test_a_minute_before_the_owner_is_noticed_once_the_owner_has_typed_a_code(self, owner, totp, clock):
        thief = copy_of(owner)
        assert signs_in(thief)
        clock.passes(MINUTE)
        thief.get("/session/")
        clock.passes(10 * SECOND)
        assert not signs_in(owner)
        assert alarms() == 0
        owner.enter_code(code_of(totp))
        assert alarms() == 1
        assert not thief.user_id


class TestTheBrowserItself:
    def test_may_send_a_request_a_minute_late_and_raises_no_alarm(self, owner, totp, clock):
        tab = copy_of(owner)
        assert signs_in(owner)
        clock.passes(MINUTE)
        owner.get("/session/")
        clock.passes(10 * SECOND)
        assert not signs_in(tab)
        tab.device_cookie = owner.device_cookie  # of the browser, whose tabs share it
        tab.enter_code(code_of(totp))
        tab.trust()
        assert Device.objects.get().is_remembered
        assert alarms() == 0

    def test_may_keep_an_answer_that_comes_a_minute_late(self, owner, clock):
        tab = copy_of(owner)
        assert signs_in(owner)
        clock.passes(70 * SECOND)
        assert signs_in(tab)
        clock.passes(MINUTE)
        owner.get("/session/")
        clock.passes(DAY)
        assert signs_in(owner)
        assert signs_in(tab)
        assert alarms() == 0

    def test_may_lose_the_cookie_that_it_was_given(self, owner, clock):
        before = owner.device_cookie
        assert signs_in(owner)
        owner.device_cookie = before
        clock.passes(HOUR)
        owner.get("/session/")
        assert signs_in(owner)

    def test_raises_an_alarm_when_its_profile_is_restored_from_a_backup(self, owner, clock):
        before = owner.device_cookie
        assert signs_in(owner)
        clock.passes(MINUTE)
        owner.get("/session/")
        clock.passes(DAY)
        owner.device_cookie = before
        assert not signs_in(owner)
        assert Device.objects.get().status_reason == StatusReason.COMPROMISED


class TestTheRequestThatShowsASuccessor:
    @pytest.fixture
    def signed_in(self, owner, clock):
        assert signs_in(owner)
        return owner

    def test_counts_from_a_minute_after_the_sign_in(self, signed_in, clock):
        for passed, generation in ((59, 0), (1, 1)):
            clock.passes(passed * SECOND)
            signed_in.get("/session/")
            assert Device.objects.get().secret_generation == generation

    def test_writes_once_for_each_sign_in(self, signed_in, clock):
        clock.passes(MINUTE)
        with CaptureQueriesContext(connection) as queries:
            signed_in.get("/session/")
        (write,) = [query["sql"] for query in queries if "trusted_devices_device" in query["sql"]]
        assert write.startswith("UPDATE")
        with CaptureQueriesContext(connection) as queries:
            signed_in.get("/session/")
        assert len(queries) == 1  # the session

    def test_asks_nothing_where_nobody_reads_the_session(self, signed_in, clock, django_assert_num_queries):
        clock.passes(MINUTE)
        with django_assert_num_queries(0):
            assert signed_in.get("/quiet/").content == b"quiet"

    def test_counts_where_sessions_are_kept_in_cookies(self, owner, clock, settings):
        settings.SESSION_ENGINE = SIGNED_COOKIES
        owner.enter_password()
        clock.passes(MINUTE)
        owner.get("/session/")
        assert Device.objects.get().secret_generation == 1

    def test_is_a_request_like_others_where_the_session_says_what_is_not_understood(self, signed_in, clock):
        clock.passes(MINUTE)
        for waiting in (None, 7, [], ["1"], ["1", 1, "soon"], {"user": "1"}, ["1", 1, 2.0, "of a later release"]):
            session = signed_in.session
            session[handover.SESSION_KEY] = waiting
            session.save()
            assert signed_in.get("/session/").status_code == 200, waiting
        assert Device.objects.get().secret_generation == 0

    def test_is_answered_though_the_database_refuses_the_write(self, signed_in, clock):
        clock.passes(MINUTE)
        with broken(UPDATES_DEVICE) as refused:
            assert signed_in.get("/session/").status_code == 200
        assert refused
        assert signs_in(signed_in)
