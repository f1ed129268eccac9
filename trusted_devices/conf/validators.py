"""What the value of an option may be: each validator returns what is wrong with a value, or ``None``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

LONGEST_PERIOD = timedelta(days=400)
"""Browsers keep no cookie for longer (RFC 6265bis, section 5.5)."""
LONGEST_DURATION = timedelta(days=36500)
"""What can be subtracted from today's date."""

Validator = Callable[[Any], str | None]


def boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be True or False"


def text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a non-empty string"


def mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "must be a dict"


def dotted_path(value: Any) -> str | None:
    good = isinstance(value, str) and value.count(".") and all(map(str.isidentifier, value.split(".")))
    return None if good else "must be the dotted path of a class or function"


def url(value: Any) -> str | None:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    good = parts is not None and parts.scheme in ("http", "https") and parts.netloc and not parts.query
    return None if good else "must be an http or https URL"


def period(value: Any) -> str | None:
    return _time(value, LONGEST_PERIOD)


def duration(value: Any) -> str | None:
    return _time(value, LONGEST_DURATION)


def periods(value: Any) -> str | None:
    if not isinstance(value, list | tuple) or not value:
        return "must be a list of at least one datetime.timedelta"
    return next(filter(None, map(period, value)), None)


def group_periods(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return "must map names of groups to datetime.timedelta"
    return next(filter(None, map(period, value.values())), None)


def whole_number(low: int, high: int) -> Validator:
    return lambda value: None if _is_within(value, int, low, high) else f"must be a whole number from {low} to {high}"


def number(low: float, high: float) -> Validator:
    return lambda value: (
        None if _is_within(value, (int, float), low, high) else f"must be a number from {low:g} to {high:g}"
    )


def one_of(*allowed: str) -> Validator:
    return lambda value: (
        None if value in allowed else "must be one of " + ", ".join(repr(str(choice)) for choice in allowed)
    )


def matching(pattern: str, what: str) -> Validator:
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"


def optional(validator: Validator) -> Validator:
    return lambda value: None if value is None else validator(value)


def _time(value: Any, longest: timedelta) -> str | None:
    if not isinstance(value, timedelta):
        return "must be a datetime.timedelta"
    return None if timedelta(0) < value <= longest else f"must be more than nothing and at most {longest.days} days"


def _is_within(value: Any, kind: Any, low: float, high: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and bool(low <= value <= high)
