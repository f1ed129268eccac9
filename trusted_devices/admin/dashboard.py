"""The dashboard: figures of ``services.reports``, each as a chart and as the table that says the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext

from trusted_devices.services import reports
from trusted_devices.services.reports import COUNT_LIMIT, DayCount, ReasonCount
from trusted_devices.types import DeviceStatus, EventAction
from trusted_devices.words import reasons

DAYS = 30
WEEKS = 13
"""The weeks that the next 90 days reach into."""


@dataclass(frozen=True, slots=True)
class Series:
    """One set of values. ``kind`` is how it is drawn: ``bar`` or ``line``."""

    name: str
    values: Sequence[int]
    kind: str = "bar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart and its table: a label and one value of each series a row. ``layout`` is ``x`` or ``y``."""

    id: str
    title: str
    head: str
    labels: Sequence[str]
    series: Sequence[Series]
    layout: str = "x"
    note: str = ""
    rows: Sequence[tuple[str, Sequence[int]]] = field(init=False)

    def __post_init__(self) -> None:
        columns = zip(*(series.values for series in self.series), strict=True)
        object.__setattr__(self, "rows", list(zip(self.labels, columns, strict=True)))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(any(series.values) for series in self.series)

    def data(self) -> dict[str, Any]:
        """Return what the script draws, as plain JSON."""
        series = [{"name": one.name, "values": list(one.values), "kind": one.kind} for one in self.series]
        return {"id": self.id, "labels": list(self.labels), "series": series, "layout": self.layout}


def context(*, now: datetime) -> dict[str, Any]:
    """Return what the dashboard's template shows."""
    counts = reports.status_counts()
    lag = reports.sweep_lag(now=now)
    charts = [
        _over_time(now),
        _expiring(reports.expiring_per_day(now=now, days=7 * WEEKS)),
        _reasons(
            "trusted", gettext("Why devices were trusted"), reports.reasons(EventAction.REMEMBERED, now=now, days=DAYS)
        ),
        _reasons(
            "refused", gettext("Why trust was refused"), reports.reasons(EventAction.TRUST_REFUSED, now=now, days=DAYS)
        ),
    ]
    return {
        "remembered": counts[DeviceStatus.REMEMBERED],
        "not_remembered": counts[DeviceStatus.NOT_REMEMBERED],
        "expiring": reports.expiring(now=now).items(),
        "lag": lag,
        "lag_is_capped": lag.due >= COUNT_LIMIT,
        "lag_words": timesince(now - lag.lag, now, depth=1),
        "charts": charts,
        "chart_data": [chart.data() for chart in charts if not chart.is_empty],
        "top_users": reports.top_users(),
    }


def _over_time(now: datetime) -> Chart:
    history = reports.trust_over_time(now=now, days=DAYS)
    return Chart(
        id="over-time",
        title=gettext("Trusted devices over time"),
        head=gettext("Day"),
        labels=[_day(entry.day) for entry in history],
        series=[
            Series(gettext("Remembered at the end of the day"), [entry.remembered for entry in history], "line"),
            Series(gettext("Trusted"), [entry.given for entry in history]),
            Series(gettext("Trust ended"), [entry.ended for entry in history]),
        ],
        note=gettext("Days of UTC; reckoned back from today by the activity log."),
    )


def _expiring(days: Sequence[DayCount]) -> Chart:
    weeks = [days[start : start + 7] for start in range(0, len(days), 7)]
    return Chart(
        id="expiring",
        title=gettext("Trust that ends in the next %(weeks)d weeks") % {"weeks": WEEKS},
        head=gettext("Seven days from"),
        labels=[_day(week[0].day) for week in weeks],
        series=[Series(gettext("Devices"), [sum(day.count for day in week) for week in weeks])],
        note=gettext("By the date that was given; the policy may end trust sooner."),
    )


def _reasons(chart_id: str, title: str, found: Iterable[ReasonCount]) -> Chart:
    counted = list(found)
    return Chart(
        id=chart_id,
        title=title,
        head=gettext("Reason"),
        labels=[reasons.describe(one.reason) for one in counted],
        series=[Series(gettext("Times"), [one.count for one in counted])],
        layout="y",
        note=gettext("The last %(days)d days.") % {"days": DAYS},
    )


def _day(day: date) -> str:
    return date_format(day, "MONTH_DAY_FORMAT")
