"""The only module that changes what a device is: its status, dates, secret and stamp, and whether it is there at all.

Each function writes the rows together with the entry of the activity log and the signal that belong to that change.
They decide nothing and notify no owner; the services do, who call them in the transaction that their owner has opened.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F, Q, Value, prefetch_related_objects
from django.db.models.functions import Replace

from trusted_devices import signals
from trusted_devices.crypto import device_secret
from trusted_devices.models import STAMP_DOT, Device, DeviceEvent
from trusted_devices.services import activity
from trusted_devices.types import (
    Binding,
    By,
    DeviceCredential,
    DeviceStatus,
    EventAction,
    NewDevice,
    OwnedDevice,
    StatusReason,
)
from trusted_devices.words import browsers


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Trust as a second factor earned it: since when, for how long, and under which credentials (``stamp``).

    ``question_id`` names the question that gave it, which gives trust once.
    """

    since: datetime
    period: timedelta
    factor_id: str
    stamp: str = field(repr=False)
    question_id: str | None = None

    @property
    def expires_at(self) -> datetime:
        """When it ends."""
        return self.since + self.period


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A secret's successor: what the client is to hold, and the ``columns`` that go with it."""

    credential: DeviceCredential
    columns: Mapping[str, Any] = field(default_factory=dict, repr=False)


def draft(user: AbstractBaseUser, new: NewDevice, *, name: str, by: By) -> Device:
    """Return a device that is not stored yet, confirmed at ``by.at`` and not remembered."""
    owner: Any = user  # of whatever model the site has
    return Device(
        user=owner,
        device_key=new.device_key,
        device_group_key=new.group_key,
        name=name,
        binding=new.binding,
        status_changed_at=by.at,
        confirmed_at=by.at,
        secret_digest=device_secret.digest(new.secret) if new.secret else "",
        srp_salt=new.srp_salt,
        srp_verifier=new.srp_verifier,
        created_at=by.at,
        **_use(by),
    )


def confirmed(
    device: Device,
    *,
    by: By,
    remembered: StatusReason | None = None,
    trust: Trust | None = None,
    known: bool = False,
) -> Device:
    """Store a draft; with ``remembered``, the reason for that, it is remembered from the start. One INSERT.

    ``known`` says that the user had trusted the device before under another key.
    """
    events = [activity.build(EventAction.CONFIRMED, device=device, by=dataclasses.replace(by, actor=None))]
    activity.announce(signals.device_confirmed, device=device, client=by.client)
    if remembered is not None:
        _set([device], _remembered_columns(remembered, trust, by))
        events.append(activity.build(EventAction.REMEMBERED, device=device, reason=remembered, by=by))
        activity.announce(signals.device_remembered, device=device, client=by.client, new=not known)
    device.save(force_insert=True)
    for event in events:
        event.device_id = device.pk
    DeviceEvent.objects.bulk_create(events)
    return device


def adopted(user: AbstractBaseUser, owned: OwnedDevice, *, name: str, by: By) -> Device:
    """Store a device that another app of its owner registered. It skips no MFA here, where it earned no trust."""
    device = Device(
        user_id=user.pk,
        device_key=owned.device_key,
        name=name,
        binding=Binding.SRP,
        status=owned.status,
        status_changed_at=owned.modified_at or by.at,
        confirmed_at=owned.created_at or by.at,
        last_authenticated_at=owned.last_authenticated_at,
        last_ip=activity.stored_ip(owned.last_ip),
        created_at=owned.created_at or by.at,
        modified_at=owned.modified_at or by.at,
    )
    device.save(force_insert=True)
    activity.record(EventAction.CONFIRMED, device=device, by=by)
    return device


