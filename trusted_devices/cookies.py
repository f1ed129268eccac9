"""The device-key cookie: its whole format in one file.

One cookie per browser holds an entry for each user who trusted it, most recently used first, sealed as a whole.
Inside the seal is a JSON list of ``[user id, device key, secret, generation, group key, expiry]`` (expiry in epoch
seconds or null), of ``[user id]`` for those who do not want to be asked about this browser, and of ``[user id,
expiry]`` for the last ones whose entry had to make room. Clients without cookies carry the same sealed value in a
header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from trusted_devices import conf
from trusted_devices.crypto.sealing import Sealer, Unsealable
from trusted_devices.types import DeviceCredential, Presented

CONTEXT = "device-key cookie v1"
MAX_LENGTH = 3072
"""Ceiling of the sealed value in bytes; with name and attributes it stays well under the 4096 that browsers keep."""
MAX_ENTRIES = 16
MAX_DISPLACED = 4
LONGEST_DISPLACED = 40
"""Of a user id that is noted as displaced: notes must not take the room of entries."""
REVIVAL_PERIOD = timedelta(days=90)
"""How much longer than its trust a browser keeps its device key, so that trusting again revives the same device."""


@dataclass(frozen=True, slots=True)
class DeviceCookie:
    """The entries of one browser. ``unreadable`` when it brought something that is not ours;
    ``outdated`` when it was sealed under a key that has been rotated since. ``declined`` are the users (primary keys as
    text) who do not want to be asked whether to trust it; ``displaced`` those whose entry had to make room for others',
    with the expiry that it had."""

    entries: tuple[DeviceCredential, ...] = ()
    unreadable: bool = False
    outdated: bool = False
    declined: tuple[str, ...] = ()
    displaced: Mapping[str, datetime] = field(default_factory=dict)

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
        mine = credential.user_id
        held = self._changed(
            entries=(credential, *self._others(mine)),
            declined=self._declined_without(mine),
            displaced=self._displaced_without(mine),
        )
        return held if len(held.entries) <= MAX_ENTRIES else held.without_oldest()

    def drop(self, user_id: str) -> DeviceCookie:
        """Return a cookie without an entry for that user."""
        return self._changed(entries=self._others(user_id), displaced=self._displaced_without(user_id))

    def decline(self, user_id: str) -> DeviceCookie:
        """Return a cookie whose browser that user is not asked about."""
        declined = (user_id, *self._declined_without(user_id))[:MAX_ENTRIES]
        return self._changed(declined=declined)

    def ask_again(self, user_id: str) -> DeviceCookie:
        """Return a cookie whose browser that user is asked about as anybody is."""
        return self._changed(declined=self._declined_without(user_id))

    def tidied(self) -> DeviceCookie:
        """Return a cookie with the same content, to be sealed anew."""
        return self._changed()

    def without_oldest(self) -> DeviceCookie:
        """Return a cookie without the least recently used entry, whose user is noted as displaced."""
        *kept, gone = self.entries
        displaced = dict(self.displaced)
        if gone.expires_at is not None and gone.user_id.isascii() and len(gone.user_id) <= LONGEST_DISPLACED:
            displaced = {gone.user_id: gone.expires_at, **displaced}
        return self._changed(entries=tuple(kept), displaced=dict(islice(displaced.items(), MAX_DISPLACED)))

    def _changed(self, **changes: Any) -> DeviceCookie:
        return replace(self, unreadable=False, outdated=False, **changes)

    def _displaced_without(self, user_id: str) -> Mapping[str, datetime]:
        return {each: expiry for each, expiry in self.displaced.items() if each != user_id}

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
    while True:
        value = _sealer(conf.secret_keys()).seal(_format(cookie))
        if len(value) <= MAX_LENGTH or not cookie.entries:
            return value
        cookie = cookie.without_oldest()


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


def _format(cookie: DeviceCookie) -> bytes:
    rows: list[list[Any]] = [
        [
            entry.user_id,
            entry.device_key,
            entry.secret,
            entry.generation,
            entry.group_key,
            int(entry.expires_at.timestamp()) if entry.expires_at else None,
        ]
        for entry in cookie.entries
    ]
    rows += [[user_id] for user_id in cookie.declined]
    rows += [[user_id, int(expiry.timestamp())] for user_id, expiry in cookie.displaced.items()]
    return json.dumps(rows, separators=(",", ":")).encode()


def _parse(plaintext: bytes) -> DeviceCookie:
    entries, declined, displaced = [], [], {}
    for row in json.loads(plaintext):
        match row:
            case [user_id]:
                declined.append(str(user_id))
            case [user_id, expiry]:
                displaced[str(user_id)] = datetime.fromtimestamp(expiry, UTC)
            case _:
                entries.append(_entry(*row))
    return DeviceCookie(tuple(entries), declined=tuple(declined), displaced=displaced)


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
