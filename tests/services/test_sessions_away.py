"""The sessions cannot be reached: what ends is stored at once, and they end later."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.contrib.sessions.models import Session
from django.db import Error, transaction
from django.utils import timezone

from tests.broken_cache import CACHES, cache_away
from tests.broken_database import broken
from tests.web.views.browser import Browser, url
from trusted_devices import tasks
from trusted_devices.models import Device, DeviceEvent, DeviceSession, SessionToEnd
from trusted_devices.services import devices, retention, session_stores, sessions, trust
from trusted_devices.testing import force_mfa_login, make_device, trust_device
from trusted_devices.types import By, StatusReason, TrustReason


@pytest.fixture(params=["cache", "cached_db"])
def engine(request, settings):
    settings.CACHES = CACHES
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    return import_module(settings.SESSION_ENGINE)


@pytest.fixture
def device(user, engine):
    return make_device(user)


@pytest.fixture
def live(engine, device):
    """The keys of three live sessions of the device."""
    keys = []
    for _ in range(3):
        store = engine.SessionStore()
        store["cart"] = "full"
        store.create()
        sessions.attach(device=device, session_key=store.session_key, now=timezone.now())
        keys.append(store.session_key)
    return keys


def alive(engine, keys):
    return [key for key in keys if engine.SessionStore(key).load()]


ENDS = {
    "forgotten": lambda user, device: devices.forget([device], by=By()),
    "forgotten with all others": lambda user, device: devices.forget_all(user=user, by=By()),
    "stopped by staff": lambda user, device: devices.stop_trusting(
        [device], reason=StatusReason.STAFF_STOPPED, end_sessions=True, by=By()
    ),
    "disabled": lambda user, device: devices.end_trust(
        user=user, reason=StatusReason.ACCOUNT_DISABLED, end_sessions=True, by=By()
    ),
    "copied": lambda user, device: trust.refused(
        user=user, device=device, reason=TrustReason.SUPERSEDED_SECRET, by=By()
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_trust_ends_at_once_and_the_sessions_with_the_next_sweep(engine, user, device, live, how):
    with cache_away():
        ENDS[how](user, device)
        assert not Device.objects.remembered().exists()
        tasks.expire_devices()
        assert SessionToEnd.objects.count() == 3
    tasks.expire_devices()
    assert alive(engine, live) == []
    assert not SessionToEnd.objects.exists()


def test_a_copied_key_is_logged_whether_or_not_its_sessions_can_be_ended(user, device, live, caplog):
    with cache_away():
        ENDS["copied"](user, device)
    actions = DeviceEvent.objects.values_list("action", flat=True)
    assert set(actions) >= {"trust_refused", "compromised"}
    assert "Sessions cannot be ended now, and are ended later (ConnectionError)." in caplog.text
    assert "secret" not in caplog.text


def test_they_end_with_anybodys_next_sign_in(engine, user, other_user, device, live):
    with cache_away():
        devices.forget([device], by=By())
    Browser().enter_password("tom", "battery staple")
    assert alive(engine, live) == []


def test_a_session_that_began_on_a_device_forgotten_meanwhile_ends_later(engine, device, live):
    devices.forget([device], by=By())
    store = engine.SessionStore()
    store.create()
    with cache_away():
        assert not sessions.attach(device=device, session_key=store.session_key, now=timezone.now())
    assert SessionToEnd.objects.count() == 1
    session_stores.end_noted()
    assert alive(engine, [store.session_key]) == []


def test_where_the_database_fails_nothing_is_forgotten(engine, device, live):
    with (
        pytest.raises(Error),
        transaction.atomic(),
        broken("trusted_devices_sessiontoend"),
        cache_away(),
    ):
        devices.forget([device], by=By())
    assert Device.objects.get().is_remembered


def test_the_sweep_ends_any_number_of_them(engine, device, live, monkeypatch):
    monkeypatch.setattr(session_stores, "BATCH_SIZE", 2)
    with cache_away():
        devices.forget([device], by=By())
    tasks.expire_devices()
    assert alive(engine, live) == []


def test_no_note_of_a_session_is_pruned_while_nobody_can_tell_which_live(settings, user, live):
    later = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 1)
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    with cache_away():
        assert list(retention.prune(now=later)) == []
    assert DeviceSession.objects.count() == 3


def test_a_note_that_can_no_longer_be_read_goes_and_holds_up_no_other(engine, device, live, caplog):
    with cache_away():
        devices.forget([device], by=By())
    SessionToEnd.objects.filter(pk=SessionToEnd.objects.earliest("pk").pk).update(sealed_session_key="x")
    assert session_stores.end_noted() == 3
    assert len(alive(engine, live)) == 1
    assert "can no longer be read" in caplog.text
    assert not any(key in caplog.text for key in live)


def test_sessions_in_the_database_alone_cost_no_look_for_some_to_end(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert session_stores.end_noted() == 0


class TestPages:
    """The copies of sessions in the cache can be read and not deleted, as where a replica took over."""

    @pytest.fixture
    def browser(self, settings, user, totp):
        settings.CACHES = CACHES
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
        browser = Browser()
        device = trust_device(browser, user)
        force_mfa_login(browser, user, device=device)
        browser.key = browser.session.session_key
        browser.device = device
        return browser

    def test_the_current_device_is_forgotten_and_signed_out(self, browser, settings):
        with cache_away(how="read_only"):
            response = browser.post(url("forget_device", browser.device.device_key))
        assert response.status_code == 302
        assert not Device.objects.exists()
        assert not Session.objects.filter(session_key=browser.key).exists()
        tasks.expire_devices()
        assert alive(import_module(settings.SESSION_ENGINE), [browser.key]) == []

    def test_signing_out_works_and_ends_what_is_in_the_cache_later(self, browser, settings):
        with cache_away(how="read_only"):
            assert browser.sign_out().status_code == 302
        tasks.expire_devices()
        assert alive(import_module(settings.SESSION_ENGINE), [browser.key]) == []
