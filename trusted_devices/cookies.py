"""The device-key cookie: its whole format in one file.

One cookie per browser holds an entry for each user who trusted it, most recently used first, sealed as a whole.
Inside the seal is a JSON list of ``[user id, device key, secret, generation, group key, expiry]`` (expiry in epoch
seconds or null), and of ``[user id]`` for those who do not want to be asked about this browser. Clients without cookies
carry the same sealed value in a header.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from trusted_devices import conf
from trusted_devices.crypto.sealing import Sealer, Unsealable
from trusted_devices.types import DeviceCredential, Presented

CONTEXT = "device-key cookie v1"
MAX_LENGTH = 3072
"""Ceiling of the sealed value in bytes; with name and attributes it stays well under the 4096 that browsers keep."""
MAX_ENTRIES = 16
REVIVAL_PERIOD = timedelta(days=90)
"""How much longer than its trust a browser keeps its device key, so that trusting again revives the same device."""


@dataclass(frozen=True, slots=True)
class DeviceCookie:
    """The entries of one browser. ``unreadable`` when it brought something that is not ours;
    ``outdated`` when it was sealed under a key that has been rotated since. ``declined`` are the users (primary keys as
    text) who do not want to be asked whether to trust it."""

    entries: tuple[DeviceCredential, ...] = ()
    unreadable: bool = False
    outdated: bool = False
    declined: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing for the browser to keep."""
        return not self.entries and not self.declined

    def present(self, user_id: str) -> Presented:
        """Return what this browser brings along for the user with that primary key (as text)."""
        found = next((entry for entry in self.entries if entry.user_id == user_id), None)
        return Presented(credential=found, unreadable=self.unreadable)

    def put(self, credential: DeviceCredential) -> DeviceCookie:
        """Return a cookie in which ``credential`` is its user's only entry and the most recently used one."""
        entries = (credential, *self._others(credential.user_id))[:MAX_ENTRIES]
        return DeviceCookie(entries, declined=self._declined_without(credential.user_id))

    def drop(self, user_id: str) -> DeviceCookie:
        """Return a cookie without an entry for that user."""
        return DeviceCookie(self._others(user_id), declined=self.declined)

    def decline(self, user_id: str) -> DeviceCookie:
        """Return a cookie whose browser that user is not asked about."""
        declined = (user_id, *self._declined_without(user_id))[:MAX_ENTRIES]
        return DeviceCookie(self.entries, declined=declined)

    def ask_again(self, user_id: str) -> DeviceCookie:
        """Return a cookie whose browser that user is asked about as anybody is."""
        return DeviceCookie(self.entries, declined=self._declined_without(user_id))

    def tidied(self) -> DeviceCookie:
        """Return a cookie with the same content, to be sealed anew."""
        return DeviceCookie(self.entries, declined=self.declined)

    def _declined_without(self, user_id: str) -> tuple[str, ...]:
        return tuple(each for each in self.declined if each != user_id)

    def _others(self, user_id: str) -> tuple[DeviceCredential, ...]:
        return tuple(entry for entry in self.entries if entry.user_id != user_id)


def load(value: str | None) -> DeviceCookie:
    """Read what a browser sent. Never raises: anything but our own seal is an unreadable, empty cookie."""
    if not value:
        return DeviceCookie()
    if len(value) > MAX_LENGTH:
        return DeviceCookie(unreadable=True)
    try:
        opened = _sealer(conf.secret_keys()).open(value)
        return replace(_parse(opened.plaintext), outdated=opened.outdated)
    except (Unsealable, ValueError, TypeError, OverflowError):
        return DeviceCookie(unreadable=True)


def dump(cookie: DeviceCookie) -> str:
    """Return the sealed value, at most ``MAX_LENGTH`` bytes; the least recently used entries go first."""
    entries = list(cookie.entries)
    while True:
        value = _sealer(conf.secret_keys()).seal(_format(entries, cookie.declined))
        if len(value) <= MAX_LENGTH or not entries:
            return value
        entries.pop()


def max_age(cookie: DeviceCookie, now: datetime) -> timedelta:
    """Return how long the browser should keep it: the furthest expiry and the time for reviving, at most 400 days."""
    expiries = [entry.expires_at for entry in cookie.entries if entry.expires_at]
    furthest = max([now, *expiries]) + REVIVAL_PERIOD
    return min(furthest - now, conf.LONGEST_PERIOD)


def name() -> str:
    """Return the cookie's name with the ``__Host-`` prefix (RFC 6265bis, section 4.1.3) where the settings allow it."""
    options = conf.get_settings()
    host_only = conf.cookie_is_secure() and options.COOKIE_PATH == "/" and options.COOKIE_DOMAIN is None
    return ("__Host-" if host_only else "") + options.COOKIE_NAME


@lru_cache(maxsize=4)
def _sealer(keys: tuple[bytes, ...]) -> Sealer:
    return Sealer(keys=keys, context=CONTEXT)


def _format(entries: Sequence[DeviceCredential], declined: Sequence[str]) -> bytes:
    rows: list[list[Any]] = [
        [
            entry.user_id,
            entry.device_key,
            entry.secret,
            entry.generation,
            entry.group_key,
            int(entry.expires_at.timestamp()) if entry.expires_at else None,
        ]
        for entry in entries
    ]
    rows += [[user_id] for user_id in declined]
    return json.dumps(rows, separators=(",", ":")).encode()


def _parse(plaintext: bytes) -> DeviceCookie:
    entries, declined = [], []
    for row in json.loads(plaintext):
        match row:
            case [user_id]:
                declined.append(str(user_id))
            case _:
                entries.append(_entry(*row))
    return DeviceCookie(tuple(entries), declined=tuple(declined))


def _entry(
    user_id: Any, device_key: Any, secret: Any, generation: Any, group_key: Any, expiry: Any
) -> DeviceCredential:
    return DeviceCredential(
        user_id=str(user_id),
        device_key=str(device_key),
        secret=str(secret),
        generation=int(generation),
        group_key=str(group_key),
        expires_at=None if expiry is None else datetime.fromtimestamp(expiry, UTC),
    )
