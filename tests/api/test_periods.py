"""Periods as ISO 8601 durations."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trusted_devices.api.periods import PATTERN, format_period, parse_period


@given(st.integers(0, 400 * 86400))
def test_what_is_written_can_be_read(seconds):
    period = timedelta(seconds=seconds)
    assert parse_period(format_period(period)) == period
    assert re.search(PATTERN, format_period(period))


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("P60D", timedelta(days=60)),
        ("PT1440H", timedelta(days=60)),
        ("P1DT12H", timedelta(days=1.5)),
        ("PT2M", timedelta(minutes=2)),
    ],
)
def test_periods_may_be_said_in_several_ways(text, period):
    assert parse_period(text) == period


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "60", "60 00:00:00", "P60", "-P60D", "P-60D", "P60DT", "P1.5D", "P1Y", "P99999D", "p60d", "P60D\n",
     "P\u0666\u0660D", " P60D"],
)  # fmt: skip
def test_anything_else_is_no_period(text):
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_period(text)


@pytest.mark.parametrize("data", [None, 60, 1.5, True, [], {}, b"P60D"])
def test_only_text_can_be_a_period(data):
    with pytest.raises((TypeError, ValueError)):
        parse_period(data)
