"""The interface of an owner of devices, and the rule of a site that keeps them itself.

The ``Device`` rows are what every door reads. A service asks the owner of the devices for a change, and writes the rows
within the block that the owner opens. How the owner is notified (not at all, before the rows are written, or after; at
once or in the background) is the owner's own business: nobody else asks where the devices are kept.

An owner over a network is a subclass of :class:`trusted_devices.owners.remote.RemoteOwner`. Owners send no signals,
write no rows, and hold no rule about trust. ``trusted_devices.testing.contracts.DeviceOwnerContract`` says what the
services rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from trusted_devices import database
from trusted_devices.models import Device
from trusted_devices.types import NewDevice, OwnedDevice

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.core.checks import CheckMessage


class Change(StrEnum):
    """What an owner is notified of."""

    REMEMBERED = "remembered"
    NOT_REMEMBERED = "not_remembered"
    FORGOTTEN = "forgotten"


Write = Callable[[Sequence[Device]], object]
"""Writes the rows of devices whose trust has ended, and logs it."""


class DeviceOwner:
    """Who keeps the devices. As it stands, it is the site: the rows are the devices, and nobody is notified.

    Instances are cheap and are made anew for every use.
    """

    name: ClassVar[str]
    """What the settings call it."""
    batch_size: ClassVar[int] = 500
    """How many devices one step of a bulk operation changes."""
    has_own_list: ClassVar[bool] = False
    """Whether its devices may differ from the rows, so that ``sync_devices`` compares the two."""

    def new_device(self) -> NewDevice | None:
        """Return what the device that is to be registered now is called; ``None`` leaves that to the site.

        Raises ``TrustNotAllowed`` where there is no device to register.
        """
        return None

    @contextmanager
    def registering(self, device: Device, *, remembered: bool) -> Iterator[None]:
        """Register a new device, and have it ``remembered``; the block stores its row, in a transaction.

        Raises ``AlreadyAnswered`` if the key has been registered, ``BackendUnavailable``.
        """
        with database.atomic():
            yield

    @contextmanager
    def changing(self, devices: Sequence[Device], change: Change) -> Iterator[Sequence[Device]]:
        """Have ``devices`` changed; the block writes the rows of those that it is given, in a transaction.

        Raises ``BackendUnavailable`` after the block if not all could be changed.
        """
        with database.atomic():
            yield devices

    def notify_later(self, devices: Sequence[Device], change: Change) -> None:
        """Notify the owner of a change, if it can be reached, once the running transaction has committed.

        For trust that ends here whether or not the owner can be notified; ``sync_devices`` makes up for it.
        """

    @contextmanager
    def holding(self, device: Device) -> Iterator[Device | None]:
        """Return ``device`` as stored now, ``None`` if it is gone, for a block that changes it.

        Its row stays locked during the block, where no owner has to be notified meanwhile.
        """
        with database.atomic():
            yield Device.objects.select_for_update().filter(pk=device.pk).first()

    def expire_due(self, write: Write, *, now: datetime, batch_size: int) -> Iterator[int]:
        """Have ``write`` make the devices whose trust has ended not remembered, oldest expiry first.

        Yield how many each batch changed. Where nothing is due, one query says so and nothing is locked. Any number
        of sweeps may run at once.

        The last expiry is carried forward from batch to batch: rows already changed need not be stepped over again,
        which matters while an old open transaction keeps their dead versions in the index.
        """
        since = Device.objects.due(now).values_list("trust_expires_at", flat=True).first()
        while since is not None:
            with database.atomic():
                claimed = list(Device.objects.due(now, since=since).claim()[:batch_size])
                if claimed:
                    write(claimed)
            if claimed:
                yield len(claimed)
            since = claimed[-1].trust_expires_at if len(claimed) == batch_size else None

    def writes_per_second(self) -> float | None:
        """Return how many changes of status a second all background work shares; ``None``: as many as it can."""
        return None

    def publish(self, user_id: Any) -> None:
        """Publish until when which devices of that user are trusted, where the owner has a place for it.

        Nothing on this site depends on it. Call it outside of transactions.
        """

    def publish_later(self, user_ids: Iterable[Any]) -> None:
        """Publish for several users once the running transaction has committed."""

    def list_devices(self, user: AbstractBaseUser) -> Iterator[OwnedDevice]:
        """Yield the user's devices as their owner has them.

        Raises ``BackendUnavailable``, ``DeviceNotFound`` where the user is not known, and ``NotImplementedError``
        where the rows are all there is.
        """
        raise NotImplementedError

    def correct(self, device: Device) -> None:
        """Have a device not remembered that its owner alone remembers, in the background.

        Raises ``BackendUnavailable``.
        """

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with the owner's own configuration."""
        return []

    def check_deployment(self) -> list[CheckMessage]:
        """Return what is wrong at the owner's end; may ask over the network."""
        return []