def remembered(
    device: Device,
    *,
    reason: StatusReason,
    by: By,
    trust: Trust | None = None,
    keep_trust: bool = False,
    rotation: Rotation | None = None,
    name: str = "",
) -> Device:
    """Remember a device, with ``trust``, with the trust that it has (``keep_trust``), or with none.

    ``rotation`` is that of its secret where the device is signing in; ``name`` is another name, if any.
    """
    new = device.trust_granted_at is None
    changes = _remembered_columns(reason, trust, by)
    if trust is None and not keep_trust:
        changes |= {"trust_granted_at": None, "trust_period": None, "trust_expires_at": None, "mfa_factor": ""}
    if rotation is not None:
        changes |= {**rotation.columns, **_use(by, device)}
    if name:
        changes["name"] = name
    _write([device], changes)
    activity.record(EventAction.REMEMBERED, device=device, reason=reason, by=by)
    activity.announce(signals.device_remembered, device=device, client=by.client, new=new)
    return device


def not_remembered(devices: Sequence[Device], *, reason: StatusReason, by: By) -> list[Device]:
    """Make those of ``devices`` not remembered that still are; return them."""
    keys = [device.pk for device in devices]
    stopped = list(Device.objects.select_for_update().filter(pk__in=keys).remembered().order_by("pk"))
    _stop(stopped, reason, EventAction.NOT_REMEMBERED, by)
    for device in stopped:
        activity.announce(signals.device_not_remembered, device=device, reason=reason, actor=by.actor)
    return stopped


def reason_changed(device: Device, *, reason: StatusReason, by: By) -> None:
    """Say who wants a device not remembered that is not."""
    Device.objects.filter(pk=device.pk, status=DeviceStatus.NOT_REMEMBERED).update(
        status_reason=reason, status_changed_at=by.at, modified_at=by.at
    )


def expired(devices: Sequence[Device], *, by: By) -> None:
    """Make devices not remembered whose rows the caller holds and whose trust has ended."""
    _stop(devices, StatusReason.EXPIRED, EventAction.EXPIRED, by)
    for device in devices:
        activity.announce(signals.device_expired, device=device)


def compromised(device: Device, *, by: By) -> bool:
    """End the trust in a device whose secret was copied; return ``False`` if that has been noticed before."""
    known = Device.objects.select_for_update().filter(pk=device.pk).exclude(status_reason=StatusReason.COMPROMISED)
    if known.first() is None:
        return False
    reason = StatusReason.COMPROMISED
    _stop([device], reason, EventAction.NOT_REMEMBERED, by)
    activity.announce(signals.device_not_remembered, device=device, reason=reason, actor=by.actor)
    activity.record(EventAction.COMPROMISED, device=device, reason=reason, by=by)
    activity.announce(signals.device_compromised, device=device, client=by.client)
    return True


def shortened(devices: Sequence[Device], *, until: datetime, by: By) -> list[Device]:
    """Let the trust in those of ``devices`` end at ``until`` that would be trusted longer; return them."""
    later = Device.objects.remembered().filter(trust_expires_at__gt=until)
    shorter = list(later.select_for_update().filter(pk__in=[device.pk for device in devices]))
    _write(shorter, {"trust_expires_at": until, "modified_at": by.at})
    DeviceEvent.objects.bulk_create(activity.build(EventAction.SHORTENED, device=device, by=by) for device in shorter)
    return shorter


def renamed(device: Device, *, name: str, by: By) -> bool:
    """Give a device a name; return ``False`` if it is gone."""
    if not _write([device], {"name": name, "modified_at": by.at}):
        return False
    activity.record(EventAction.RENAMED, device=device, by=by)
    return True


def forgotten(devices: Sequence[Device], *, told: Collection[Any] = (), by: By) -> None:
    """Remove devices whose rows the caller holds. ``told`` are the users who know of this act already."""
    events = []
    of_user: dict[Any, list[Device]] = defaultdict(list)
    for device in devices:
        events.append(activity.build(EventAction.FORGOTTEN, device=device, reason=device.status, by=by))
        activity.announce(signals.device_forgotten, device=device, actor=by.actor)
        if device.user_id not in told:
            of_user[device.user_id].append(device)
    if by.actor is not None and of_user.keys() - {by.actor.pk}:
        prefetch_related_objects(devices, "user")  # for those who write to them
    for theirs in of_user.values():
        activity.announce(signals.devices_forgotten, devices=theirs, actor=by.actor)
    DeviceEvent.objects.bulk_create(events)
    Device.objects.filter(pk__in=[device.pk for device in devices]).delete()


