"""What is done to devices: rename, stop trusting, forget, end all trust."""

from __future__ import annotations

import dataclasses
import re
import secrets
import string
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from trusted_devices import conf, signals
from trusted_devices.backends import get_backend
from trusted_devices.exceptions import DeviceNotFound, InvalidExpiry
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import activity, publishing, sessions, telling
from trusted_devices.types import (
    ClientInfo,
    DeviceCredential,
    DeviceStatus,
    EventAction,
    StatusReason,
)
from trusted_devices.words import names

NOBODY = activity.NOBODY
_KEY = re.compile(r"[\x21-\x7e]{1,55}")


def clean_name(name: str) -> str:
    """Return ``name`` in the form in which it is stored. Raises ``InvalidDeviceName``."""
    return names.clean(name, longest=conf.get_settings().MAX_NAME_LENGTH)


def new_device_key() -> str:
    """Return a fresh device key, ``<region>_<uuid>``."""
    return f"{conf.get_settings().REGION}_{uuid.uuid4()}"


def new_group_key() -> str:
    """Return a fresh device group key: ``-`` and eight letters or digits."""
    return "-" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))


def may_be_key(text: str) -> bool:
    """Return whether ``text`` could be a device key at all. Some databases refuse to look for what could not."""
    return _KEY.fullmatch(text) is not None


def get(*, user: Any, device_key: str) -> Device:
    """Return one of the user's devices. Raises ``DeviceNotFound``, also for somebody else's."""
    device = Device.objects.of(user).with_key(device_key) if may_be_key(device_key) else None
    if device is None:
        raise DeviceNotFound
    return device


def with_expiry(credential: DeviceCredential, expires_at: datetime | None) -> DeviceCredential:
    """Return ``credential`` with another expiry."""
    return dataclasses.replace(credential, expires_at=expires_at)


def rename(
    *, device: Device, name: str, actor: Any, client: ClientInfo = NOBODY, now: datetime | None = None
) -> Device:
    """Give a device a name. Raises ``InvalidDeviceName``, and ``DeviceNotFound`` if it was forgotten meanwhile."""
    return _name(device, clean_name(name), actor=actor, client=client, now=now or timezone.now())


def undo_rename(
    *, device: Device, previous: str, actor: Any, client: ClientInfo = NOBODY, now: datetime | None = None
) -> Device:
    """Give a device back the name that it had before, which may be none. Raises as :func:`rename` does."""
    name = clean_name(previous) if previous else ""
    return _name(device, name, actor=actor, client=client, now=now or timezone.now())


def _name(device: Device, name: str, *, actor: Any, client: ClientInfo, now: datetime) -> Device:
    with transaction.atomic():
        if not Device.objects.filter(pk=device.pk).update(name=name, modified_at=now):
            raise DeviceNotFound
        activity.record(EventAction.RENAMED, device=device, actor=actor, client=client, now=now)
    device.name, device.modified_at = name, now
    return device


def stop_trusting(
    devices: Sequence[Device],
    *,
    reason: StatusReason,
    actor: Any = None,
    note: str = "",
    end_sessions: bool = False,
    at_all_costs: bool = False,
    client: ClientInfo = NOBODY,
    now: datetime | None = None,
) -> int:
    """Make devices not remembered; return how many were remembered. MFA is asked at their next sign-in.

    Raises ``BackendUnavailable``; unless, ``at_all_costs``, trust is to end here whoever cannot be told of it. That
    is enough to have MFA asked. They are told once it is committed; failing that, ``services.sync`` tells them later.
    """
    now = now or timezone.now()
    backend, told, failure = get_backend(), list(devices), None
    if backend.is_remote and not at_all_costs:
        remembered = [device for device in devices if device.is_remembered]
        told, failure = telling.tell(backend, remembered, telling.no_longer_remembered)
    with transaction.atomic():
        keys = [device.pk for device in told]
        stopped = list(Device.objects.select_for_update().filter(pk__in=keys).remembered().order_by("pk"))
        if not backend.is_remote:
            for device in stopped:
                backend.update_device_status(device, DeviceStatus.NOT_REMEMBERED)
        _stop(stopped, reason=reason, actor=actor, note=note, client=client, now=now)
        if end_sessions:
            sessions.end(devices)
        if backend.is_remote and at_all_costs:
            telling.tell_later(stopped)
    if failure is not None:
        raise failure
    return len(stopped)


def end_trust(
    *,
    user: Any,
    reason: StatusReason,
    actor: Any = None,
    except_key: str = "",
    end_sessions: bool = False,
    now: datetime | None = None,
) -> int:
    """End the trust in all of a user's devices except the one with ``except_key``; return how many were remembered.

    ``end_sessions`` ends the live sessions of all of them, also of those that were not remembered any more.
    """
    devices = Device.objects.of(user).exclude(device_key=except_key)
    found = list(devices if end_sessions else devices.remembered())
    if not found:
        return 0
    return stop_trusting(found, reason=reason, actor=actor, end_sessions=end_sessions, at_all_costs=True, now=now)


def shorten_trust(
    devices: Sequence[Device],
    *,
    until: datetime,
    actor: Any = None,
    note: str = "",
    client: ClientInfo = NOBODY,
    now: datetime | None = None,
) -> int:
    """Let the trust in devices end at ``until``; return for how many that is sooner than it would have ended.

    Trust is never lengthened: devices whose trust ends sooner, and those not remembered, stay as they are.
    Raises ``InvalidExpiry`` unless ``until`` is later than ``now``.
    """
    now = now or timezone.now()
    if until <= now:
        raise InvalidExpiry
    with transaction.atomic():
        later = Device.objects.remembered().filter(trust_expires_at__gt=until)
        shortened = list(later.select_for_update().filter(pk__in=[device.pk for device in devices]))
        for device in shortened:
            device.trust_expires_at, device.modified_at = until, now
        Device.objects.filter(pk__in=[device.pk for device in shortened]).update(
            trust_expires_at=until, modified_at=now
        )
        DeviceEvent.objects.bulk_create(
            activity.build(
                EventAction.SHORTENED,
                device=device,
                actor=actor,
                note=note,
                client=client,
                now=now,
            )
            for device in shortened
        )
        publishing.publish_later({device.user_id for device in shortened})
    return len(shortened)


