"""Times and periods in words, in the language and time zone that are active."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment for a ``<time>`` element: ``at`` in the active time zone, ``words``, and ``exact`` to the minute."""

    at: datetime
    words: str
    exact: str

    def __str__(self) -> str:
        return self.words


def ago(at: datetime, now: datetime) -> Moment:
    """Return how long ago ``at`` was: "just now", "3 days ago"."""
    words = _("just now") if now - at < MINUTE else _("%(time)s ago") % {"time": timesince(at, now, depth=1)}
    return Moment(timezone.localtime(at), words, exact(at))


def on(at: datetime) -> Moment:
    """Return the date of ``at`` in words."""
    return Moment(timezone.localtime(at), date_format(timezone.localtime(at), "DATE_FORMAT"), exact(at))


def until(at: datetime, now: datetime) -> Moment:
    """Return when something ends: the date; within a day from ``now`` the time as well."""
    local = timezone.localtime(at)
    if at - now >= DAY:
        return on(at)
    if local.date() == timezone.localtime(now).date():
        return Moment(local, _with_zone(local, "TIME_FORMAT"), exact(at))
    return Moment(local, exact(at), exact(at))


def exact(at: datetime) -> str:
    """Return date and time of ``at`` with the time zone's name."""
    return _with_zone(timezone.localtime(at), "DATETIME_FORMAT")


def period(length: timedelta) -> str:
    """Return a length of time in the largest unit that divides it: "60 days", "2 minutes"."""
    if not length % DAY:
        return ngettext("%(count)d day", "%(count)d days", length // DAY) % {"count": length // DAY}
    if not length % HOUR:
        return ngettext("%(count)d hour", "%(count)d hours", length // HOUR) % {"count": length // HOUR}
    if not length % MINUTE:
        return ngettext("%(count)d minute", "%(count)d minutes", length // MINUTE) % {"count": length // MINUTE}
    seconds = math.ceil(length.total_seconds())
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}


def wait(length: timedelta) -> str:
    """Return how long to wait, rounded up so that this long is long enough."""
    for unit in (DAY, HOUR, MINUTE):
        if length > 2 * unit:
            return period(math.ceil(length / unit) * unit)
    return period(timedelta(seconds=max(1, math.ceil(length.total_seconds()))))


def _with_zone(local: datetime, format_name: str) -> str:
    return f"{date_format(local, format_name)} {local.tzname()}"
