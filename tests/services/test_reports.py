"""Figures about devices and activity."""

from datetime import date, timedelta

import pytest

from tests.factories import remembered
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, reports
from trusted_devices.services.reports import DayCount, DayOfTrust, ReasonCount, SweepLag
from trusted_devices.types import By, DeviceStatus, EventAction, StatusReason

DAY = timedelta(days=1)


def store(user, *expiries, **fields):
    return Device.objects.bulk_create([remembered(user, expires_at=expiry, **fields) for expiry in expiries])


def log(action, *moments, reason="", user=None):
    DeviceEvent.objects.bulk_create(
        [DeviceEvent(user=user, action=action, reason=reason, created_at=moment) for moment in moments]
    )


def test_devices_are_counted_by_status(user, now):
    store(user, now + DAY, now - DAY)
    store(user, now, status=DeviceStatus.NOT_REMEMBERED)
    assert reports.status_counts() == {DeviceStatus.REMEMBERED: 2, DeviceStatus.NOT_REMEMBERED: 1}


def test_statuses_that_no_device_has_are_counted_too(db):
    assert reports.status_counts() == {DeviceStatus.REMEMBERED: 0, DeviceStatus.NOT_REMEMBERED: 0}


def test_expiring_counts_up_to_and_with_each_horizon(user, now):
    microsecond = timedelta(microseconds=1)
    store(user, now, now + microsecond, now + 7 * DAY, now + 7 * DAY + microsecond, now + 90 * DAY, now + 91 * DAY)
    store(user, now + DAY, status=DeviceStatus.NOT_REMEMBERED)
    assert reports.expiring(now=now) == {7: 2, 30: 3, 60: 3, 90: 4}
    assert reports.expiring(now=now, within_days=(1,)) == {1: 1}


def test_expiring_per_day_has_every_day_from_the_present_one(user, now):
    store(
        user,
        now - DAY,
        now - timedelta(hours=1),
        now + timedelta(hours=1),
        now + timedelta(hours=13),
        now + 2 * DAY,
        now + 3 * DAY,
    )
    assert reports.expiring_per_day(now=now, days=3) == [
        DayCount(date(2026, 3, 1), 1),
        DayCount(date(2026, 3, 2), 1),
        DayCount(date(2026, 3, 3), 1),
    ]


def test_trusted_per_day_has_every_day_up_to_the_present_one(user, now):
    log(EventAction.REMEMBERED, now, now - timedelta(hours=12), now - timedelta(hours=13), now - 5 * DAY)
    log(EventAction.CONFIRMED, now)
    assert reports.trusted_per_day(now=now, days=3) == [
        DayCount(date(2026, 2, 27), 0),
        DayCount(date(2026, 2, 28), 1),
        DayCount(date(2026, 3, 1), 2),
    ]


def test_days_are_those_of_utc_whatever_the_time_zone(settings, user, now):
    settings.TIME_ZONE = "Asia/Tokyo"
    log(EventAction.REMEMBERED, now.replace(hour=23))
    assert [entry.count for entry in reports.trusted_per_day(now=now.replace(hour=23), days=2)] == [0, 1]


def test_trust_over_time_is_reckoned_back_from_the_present_number(user, now):
    store(user, now + DAY, now + DAY, now + DAY)
    log(EventAction.REMEMBERED, now, now, now - DAY)
    log(EventAction.EXPIRED, now)
    log(EventAction.NOT_REMEMBERED, now - DAY)
    log(EventAction.FORGOTTEN, now - DAY, reason=DeviceStatus.REMEMBERED)
    log(EventAction.FORGOTTEN, now - DAY, reason=DeviceStatus.NOT_REMEMBERED)
    log(EventAction.RENAMED, now)
    assert reports.trust_over_time(now=now, days=3) == [
        DayOfTrust(date(2026, 2, 27), given=0, ended=0, remembered=3),
        DayOfTrust(date(2026, 2, 28), given=1, ended=2, remembered=2),
        DayOfTrust(date(2026, 3, 1), given=2, ended=1, remembered=3),
    ]


