"""What is done to devices: rename, stop trusting, forget, end all trust."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices import conf, database
from trusted_devices.exceptions import DeviceNotFound, InvalidDeviceName, InvalidExpiry
from trusted_devices.models import STAMP_DOT, Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import Change
from trusted_devices.services import activity, sessions, transitions
from trusted_devices.types import By, StatusReason
from trusted_devices.words import names

_KEY = re.compile(r"[\x21-\x7e]{1,55}")


LONGEST_NAME = 1024
"""Of a name that an app gave, as Cognito takes it; users' own are as long as the site allows."""


def clean_name(name: str, *, longest: int | None = None) -> str:
    """Return ``name`` in the form in which it is stored. Raises ``InvalidDeviceName``."""
    cleaned = names.clean(name, longest=longest or conf.get_settings().MAX_NAME_LENGTH)
    if database.storable(cleaned, Device, "name") != cleaned:
        raise InvalidDeviceName("unstorable")
    return cleaned


def shown_name(name: str, *, longest: int) -> str:
    """Return what can be stored and shown of a name that an app gives, at most ``longest`` characters."""
    return names.shown(database.storable(name, Device, "name"), longest=longest)


def why_refused(error: InvalidDeviceName) -> str:
    """Return what to say of a name that was refused."""
    return names.why_refused(error, longest=conf.get_settings().MAX_NAME_LENGTH)


def new_device_key() -> str:
    """Return a fresh device key, ``<region>_<uuid>``."""
    return f"{conf.get_settings().REGION}_{uuid.uuid4()}"


def new_group_key() -> str:
    """Return a fresh device group key: ``-`` and eight letters or digits."""
    return "-" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))


def may_be_key(text: str) -> bool:
    """Return whether ``text`` could be a device key at all. Some databases refuse to look for what could not."""
    return _KEY.fullmatch(text) is not None


def get(*, user: AbstractBaseUser, device_key: str) -> Device:
    """Return one of the user's devices. Raises ``DeviceNotFound``, also for another user's."""
    device = Device.objects.of(user).with_key(device_key) if may_be_key(device_key) else None
    if device is None:
        raise DeviceNotFound
    return device


def rename(*, device: Device, name: str, by: By) -> Device:
    """Give a device a name. Raises ``InvalidDeviceName``, and ``DeviceNotFound`` if it was forgotten meanwhile."""
    return _name(device, clean_name(name), by)


def undo_rename(*, device: Device, previous: str, by: By) -> Device:
    """Give a device back the name that it had before, which may be none. Raises as :func:`rename` does."""
    return _name(device, clean_name(previous, longest=LONGEST_NAME) if previous else "", by)


def _name(device: Device, name: str, by: By) -> Device:
    with database.atomic():
        if not transitions.renamed(device, name=name, by=by):
            raise DeviceNotFound
    return device


def stop_trusting(
    devices: Sequence[Device],
    *,
    reason: StatusReason,
    end_sessions: bool = False,
    by: By,
) -> int:
    """Make devices not remembered; return how many were remembered. MFA is asked at their next sign-in.

    Raises ``BackendUnavailable`` if their owner could not be notified of all of them.
    """
    with get_owner().changing(devices, Change.NOT_REMEMBERED) as notified:
        stopped = transitions.not_remembered(notified, reason=reason, by=by)
        if end_sessions:
            sessions.end(devices)
    return len(stopped)


def stop_at_all_costs(
    devices: Sequence[Device],
    *,
    reason: StatusReason,
    end_sessions: bool = False,
    by: By,
) -> int:
    """Do the same whether or not their owner can be notified, who is notified once it is committed.

    That trust ends here is enough to have MFA asked. ``services.comparison`` notifies an owner who was away.
    """
    with database.atomic():
        stopped = transitions.not_remembered(devices, reason=reason, by=by)
        if end_sessions:
            sessions.end(devices)
        get_owner().notify_later(stopped, Change.NOT_REMEMBERED)
    return len(stopped)


def end_trust(
    *,
    user: Any,
    reason: StatusReason,
    except_key: str = "",
    end_sessions: bool = False,
    by: By,
) -> int:
    """End the trust in all of a user's devices except the one with ``except_key``; return how many were remembered.

    ``user`` is an instance or a primary key. ``end_sessions`` ends the live sessions of all of them, also of those
    that were not remembered any more.
    """
    devices = Device.objects.of(user).exclude(device_key=except_key)
    found = list(devices if end_sessions else devices.remembered())
    if not found:
        return 0
    return stop_at_all_costs(found, reason=reason, end_sessions=end_sessions, by=by)


def shorten_trust(devices: Sequence[Device], *, until: datetime, by: By) -> int:
    """Let the trust in devices end at ``until``; return for how many that is sooner than it would have ended.

    Trust is never lengthened: devices whose trust ends sooner, and those not remembered, stay as they are.
    Raises ``InvalidExpiry`` unless ``until`` is later than ``by.at``.
    """
    if until <= by.at:
        raise InvalidExpiry
    with database.atomic():
        shortened = transitions.shortened(devices, until=until, by=by)
        get_owner().publish_later({device.user_id for device in shortened})
    return len(shortened)


def mark_compromised(device: Device, *, by: By) -> None:
    """End trust and sessions of a device whose superseded secret came back, and tell the user and the log, once.

    Its owner is notified once that is committed; failing that, ``services.comparison`` notifies it later.
    """
    with database.atomic():
        if transitions.compromised(device, by=by):
            sessions.end([device])
            get_owner().notify_later([device], Change.NOT_REMEMBERED)


def forget(devices: Sequence[Device], *, told: Collection[Any] = (), by: By) -> int:
    """Remove devices from their users' profiles and end their live sessions; return how many there were.

    ``told`` are keys of users who know of this act already. Forgetting twice is no error.
    Raises ``BackendUnavailable`` if their owner could not be asked to forget all of them; some may be forgotten.
    """
    with get_owner().changing(devices, Change.FORGOTTEN) as notified:
        # The lock keeps a sign-in from noting a session that would be overlooked here.
        keys = [device.pk for device in notified]
        stored = list(Device.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
        sessions.end(stored)
        transitions.forgotten(stored, told=told, by=by)
    return len(stored)


def forget_all(*, user: AbstractBaseUser, except_key: str = "", by: By) -> int:
    """Forget all of a user's devices except the one with ``except_key``; return how many there were."""
    return forget(list(Device.objects.of(user).exclude(device_key=except_key)), by=by)


def follow_password(
    *, user: AbstractBaseUser, stamp: str, old_stamp: str = "", only_key: str | None = None, by: By
) -> int:
    """End the trust that was given under another password hash than the one with ``stamp``; return how much it was.

    Both stamps are of the password alone. With ``old_stamp``, that of the hash before, trust is carried over first
    (``transitions.restamped``).
    """
    if old_stamp:
        transitions.restamped(user, old_stamp=old_stamp, new_stamp=stamp, only_key=only_key)
    given = Device.objects.of(user).remembered().exclude(credential_stamp="")
    stale = list(given.exclude(credential_stamp__startswith=stamp + STAMP_DOT))
    if not stale:
        return 0
    return stop_at_all_costs(stale, reason=StatusReason.PASSWORD_CHANGED, by=by)


def erase(*, user: AbstractBaseUser) -> None:
    """Remove the devices of an account that is about to be deleted, and what identifies it in the log.

    Devices go before anything else of the account, so that nothing that goes with it has any trust left to end.
    """
    with database.atomic():
        activity.erase(user)
        transitions.erased(user)
