"""What lists can be narrowed by. Anything that is not named here is refused, so that a typo never widens a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django_filters import CharFilter, ChoiceFilter, Filter, IsoDateTimeFilter
from django_filters.rest_framework import FilterSet

from trusted_devices.words import reasons


def _choices(table: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(value.value, words) for value, words in table.items()]


class MomentField(forms.CharField):
    """A date and time with its offset from UTC."""

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            moment = parse_datetime(text)
            if moment is not None and moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise ValidationError(_("Give a date and time with an offset, such as 2026-03-01T12:00:00Z."), code="invalid")


class MomentFilter(IsoDateTimeFilter):
    """Compares with a moment."""

    field_class = MomentField


class UserField(forms.CharField):
    """A user's primary key as text, whatever its type."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        key: Any = get_user_model()._meta.pk
        try:
            return key.clean(text, None)
        except ValidationError as error:
            raise ValidationError(_("This is not the key of a user."), code="invalid") from error


class UserFilter(CharFilter):
    """The rows of one user."""

    field_class = UserField


class OwnDeviceFilter(FilterSet):
    """A user's own devices."""

    status = ChoiceFilter(choices=_choices(reasons.STATUSES), help_text="Only devices of that status.")


class DeviceFilter(OwnDeviceFilter):
    """All devices."""

    user = UserFilter("user_id", help_text="Only devices of the user with that key.")
    username = CharFilter(method="of_username", help_text="Only devices of the user with exactly that name.")
    device_key = CharFilter("device_key", "startswith", help_text="Only devices whose key begins like this.")
    status_reason = ChoiceFilter(
        choices=_choices(reasons.STATUS_REASONS), help_text="Only where the status has that reason."
    )
    binding = ChoiceFilter(choices=_choices(reasons.BINDINGS), help_text="Only devices of that binding.")
    expires_after = MomentFilter("trust_expires_at", "gte", help_text="Only where trust was given until then or later.")
    expires_before = MomentFilter("trust_expires_at", "lt", help_text="Only where trust was given until before then.")
    last_used_after = MomentFilter("last_authenticated_at", "gte", help_text="Only devices used then or later.")
    last_used_before = MomentFilter("last_authenticated_at", "lt", help_text="Only devices last used before then.")

    def of_username(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(**{f"user__{get_user_model().USERNAME_FIELD}": value})


class OwnActivityFilter(FilterSet):
    """A user's own activity."""

    device_key = CharFilter("device_key", "exact", help_text="Only what is about the device with exactly that key.")
    action = ChoiceFilter(choices=_choices(reasons.ACTIONS), help_text="Only that action.")
    after = MomentFilter("created_at", "gte", help_text="Only what happened then or later.")
    before = MomentFilter("created_at", "lt", help_text="Only what happened before then.")


class ActivityFilter(OwnActivityFilter):
    """All activity."""

    user = UserFilter("user_id", help_text="Only what is about the user with that key.")
    actor = UserFilter("actor_id", help_text="Only what the user with that key did.")
    reason = CharFilter("reason", "exact", help_text="Only what has exactly that reason.")


def filters_of(filterset: type[FilterSet]) -> Mapping[str, Filter]:
    """Return the filters by the names that they have in a query."""
    found: Mapping[str, Filter] = filterset.base_filters  # type: ignore[attr-defined]
    return found