def erased(user: AbstractBaseUser) -> None:
    """Remove the devices of an account that is deleted, without an entry or a signal."""
    Device.objects.of(user).delete()


def used(device: Device, *, by: By) -> None:
    """Note that a device signed in."""
    _write([device], _use(by, device))


def used_elsewhere(device: Device, *, at: datetime, ip_address: str | None) -> None:
    """Note that a device was used at another app of its owner, unless it was used here since."""
    newer = Q(last_authenticated_at=None) | Q(last_authenticated_at__lt=at)
    stored = Device.objects.filter(newer, pk=device.pk)
    stored.update(last_authenticated_at=at, last_ip=activity.stored_ip(ip_address) or F("last_ip"))


def rotated(device: Device, rotation: Rotation, *, by: By) -> bool:
    """Replace a trusted device's secret and note that it was used; ``False`` if its row is not as ``device`` has it."""
    unchanged = Device.objects.filter(
        pk=device.pk,
        status=DeviceStatus.REMEMBERED,
        secret_digest=device.secret_digest,
        next_secret_digest=device.next_secret_digest,
    )
    changes = {**rotation.columns, **_use(by, device)}
    if not unchanged.update(**changes):
        return False
    _set([device], changes)
    return True


def succeeded(credential: DeviceCredential) -> bool:
    """Let the successor that ``credential`` holds take the place of the secret before it; ``False`` if it is none.

    One conditional update, and no use of the device that anybody need see.
    """
    digest = device_secret.digest(credential.secret)
    handed_out = Device.objects.filter(
        device_key=credential.device_key,
        user_id=credential.user_id,
        secret_generation=credential.generation - 1,
        next_secret_digest=digest,
    )
    return bool(handed_out.update(secret_digest=digest, next_secret_digest="", secret_generation=credential.generation))


def restamped(user: AbstractBaseUser, *, old_stamp: str, new_stamp: str, only_key: str | None = None) -> None:
    """Carry trust over from one password hash to the next, for all devices or only for the one with ``only_key``.

    ``old_stamp`` and ``new_stamp`` are of the password alone.
    """
    carried = Device.objects.of(user).filter(credential_stamp__startswith=old_stamp + STAMP_DOT)
    if only_key is not None:
        carried = carried.filter(device_key=only_key)
    carried.update(credential_stamp=Replace("credential_stamp", Value(old_stamp), Value(new_stamp)))


def _remembered_columns(reason: StatusReason, trust: Trust | None, by: By) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "status": DeviceStatus.REMEMBERED,
        "status_reason": reason,
        "status_changed_at": by.at,
        "modified_at": by.at,
    }
    if trust is not None:
        columns |= {
            "trust_granted_at": trust.since,
            "trust_period": trust.period,
            "trust_expires_at": trust.expires_at,
            "mfa_factor": trust.factor_id,
            "credential_stamp": trust.stamp,
        }
        if trust.question_id is not None:
            columns["grant_id"] = trust.question_id
    return columns


def _use(by: By, device: Device | None = None) -> dict[str, Any]:
    return {
        "last_authenticated_at": by.at,
        "last_ip": activity.stored_ip(by.client.ip_address),
        "user_agent": browsers.clean(by.client.user_agent) or (device.user_agent if device is not None else ""),
        "modified_at": by.at,
    }


def _stop(devices: Sequence[Device], reason: StatusReason, action: EventAction, by: By) -> None:
    changes = {
        "status": DeviceStatus.NOT_REMEMBERED,
        "status_reason": reason,
        "status_changed_at": by.at,
        "modified_at": by.at,
    }
    _write(devices, changes)
    DeviceEvent.objects.bulk_create(activity.build(action, device=device, reason=reason, by=by) for device in devices)


def _write(devices: Sequence[Device], changes: dict[str, Any]) -> int:
    written: int = Device.objects.filter(pk__in=[device.pk for device in devices]).update(**changes)
    _set(devices, changes)
    return written


def _set(devices: Sequence[Device], changes: Mapping[str, Any]) -> None:
    for device in devices:
        for name, value in changes.items():
            setattr(device, name, value)