def test_trust_over_time_never_goes_below_nothing(user, now):
    log(EventAction.REMEMBERED, now, now)
    assert [day.remembered for day in reports.trust_over_time(now=now, days=2)] == [0, 0]


def test_trust_over_time_follows_what_the_services_log(user, now):
    first, second, third = store(user, now + DAY, now + DAY, now + DAY)
    log(EventAction.REMEMBERED, *[now - DAY] * 3)
    devices.forget([first], by=By(at=now))
    devices.stop_trusting([second], reason=StatusReason.STAFF_STOPPED, by=By(at=now))
    devices.forget([second], by=By(at=now))
    assert reports.trust_over_time(now=now, days=2) == [
        DayOfTrust(date(2026, 2, 28), given=3, ended=0, remembered=3),
        DayOfTrust(date(2026, 3, 1), given=0, ended=2, remembered=1),
    ]
    assert third


def test_reasons_come_most_frequent_first_and_only_of_the_last_days(now, db):
    log(EventAction.TRUST_REFUSED, now, reason="risk")
    log(EventAction.TRUST_REFUSED, now, now - DAY, reason="expired")
    log(EventAction.TRUST_REFUSED, now - 3 * DAY, now - 3 * DAY, reason="risk")
    log(EventAction.REMEMBERED, now, reason="user_trusted")
    assert reports.reasons(EventAction.TRUST_REFUSED, now=now, days=2) == [
        ReasonCount("expired", 2),
        ReasonCount("risk", 1),
    ]


def test_top_users_are_those_with_the_most_devices(user, other_user, now):
    store(other_user, now + DAY, now + DAY)
    store(other_user, now, status=DeviceStatus.NOT_REMEMBERED)
    store(user, now + DAY)
    found = reports.top_users()
    assert [(one.user, one.devices, one.remembered) for one in found] == [(other_user, 3, 2), (user, 1, 1)]
    assert [one.user for one in reports.top_users(limit=1)] == [other_user]


def test_the_sweep_has_no_lag_while_nothing_is_due(user, now):
    store(user, now + DAY)
    assert reports.sweep_lag(now=now) == SweepLag(due=0, lag=timedelta(0))


def test_the_lag_of_the_sweep_is_that_of_the_device_that_waits_longest(user, now):
    store(user, now, now - timedelta(hours=3), now + DAY)
    store(user, now - 9 * DAY, status=DeviceStatus.NOT_REMEMBERED)
    assert reports.sweep_lag(now=now) == SweepLag(due=2, lag=timedelta(hours=3))


def test_counting_what_is_due_stops_at_a_limit(user, now, monkeypatch):
    monkeypatch.setattr(reports, "COUNT_LIMIT", 2)
    store(user, now, now, now)
    assert reports.sweep_lag(now=now).due == 2


@pytest.mark.parametrize(
    ("report", "queries"),
    [
        (lambda now: reports.status_counts(), 1),
        (lambda now: reports.expiring(now=now), 1),
        (lambda now: reports.expiring_per_day(now=now, days=91), 1),
        (lambda now: reports.trusted_per_day(now=now, days=30), 1),
        (lambda now: reports.trust_over_time(now=now, days=30), 2),
        (lambda now: reports.reasons(EventAction.TRUST_REFUSED, now=now, days=30), 1),
        (lambda now: reports.top_users(), 3),
        (lambda now: reports.sweep_lag(now=now), 2),
    ],
)
def test_a_report_costs_the_same_however_much_there_is(
    user, other_user, now, report, queries, django_assert_num_queries
):
    for count in (1, 50):
        store(user, *[now - DAY] * count)
        store(other_user, *[now + DAY] * count)
        log(EventAction.REMEMBERED, *[now] * count)
        with django_assert_num_queries(queries):
            report(now)