def mark_compromised(device: Device, *, client: ClientInfo, now: datetime) -> None:
    """End trust and sessions of a device whose superseded secret came back, and tell the user and the log, once.

    The backend is told once that is committed; failing that, ``services.sync`` tells it later.
    """
    with transaction.atomic():
        known = Device.objects.select_for_update().filter(pk=device.pk).exclude(status_reason=StatusReason.COMPROMISED)
        if known.first() is None:
            return
        _stop([device], reason=StatusReason.COMPROMISED, actor=None, note="", client=client, now=now)
        sessions.end([device])
        activity.record(
            EventAction.COMPROMISED,
            device=device,
            reason=StatusReason.COMPROMISED,
            client=client,
            now=now,
        )
        activity.announce(signals.device_compromised, device=device, client=client)
        telling.tell_later([device])


def forget(
    devices: Sequence[Device],
    *,
    actor: Any = None,
    note: str = "",
    client: ClientInfo = NOBODY,
    spare_session: str = "",
    now: datetime | None = None,
) -> int:
    """Remove devices from their users' profiles and end their live sessions; return how many there were.

    ``spare_session`` is the key of a session that the caller ends by itself. Forgetting twice is no error.
    Raises ``BackendUnavailable``; where somebody else owns the devices, some may be forgotten already.
    """
    backend, failure = get_backend(), None
    if backend.is_remote:
        devices, failure = telling.tell(backend, devices, telling.forgotten)
    with transaction.atomic():
        forgotten = _forget(
            devices, actor=actor, note=note, client=client, spare=spare_session, now=now or timezone.now()
        )
    if failure is not None:
        raise failure
    return forgotten


def forget_all(
    *,
    user: Any,
    except_key: str = "",
    actor: Any = None,
    note: str = "",
    client: ClientInfo = NOBODY,
    now: datetime | None = None,
) -> int:
    """Forget all of a user's devices except the one with ``except_key``; return how many there were."""
    others = list(Device.objects.of(user).exclude(device_key=except_key))
    return forget(others, actor=actor, note=note, client=client, now=now)


def restamp(*, user: Any, old_stamp: str, new_stamp: str, only_key: str | None = None) -> None:
    """Carry trust over from one password hash to the next, for all devices or only for the one with ``only_key``."""
    carried = Device.objects.of(user).filter(password_stamp=old_stamp)
    if only_key is not None:
        carried = carried.filter(device_key=only_key)
    carried.update(password_stamp=new_stamp)


def follow_password(
    *,
    user: Any,
    stamp: str,
    old_stamp: str = "",
    only_key: str | None = None,
    actor: Any = None,
    now: datetime | None = None,
) -> int:
    """End the trust that was given under another password hash than the one with ``stamp``; return how much it was.

    With ``old_stamp``, that of the hash before, trust is carried over first (see :func:`restamp`).
    """
    if old_stamp:
        restamp(user=user, old_stamp=old_stamp, new_stamp=stamp, only_key=only_key)
    stale = list(Device.objects.of(user).remembered().exclude(password_stamp__in=["", stamp]))
    if not stale:
        return 0
    return stop_trusting(stale, reason=StatusReason.PASSWORD_CHANGED, actor=actor, at_all_costs=True, now=now)


def erase(*, user: Any) -> None:
    """Remove the devices of an account that is about to be deleted, and what identifies it in the log.

    Devices go before anything else of the account, so that nothing that goes with it has any trust left to end.
    """
    with transaction.atomic():
        activity.erase(user)
        Device.objects.of(user).delete()


def _stop(
    devices: Sequence[Device],
    *,
    reason: StatusReason,
    actor: Any,
    note: str,
    client: ClientInfo,
    now: datetime,
) -> None:
    changes = {
        "status": DeviceStatus.NOT_REMEMBERED,
        "status_reason": reason,
        "status_changed_at": now,
        "modified_at": now,
    }
    events = []
    for device in devices:
        for field, value in changes.items():
            setattr(device, field, value)
        events.append(
            activity.build(
                EventAction.NOT_REMEMBERED,
                device=device,
                reason=reason,
                actor=actor,
                note=note,
                client=client,
                now=now,
            )
        )
        activity.announce(signals.device_not_remembered, device=device, reason=reason, actor=actor)
    Device.objects.filter(pk__in=[device.pk for device in devices]).update(**changes)
    DeviceEvent.objects.bulk_create(events)


def _forget(devices: Sequence[Device], *, actor: Any, note: str, client: ClientInfo, spare: str, now: datetime) -> int:
    # The lock keeps a sign-in from noting a session that would be overlooked here.
    keys = [device.pk for device in devices]
    devices = list(Device.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
    if not devices:
        return 0
    backend = get_backend()
    sessions.end(devices, spare=spare)
    events = []
    for device in devices:
        if not backend.is_remote:
            backend.forget_device(device)
        events.append(
            activity.build(
                EventAction.FORGOTTEN,
                device=device,
                reason=device.status,
                actor=actor,
                note=note,
                client=client,
                now=now,
            )
        )
        activity.announce(signals.device_forgotten, device=device, actor=actor)
    DeviceEvent.objects.bulk_create(events)
    Device.objects.filter(pk__in=keys).delete()
    return len(devices)
