"""An owner of devices elsewhere: what it has, what it is notified of, when it is away.

It must not be asked while a transaction is open, which would hold connection and locks for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import connection

from trusted_devices.backends import Backend
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import AlreadyAnswered, BackendUnavailable, DeviceNotFound
from trusted_devices.owners.remote import RemoteOwner
from trusted_devices.services import devices
from trusted_devices.types import Binding, DeviceStatus, NewDevice, OwnedDevice


def open_transactions():
    """How many transactions and savepoints are open on this thread's connection, but for those of a test case."""
    return sum(not block._from_testcase for block in connection.atomic_blocks)


class Elsewhere(RemoteOwner):
    """Everything is kept on the class, as owners are made anew for every use."""

    name = "elsewhere"
    owned: ClassVar[dict[Any, dict[str, OwnedDevice]]] = {}
    told: ClassVar[list[tuple[str, str]]] = []
    away: ClassVar[set[Any]] = set()
    turns: ClassVar[list[Any]] = []
    meanwhile: ClassVar[list[Callable[[], object]]] = []
    """What happens elsewhere while they are asked, once."""

    @classmethod
    def forget_everything(cls):
        for kept in (cls.owned, cls.told, cls.away, cls.turns, cls.meanwhile, GivesKeys.keys):
            kept.clear()

    @classmethod
    def has(cls, device, status="remembered", **details):
        there = OwnedDevice(device_key=device.device_key, status=DeviceStatus(status), **details)
        cls.owned.setdefault(device.user_id, {})[device.device_key] = there

    def _asked(self, about):
        assert open_transactions() == 0, "A transaction is held open while they are asked."
        while self.meanwhile:
            self.meanwhile.pop()()
        if about in self.away:
            raise BackendUnavailable

    def confirm_device(self, device):
        self._asked(device.device_key)
        there = OwnedDevice(device_key=device.device_key, status=DeviceStatus.NOT_REMEMBERED)
        if self.owned.setdefault(device.user_id, {}).setdefault(device.device_key, there) is not there:
            raise AlreadyAnswered
        self.told.append((device.device_key, "confirmed"))

    def update_device_status(self, device, status):
        self._asked(device.device_key)
        self.told.append((device.device_key, status.value))
        if device.device_key in self.owned.get(device.user_id, {}):
            self.has(device, status)

    def forget_device(self, device):
        self._asked(device.device_key)
        self.told.append((device.device_key, "forgotten"))
        self.owned.get(device.user_id, {}).pop(device.device_key, None)

    def in_background(self, act, *, user_id):
        self.turns.append(user_id)
        act()

    def writes_per_second(self):
        return 5.0

    def list_devices(self, user):
        self._asked(user.pk)
        if user.pk not in self.owned:
            raise DeviceNotFound
        yield from list(self.owned[user.pk].values())


class GivesKeys(Elsewhere):
    """One who gives out the keys, as a user pool does: each sign-in has one, the next of ``keys`` or a new one."""

    keys: ClassVar[list[str]] = []

    def new_device(self):
        return NewDevice(
            device_key=self.keys.pop() if self.keys else devices.new_device_key(),
            group_key="-ABCDEFGH",
            secret=device_secret.new_secret(),
            binding=Binding.SRP,
        )


class Away(RemoteOwner):
    """One that cannot be reached."""

    name = "away"

    def confirm_device(self, device):
        raise BackendUnavailable

    def update_device_status(self, device, status):
        raise BackendUnavailable

    def forget_device(self, device):
        raise BackendUnavailable


AWAY = Backend(owner="tests.services.owner.Away")
ELSEWHERE = Backend(owner="tests.services.owner.Elsewhere")
GIVES_KEYS = Backend(owner="tests.services.owner.GivesKeys")
