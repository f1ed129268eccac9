"""What can be asked of the stored devices and events. A vocabulary; the rules are in ``policy``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F

from trusted_devices.types import DeviceStatus

if TYPE_CHECKING:
    from trusted_devices.models import Device, DeviceEvent  # noqa: F401 - named in quotes


class DeviceQuerySet(models.QuerySet["Device"]):
    """Queries over devices."""

    def of(self, user: Any) -> DeviceQuerySet:
        """The devices of one user."""
        return self.filter(user=user)

    def remembered(self) -> DeviceQuerySet:
        """The devices whose status is remembered, whatever their expiry."""
        return self.filter(status=DeviceStatus.REMEMBERED)

    def due(self, now: datetime, *, since: datetime | None = None) -> DeviceQuerySet:
        """Remembered devices whose trust has ended, oldest expiry first; from ``since`` on where given."""
        due = self.remembered().filter(trust_expires_at__lte=now)
        if since is not None:
            due = due.filter(trust_expires_at__gte=since)
        return due.order_by("trust_expires_at", "pk")

    def latest_used_first(self) -> DeviceQuerySet:
        """In the order in which people look for a device."""
        return self.order_by(F("last_authenticated_at").desc(nulls_last=True), "-pk")


class DeviceEventQuerySet(models.QuerySet["DeviceEvent"]):
    """Queries over the activity log."""

    def of(self, user: Any) -> DeviceEventQuerySet:
        """The events of one user, newest first."""
        return self.filter(user=user).order_by("-created_at", "-pk")

    def older_than(self, moment: datetime) -> DeviceEventQuerySet:
        """Events from before ``moment``, oldest first."""
        return self.filter(created_at__lt=moment).order_by("created_at", "pk")
