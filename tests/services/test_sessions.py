"""Sessions that came from a device, in every engine that keeps them where they can be ended."""

import uuid
from datetime import timedelta
from importlib import import_module

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import caches
from django.db import Error, transaction

from tests import factories
from tests.broken_database import broken
from trusted_devices import conf
from trusted_devices.models import Device, DeviceSession
from trusted_devices.services import devices, sessions
from trusted_devices.types import By, StatusReason

LOCAL_MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
ENGINES = [
    "db",
    "cached_db",
    "cache",
    "file",
    pytest.param("cache on Redis", marks=pytest.mark.redis),
    pytest.param("cached_db on Redis", marks=pytest.mark.redis),
]


@pytest.fixture(params=ENGINES)
def engine(request, settings, tmp_path, monkeypatch):
    """The session engine, by the name of its module, with a cache of its own."""
    name, _, on_redis = request.param.partition(" on ")
    address = f"redis://{settings.REDIS_HOST}:{settings.REDIS_PORT}/0"
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address}
    own = {"KEY_PREFIX": uuid.uuid4().hex, "LOCATION": uuid.uuid4().hex}
    settings.CACHES = {"default": own | (redis if on_redis else LOCAL_MEMORY)}
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{name}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    module = import_module(settings.SESSION_ENGINE)
    if name == "file":
        # It remembers the folder that it was first told of.
        monkeypatch.delattr(module.SessionStore, "_storage_path", raising=False)
    yield module
    caches["default"].close()


@pytest.fixture
def device(user, now):
    stored = factories.remembered(user, expires_at=now)
    stored.save()
    return stored


@pytest.fixture
def signed_in(engine, device, now):
    """Make a live session, of ``device`` unless told otherwise."""

    def signed_in(of=None):
        store = engine.SessionStore()
        store["cart"] = "full"
        store.create()
        sessions.attach(device=of or device, session_key=store.session_key, now=now)
        return store

    return signed_in


def lives(engine, store):
    return engine.SessionStore(store.session_key).load() != {}


def test_the_sessions_of_a_forgotten_device_end_and_nobody_elses(engine, signed_in, device, other_user, now):
    [other_device] = factories.store_trusted(other_user, 1, now=now)
    first, second, elsewhere = signed_in(), signed_in(), signed_in(other_device)
    assert all(lives(engine, store) for store in (first, second, elsewhere))
    devices.forget([device], by=By(at=now))
    assert [lives(engine, store) for store in (first, second, elsewhere)] == [False, False, True]
    assert list(DeviceSession.objects.values_list("device", flat=True)) == [other_device.pk]


def test_a_slow_request_does_not_bring_an_ended_session_back(engine, signed_in, device, now):
    store = signed_in()
    slow = engine.SessionStore(store.session_key)
    slow["cart"] = "fuller"
    devices.forget([device], by=By(at=now))
    with pytest.raises(UpdateError):
        slow.save()
    assert not lives(engine, store)


def test_a_session_ends_that_comes_from_a_device_forgotten_meanwhile(engine, signed_in, device, now):
    devices.forget([device], by=By(at=now))
    store = signed_in()
    assert not lives(engine, store)
    assert not DeviceSession.objects.exists()


def test_a_session_that_has_ended_by_itself_is_no_obstacle(engine, signed_in, device, now):
    gone, alive = signed_in(), signed_in()
    gone.flush()
    assert sessions.end([device]) == 2
    assert not lives(engine, alive)


def test_sessions_end_with_trust_where_that_is_asked_for(engine, signed_in, device, now):
    store = signed_in()
    devices.stop_trusting([device], reason=StatusReason.STAFF_STOPPED, end_sessions=True, by=By(at=now))
    assert not lives(engine, store)


