"""What is kept no longer goes, whichever of it has the largest backlog."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import retention, sessions
from trusted_devices.services.retention import Kind
from trusted_devices.types import DeviceStatus, EventAction

DAY = timedelta(days=1)
YEAR = 365 * DAY


@pytest.fixture
def stored(user, now):
    """Store a device that was last used and changed some time ago."""

    def stored(ago, *, used=None, status=DeviceStatus.NOT_REMEMBERED):
        device = factories.remembered(user, expires_at=now - ago, status=status, modified_at=now - ago)
        device.last_authenticated_at = now - used if used is not None else None
        device.save()
        return device

    return stored


def test_a_device_that_has_been_dead_for_the_time_set_is_forgotten(stored, settings, now):
    dead = [stored(YEAR + DAY), stored(3 * YEAR, used=2 * YEAR)]
    kept = [stored(YEAR), stored(3 * YEAR, used=DAY), stored(3 * YEAR, status=DeviceStatus.REMEMBERED)]
    assert retention.count_dead(now) == len(dead)
    assert list(retention.prune_devices(now=now, batch_size=1)) == [1, 1]
    assert set(Device.objects.all()) == set(kept)
    assert set(DeviceEvent.objects.values_list("action", "note")) == {(EventAction.FORGOTTEN, "retention")}


def test_devices_are_kept_for_ever_where_the_site_says_so(stored, settings, now):
    stored(10 * YEAR)
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "DEVICE_RETENTION": None}
    assert list(retention.prune_devices(now=now)) == []
    assert retention.count_dead(now) == 0


def test_no_kind_waits_until_another_is_done(stored, user, now):
    long_ago = now - 2 * YEAR
    for _ in range(2):
        sessions.attach(device=stored(2 * YEAR), session_key=f"ended-{_}", now=long_ago)
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=long_ago) for _ in range(2)
    )
    turns = [kind for kind, _ in retention.prune(now=now, batch_size=1)]
    assert turns[:3] == [Kind.ENTRIES, Kind.SESSIONS, Kind.DEVICES]
    assert not DeviceSession.objects.exists()


def test_a_batch_of_notes_takes_the_same_number_of_queries_whatever_its_size(stored, now):
    device = stored(DAY)
    counts = []
    for size in (2, 20):
        for position in range(size):
            sessions.attach(device=device, session_key=f"{size}-{position}", now=now - YEAR)
        with CaptureQueriesContext(connection) as queries:
            assert sum(sessions.prune(now=now)) == size
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_devices_whose_owner_is_away_are_left_to_the_next_run(stored, settings, now):
    stored(2 * YEAR)
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "tests.services.owner.AWAY"}
    assert list(retention.prune_devices(now=now)) == []
    assert Device.objects.exists()
