"""An owner that is notified of every change over a network. A subclass says how; this says when.

The owner is asked *before* the rows are written, so that one who refuses or cannot be reached leaves them as they were;
only where trust ends at all costs is it notified afterwards. No transaction is open and no row is locked meanwhile,
unless a caller has a transaction around it all, as ``ATOMIC_REQUESTS`` does.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any

from django.core.cache import cache
from django.db import Error, IntegrityError

from trusted_devices import database
from trusted_devices.exceptions import BackendUnavailable, TrustedDevicesError
from trusted_devices.keyset import Order
from trusted_devices.models import Device
from trusted_devices.owners.base import Change, DeviceOwner, Write
from trusted_devices.types import DeviceStatus

logger = logging.getLogger(__name__)

AT_ONCE = 5
"""Changes of more devices than this wait for their turn in the budget of background work."""
SWEEP_BATCH = 20
CLAIM_SECONDS = 120
"""For how long a sweep has a device to itself, in a cache that the workers share. Without one they do double work."""
GIVE_UP_AFTER = 3
"""Failures in a row. One device that fails must not hold up the others; an owner that is away is not asked on."""
_OLDEST_FIRST = Order("trust_expires_at")


class RemoteOwner(DeviceOwner):
    """Subclasses carry out single changes: :meth:`confirm_device`, :meth:`update_device_status`, ..."""

    batch_size = 10  # each device costs a call, and a page is waiting
    has_own_list = True

    @abstractmethod
    def confirm_device(self, device: Device) -> None:
        """Register a new device. Raises ``AlreadyAnswered`` if the key has been registered, ``BackendUnavailable``."""

    @abstractmethod
    def update_device_status(self, device: Device, status: DeviceStatus) -> None:
        """Remember a device or no longer. Raises ``BackendUnavailable``."""

    @abstractmethod
    def forget_device(self, device: Device) -> None:
        """Remove a device. One that is already gone is no error. Raises ``BackendUnavailable``."""

    def in_background(self, call: Callable[[], None], *, user_id: Any) -> None:
        """Do ``call`` when background work on that user's devices has its turn; repeat it after a refusal for load.

        Raises ``BackendUnavailable``.
        """
        call()

    @property
    def publishes_expiry(self) -> bool:
        """Whether :meth:`publish_expiry` does anything."""
        return False

    def publish_expiry(self, user_id: Any, dates: Mapping[str, datetime]) -> None:
        """Publish until when which devices (``dates``, by key) of that user are trusted.

        Raises ``BackendUnavailable``.
        """

    @contextmanager
    def registering(self, device: Device, *, remembered: bool) -> Iterator[None]:
        self.confirm_device(device)
        try:
            if remembered:
                self.update_device_status(device, DeviceStatus.REMEMBERED)
            with database.atomic():
                yield
        except Exception as error:
            if not (isinstance(error, IntegrityError) and _is_stored(device)):  # by the request that was first
                self._take_back(device)
            raise

    @contextmanager
    def changing(self, devices: Sequence[Device], change: Change) -> Iterator[Sequence[Device]]:
        if change is Change.NOT_REMEMBERED:
            devices = [device for device in devices if device.is_remembered]
        notified, failure = self._notify(devices, change)
        if failure is not None and change is Change.REMEMBERED:
            raise failure
        try:
            with database.atomic():
                yield notified
        except (TrustedDevicesError, Error):
            if change is Change.REMEMBERED:
                for device in notified:
                    self.update_device_status(device, DeviceStatus.NOT_REMEMBERED)
            raise
        if failure is not None:
            raise failure

    def notify_later(self, devices: Sequence[Device], change: Change) -> None:
        database.on_commit(partial(self._notify, devices, change))

    @contextmanager
    def holding(self, device: Device) -> Iterator[Device | None]:
        yield Device.objects.filter(pk=device.pk).first()

    def expire_due(self, write: Write, *, now: datetime, batch_size: int) -> Iterator[int]:
        """As :meth:`DeviceOwner.expire_due`, one by one, at the rate that all background work shares.

        The owner is notified of a device first and the row is written then: a worker that dies in between leaves it
        due, and notifying twice is the same as once. Raises ``BackendUnavailable`` after several failures in a row.
        """
        batch_size = min(batch_size, SWEEP_BATCH)
        due = Device.objects.due(now)
        failures = 0
        batch = list(_OLDEST_FIRST.beyond(due, None)[:batch_size])
        while batch:
            expired = 0
            for device in filter(_claim, batch):
                try:
                    expired += self._expire(device, write, now)
                    failures = 0
                except BackendUnavailable:
                    _release(device)
                    failures += 1
                    if failures == GIVE_UP_AFTER:
                        yield expired
                        raise
                    logger.warning("Device %s is left to the next sweep.", device.device_key)
            yield expired
            batch = list(_OLDEST_FIRST.beyond(due, _OLDEST_FIRST.place(batch[-1]))[:batch_size])

    def publish(self, user_id: Any) -> None:
        if not self.publishes_expiry:
            return
        remembered = Device.objects.of(user_id).remembered().values_list("device_key", "trust_expires_at")
        try:
            self.publish_expiry(user_id, {key: until for key, until in remembered if until is not None})
        except BackendUnavailable:
            logger.warning("Until when the devices of user %s are trusted could not be published.", user_id)

    def publish_later(self, user_ids: Iterable[Any]) -> None:
        for user_id in user_ids:
            database.on_commit(partial(self.publish, user_id))

    def correct(self, device: Device) -> None:
        self._update_in_background(device, DeviceStatus.NOT_REMEMBERED)

    def _notify(self, devices: Sequence[Device], change: Change) -> tuple[Sequence[Device], BackendUnavailable | None]:
        """Return the devices of which the owner was notified, and what kept it from being notified of the rest.

        The rows of the former are written whatever came after them, so that both sides agree.
        """
        notified: list[Device] = []
        for device in devices:
            call = partial(self._carry_out, device, change)
            try:
                if len(devices) > AT_ONCE:
                    self.in_background(call, user_id=device.user_id)
                else:
                    call()
            except BackendUnavailable as error:
                counts = len(devices), len(notified)
                logger.error("Of %s devices the owner was notified of %s only, not of %s.", *counts, device.device_key)  # noqa: TRY400
                return notified, error
            notified.append(device)
        return notified, None

    def _carry_out(self, device: Device, change: Change) -> None:
        if change is Change.FORGOTTEN:
            self.forget_device(device)
        else:
            self.update_device_status(device, DeviceStatus(change.value))

    def _update_in_background(self, device: Device, status: DeviceStatus) -> None:
        self.in_background(partial(self.update_device_status, device, status), user_id=device.user_id)

    def _expire(self, device: Device, write: Write, now: datetime) -> bool:
        self._update_in_background(device, DeviceStatus.NOT_REMEMBERED)
        with database.atomic():
            still_due = list(Device.objects.filter(pk=device.pk).due(now).claim(wait=True))
            if still_due:
                write(still_due)
                return True
        # Trust may have been given while the owner was notified that there is none.
        if Device.objects.filter(pk=device.pk).remembered().exists():
            self._update_in_background(device, DeviceStatus.REMEMBERED)
        return False

    def _take_back(self, device: Device) -> None:
        try:
            self.forget_device(device)
        except BackendUnavailable:
            logger.warning("Device %s is left over at its owner; nobody holds its secret.", device.device_key)


def _is_stored(device: Device) -> bool:
    return Device.objects.filter(device_key=device.device_key).exists()


def _claim(device: Device) -> bool:
    try:
        return bool(cache.add(_claim_key(device), 1, CLAIM_SECONDS))
    except Exception as error:  # noqa: BLE001 - whatever the site's cache raises: claims only save double work
        logger.warning("Devices cannot be claimed (%s).", type(error).__name__)
        return True


def _release(device: Device) -> None:
    with suppress(Exception):  # whatever the site's cache raises; the claim lapses by itself
        cache.delete(_claim_key(device))


def _claim_key(device: Device) -> str:
    assert device.trust_expires_at is not None  # it is due
    return f"trusted_devices:expiring:{device.pk}:{device.trust_expires_at.timestamp():.0f}"