def test_a_new_session_key_takes_the_old_ones_place(engine, signed_in, device, now):
    store = signed_in()
    before = sessions.digest(store.session_key)
    store.cycle_key()
    sessions.attach(device=device, session_key=store.session_key, replaces=before, now=now)
    assert list(DeviceSession.objects.values_list("session_digest", flat=True)) == [sessions.digest(store.session_key)]
    devices.forget([device], by=By(at=now))
    assert not lives(engine, store)


def test_a_session_belongs_to_the_device_that_it_was_last_noted_for(engine, signed_in, device, user, other_user, now):
    store = signed_in()
    [second] = factories.store_trusted(other_user, 1, now=now)
    sessions.attach(device=second, session_key=store.session_key, now=now)
    assert DeviceSession.objects.get().device == second
    devices.forget([device], by=By(at=now))
    assert lives(engine, store)


def test_a_session_outlives_a_rotated_secret_key_as_long_as_its_fallback(
    signed_in, engine, device, settings, caplog, now
):
    readable, unreadable = signed_in(), signed_in()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" + "y" * 40
    DeviceSession.objects.filter(session_digest=sessions.digest(unreadable.session_key)).update(sealed_session_key="x")
    assert sessions.end([device]) == 2
    assert not lives(engine, readable)
    assert "can no longer be read" in caplog.text
    assert unreadable.session_key not in caplog.text


def test_a_session_key_is_stored_sealed_and_as_a_digest(signed_in):
    store = signed_in()
    stored = DeviceSession.objects.values().get()
    assert store.session_key not in str(stored)
    assert stored["session_digest"] == sessions.digest(store.session_key)


def test_who_signs_out_leaves_no_note_behind(signed_in):
    store = signed_in()
    sessions.detach(session_digest=sessions.digest(store.session_key))
    assert not DeviceSession.objects.exists()


def test_the_notes_of_sessions_that_ended_unnoticed_are_dropped_and_no_others(engine, signed_in, device, settings, now):
    gone, alive = [signed_in() for _ in range(3)], signed_in()
    for store in gone:
        store.delete()
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    assert list(sessions.prune(now=now + age)) == []
    assert list(sessions.prune(now=now + age + timedelta(seconds=1), batch_size=2)) == [2, 1]
    assert DeviceSession.objects.get().session_digest == sessions.digest(alive.session_key)


def test_a_session_in_the_database_has_ended_on_its_date_cleared_or_not(device, settings, now):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store.create()
    sessions.attach(device=device, session_key=store.session_key, now=now)
    [stored] = store.get_model_class().objects.all()
    assert list(sessions.prune(now=stored.expire_date - timedelta(seconds=1))) == [0]
    assert list(sessions.prune(now=stored.expire_date)) == [1]


def test_a_note_that_can_no_longer_be_read_is_dropped(signed_in, settings, now):
    signed_in()
    DeviceSession.objects.update(sealed_session_key="x")
    assert list(sessions.prune(now=now + timedelta(seconds=settings.SESSION_COOKIE_AGE + 1))) == [1]


def test_signed_cookies_cannot_be_ended_and_are_not_noted(device, settings, now):
    settings.SESSION_ENGINE = conf.SIGNED_COOKIES
    assert not sessions.can_end()
    assert sessions.attach(device=device, session_key="anything", now=now)
    assert not DeviceSession.objects.exists()


def test_no_note_is_dropped_while_the_database_cannot_say_which_sessions_live(device, settings, now):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    sessions.attach(device=device, session_key="ended", now=now)
    later = now + timedelta(seconds=settings.SESSION_COOKIE_AGE + 1)
    with pytest.raises(Error), transaction.atomic(), broken("FROM .django_session"):
        list(sessions.prune(now=later))
    assert DeviceSession.objects.exists()


def test_nothing_is_forgotten_while_the_database_cannot_end_its_sessions(device, settings, now):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    sessions.attach(device=device, session_key="a" * 32, now=now)
    with pytest.raises(Error), transaction.atomic(), broken(".django_session"):
        devices.forget([device], by=By())
    assert Device.objects.exists()
