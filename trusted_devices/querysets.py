"""What can be asked of the stored devices and events. A vocabulary; the rules are in ``policy``.

The models are made with these, so they name no model: ``DeviceQuerySet[Device]``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models import F, Q

from trusted_devices import database
from trusted_devices.types import DeviceStatus

Row = TypeVar("Row", bound=models.Model)


class ClaimableQuerySet(models.QuerySet[Row]):
    """Rows that several workers may share out among themselves."""

    def claim(self, *, wait: bool = False) -> Self:
        """Lock the rows until the transaction ends, leaving out those that another transaction holds.

        With ``wait``, and where the database has no ``SKIP LOCKED``, those are waited for.
        """
        features = database.connection().features
        if features.has_select_for_update:
            return self.select_for_update(skip_locked=features.has_select_for_update_skip_locked and not wait)
        # SQLite has one lock for all writers: a write, even of no row, takes it before the rows are read.
        self.model._base_manager.filter(pk=0).update(id=0)
        return self


class DeviceQuerySet(ClaimableQuerySet[Row]):
    """Queries over devices."""

    def of(self, user: Any) -> Self:
        """The devices of one user, given as instance or primary key."""
        return self.filter(user=user)

    def with_key(self, device_key: str) -> Row | None:
        """Return the one device of that key, if it is among these. One read by the unique index, in no order."""
        try:
            return self.get(device_key=device_key)
        except ObjectDoesNotExist:
            return None

    def remembered(self) -> Self:
        """The devices whose status is remembered, whatever their expiry."""
        return self.filter(status=DeviceStatus.REMEMBERED)

    def due(self, now: datetime, *, since: datetime | None = None) -> Self:
        """Remembered devices whose trust has ended, oldest expiry first; from ``since`` on where given."""
        due = self.remembered().filter(trust_expires_at__lte=now)
        if since is not None:
            due = due.filter(trust_expires_at__gte=since)
        return due.order_by("trust_expires_at")

    def dead(self, moment: datetime, *, since: datetime | None = None) -> Self:
        """Devices not remembered that nobody has used or changed since ``moment``, the longest dead first.

        From ``since`` on where given.
        """
        unused = Q(last_authenticated_at=None) | Q(last_authenticated_at__lt=moment)
        dead = self.filter(unused, status=DeviceStatus.NOT_REMEMBERED, modified_at__lt=moment)
        if since is not None:
            dead = dead.filter(modified_at__gte=since)
        return dead.order_by("modified_at")

    def trusted_since(self, moment: datetime) -> Self:
        """Devices that were last granted trust at ``moment`` or later, remembered or not."""
        return self.filter(trust_granted_at__gte=moment)

    def latest_used_first(self) -> Self:
        """In the order in which people look for a device."""
        return self.order_by(F("last_authenticated_at").desc(nulls_last=True), "-pk")


class DeviceEventQuerySet(ClaimableQuerySet[Row]):
    """Queries over the activity log."""

    def of(self, user: Any) -> Self:
        """The events of one user, newest first."""
        return self.filter(user=user).order_by("-created_at", "-pk")

    def older_than(self, moment: datetime, *, since: datetime | None = None) -> Self:
        """Events from before ``moment``, oldest first; from ``since`` on where given."""
        old = self.filter(created_at__lt=moment)
        if since is not None:
            old = old.filter(created_at__gte=since)
        return old.order_by("created_at")
