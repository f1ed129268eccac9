"""Filters of the lists in the admin's side bar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from trusted_devices.services.reports import WITHIN_DAYS
from trusted_devices.types import DeviceStatus
from trusted_devices.words import reasons


class ExpiringFilter(admin.SimpleListFilter):
    """Remembered devices by when their trust ends."""

    title = _("trust ends")
    parameter_name = "expiring"
    ENDED = "ended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Offer the horizons, and what has ended but waits for the sweep."""
        yield self.ENDED, _("Ended, not swept yet")
        for days in WITHIN_DAYS:
            yield str(days), ngettext("Within %(days)d day", "Within %(days)d days", days) % {"days": days}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to what was chosen; an unknown value chooses nothing."""
        chosen = self.value()
        if chosen is None or chosen not in dict(self.lookup_choices):
            return queryset
        now = timezone.now()
        remembered = queryset.filter(status=DeviceStatus.REMEMBERED)
        if chosen == self.ENDED:
            return remembered.filter(trust_expires_at__lte=now)
        until = now + timedelta(days=int(chosen))
        return remembered.filter(trust_expires_at__gt=now, trust_expires_at__lte=until)


class LastUsedFilter(admin.SimpleListFilter):
    """Devices by when they were last signed in from."""

    title = _("last used")
    parameter_name = "used"
    RECENT = {"1": _("Past 24 hours"), "7": _("Past 7 days"), "30": _("Past 30 days")}
    LONG_AGO = {"more-30": _("More than 30 days ago"), "more-90": _("More than 90 days ago")}
    NEVER = "never"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Offer recent use, long disuse, and no use at all."""
        return [*self.RECENT.items(), *self.LONG_AGO.items(), (self.NEVER, _("Never"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to what was chosen; an unknown value chooses nothing."""
        chosen = self.value()
        if chosen == self.NEVER:
            return queryset.filter(last_authenticated_at=None)
        if chosen in self.RECENT:
            return queryset.filter(last_authenticated_at__gte=_days_ago(chosen))
        if chosen in self.LONG_AGO:
            return queryset.filter(last_authenticated_at__lt=_days_ago(chosen.removeprefix("more-")))
        return queryset


class WhenFilter(admin.SimpleListFilter):
    """Activity by age."""

    title = _("when")
    parameter_name = "when"
    CHOICES = {"1": _("Past 24 hours"), "7": _("Past 7 days"), "30": _("Past 30 days"), "90": _("Past 90 days")}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Offer a few windows up to now."""
        return self.CHOICES.items()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to what was chosen; an unknown value chooses nothing."""
        chosen = self.value()
        return queryset.filter(Q(created_at__gte=_days_ago(chosen))) if chosen in self.CHOICES else queryset


class ReasonFilter(admin.SimpleListFilter):
    """Activity by reason. The choices are known, so none are looked for in the log."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Offer every reason that there is, in the order of their names."""
        return sorted(reasons.REASONS.items(), key=lambda item: str(item[1]))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to what was chosen."""
        chosen = self.value()
        return queryset.filter(reason=chosen) if chosen else queryset


def _days_ago(days: str) -> Any:
    return timezone.now() - timedelta(days=int(days))
