"""What commands take on their command line, checked before anything is done."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime, time

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

LARGEST_BATCH = 10_000


def batch_size(text: str) -> int:
    """Return how many rows one transaction takes, 1 to 10,000."""
    return _whole_number(text, LARGEST_BATCH)


def days(text: str) -> int:
    """Return a number of days, 1 to 36,500."""
    return _whole_number(text, 36_500)


def moment(text: str) -> datetime:
    """Return an aware datetime from ISO 8601; without an offset in the site's time zone, a date as its midnight."""
    try:
        parsed = parse_datetime(text)
        if parsed is None and (date := parse_date(text)):
            parsed = datetime.combine(date, time())
    except ValueError:
        parsed = None
    if parsed is None:
        raise ArgumentTypeError(f"{text!r} is not a date and time such as 2026-11-01T08:30:00Z")
    return timezone.make_aware(parsed) if timezone.is_naive(parsed) else parsed


def _whole_number(text: str, highest: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= highest:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {highest:,}")
    return int(text)
