"""Times and periods in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from trusted_devices.words import times

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=60), "60 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=2), "2 minutes"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(milliseconds=1200), "2 seconds"),
    ],
)
def test_a_period_is_told_in_the_largest_unit_that_divides_it(length, words):
    assert times.period(length) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "1 second"),
        (timedelta(seconds=-5), "1 second"),
        (timedelta(seconds=1.2), "2 seconds"),
        (timedelta(seconds=120), "2 minutes"),
        (timedelta(seconds=121), "3 minutes"),
        (timedelta(minutes=14, seconds=1), "15 minutes"),
        (timedelta(hours=2, seconds=1), "3 hours"),
        (timedelta(days=2, seconds=1), "3 days"),
    ],
)
def test_a_wait_is_rounded_up(length, words):
    assert times.wait(length) == words


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(seconds=60), "1\xa0minute ago"),
        (timedelta(hours=25), "1\xa0day ago"),
    ],
)
def test_how_long_ago(before, words):
    assert times.ago(NOW - before, NOW).words == words


def test_an_end_further_away_is_a_date_a_near_one_has_its_time():
    assert times.until(NOW + timedelta(days=1), NOW).words == "March 2, 2026"
    assert times.until(NOW + timedelta(minutes=2), NOW).words == "12:02 p.m. UTC"
    assert times.until(NOW + timedelta(hours=20), NOW).words == "March 2, 2026, 8 a.m. UTC"


def test_times_are_those_of_the_active_zone_and_language():
    with timezone.override("Asia/Tokyo"), translation.override("de"):
        moment = times.until(NOW + timedelta(minutes=2), NOW)
    assert str(moment) == "21:02 JST"
    assert moment.exact == "1. März 2026 21:02 JST"
    assert moment.at.isoformat() == "2026-03-01T21:02:00+09:00"
