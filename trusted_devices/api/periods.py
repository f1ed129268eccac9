"""Periods of trust as ISO 8601 durations: ``P60D``, ``PT2M``, ``P1DT12H``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_DURATION = re.compile(
    r"P(?=[\dT])(?:(?P<days>\d{1,4})D)?(?:T(?=\d)(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?",
    re.ASCII,
)
PATTERN = "^" + re.sub(r"\?P<\w+>", "", _DURATION.pattern) + "$"
"""What a period looks like, as JSON Schema says it."""


def parse_period(text: str) -> timedelta:
    """Read an ISO 8601 duration of days, hours, minutes and seconds. Raises ``ValueError`` for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("not an ISO 8601 duration")
    return timedelta(**{unit: int(number) for unit, number in found.groupdict().items() if number})


def format_period(period: timedelta) -> str:
    """Return ``period`` in its shortest form, without fractions of a second."""
    minutes, seconds = divmod(period.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    return "P" + (f"{period.days}D" if period.days else "") + (f"T{time}" if time else "" if period.days else "T0S")


@extend_schema_field({"type": "string", "format": "duration", "pattern": PATTERN, "examples": ["P60D"]})
class PeriodField(serializers.Field[timedelta, str, str, Any]):
    """A period as an ISO 8601 duration."""

    default_error_messages = {"invalid": "Give an ISO 8601 duration such as P60D."}

    def to_internal_value(self, data: Any) -> timedelta:
        try:
            return parse_period(data)
        except (TypeError, ValueError):
            self.fail("invalid")

    def to_representation(self, value: timedelta) -> str:
        return format_period(value)
