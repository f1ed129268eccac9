"""New devices: what they are called, whoever owns the devices says yes, and others make room for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import Error, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from trusted_devices import conf, signals
from trusted_devices.backends import get_backend
from trusted_devices.backends.base import BaseDeviceBackend, NewDevice
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import activity, devices
from trusted_devices.types import ClientInfo, DeviceCredential, DeviceStatus, EventAction
from trusted_devices.words import browsers

logger = logging.getLogger(__name__)


def confirm(
    *,
    user: Any,
    client: ClientInfo,
    name: str = "",
    backend: BaseDeviceBackend | None = None,
    now: datetime | None = None,
) -> tuple[Device, DeviceCredential]:
    """Register a new device with a secret of its own; it is not remembered yet.

    ``backend`` is the one of the sign-in in hand. Raises as :func:`draft` and :func:`registering` do.
    """
    now = now or timezone.now()
    backend = backend or get_backend()
    device, credential = draft(user=user, client=client, name=name, backend=backend, now=now)
    with registering(device, backend=backend, client=client, now=now):
        return device, credential


def draft(
    *, user: Any, client: ClientInfo, name: str, backend: BaseDeviceBackend, now: datetime
) -> tuple[Device, DeviceCredential]:
    """Return a device that nobody knows of yet, and what it will hold.

    Raises ``TrustNotAllowed`` if the sign-in of ``backend`` has no device to confirm.
    """
    new = backend.new_device() or NewDevice(
        device_key=devices.new_device_key(), group_key=devices.new_group_key(), secret=device_secret.new_secret()
    )
    device = Device(
        user=user,
        device_key=new.device_key,
        device_group_key=new.group_key,
        name=name,
        binding=new.binding,
        status_changed_at=now,
        confirmed_at=now,
        secret_digest=device_secret.digest(new.secret),
        last_authenticated_at=now,
        last_ip=activity.stored_ip(client.ip_address),
        user_agent=browsers.clean(client.user_agent),
        created_at=now,
        modified_at=now,
    )
    credential = DeviceCredential(
        user_id=str(user.pk),
        device_key=device.device_key,
        secret=new.secret,
        generation=0,
        group_key=device.device_group_key,
    )
    return device, credential


@contextmanager
def registering(
    device: Device, *, backend: BaseDeviceBackend, remembered: bool = False, client: ClientInfo, now: datetime
) -> Iterator[None]:
    """Store a new device once its owner has confirmed it and, if ``remembered``, remembers it.

    The block runs in the transaction that stores it. Somebody elsewhere is asked before that opens, and forgets the
    device again if anything fails. The longest unused device makes room where the user has as many as are allowed; if
    somebody elsewhere has to forget it, then afterwards, so that devices may be too many until that is done.

    Raises ``AlreadyAnswered`` if the key has been confirmed, ``BackendUnavailable``.
    """
    if not backend.is_remote:
        with transaction.atomic():
            _make_room(device.user, now=now)
            backend.confirm_device(device)
            _store(device, client=client, now=now)
            if remembered:
                backend.update_device_status(device, DeviceStatus.REMEMBERED)
            yield
        return
    limit = conf.get_settings().MAX_DEVICES_PER_USER
    backend.confirm_device(device)
    try:
        if remembered:
            backend.update_device_status(device, DeviceStatus.REMEMBERED)
        surplus = _surplus(device.user, limit - 1)
        with transaction.atomic():
            _store(device, client=client, now=now)
            yield
    except Exception as error:
        if not (isinstance(error, IntegrityError) and _is_stored(device.device_key)):  # by the one who was first
            _take_back(device, backend)
        raise
    try:
        devices.forget(surplus, note="limit", now=now)
        # Whoever else confirmed a device of this user at this moment did not count ours; the last of us counts all.
        devices.forget(_surplus(device.user, limit), note="limit", now=now)
    except (Error, BackendUnavailable) as failure:
        name = type(failure).__name__
        logger.warning("User %s has too many devices until there is another (%s).", device.user_id, name)


def _store(device: Device, *, client: ClientInfo, now: datetime) -> None:
    device.save(force_insert=True)
    activity.record(EventAction.CONFIRMED, device=device, client=client, now=now)
    activity.announce(signals.device_confirmed, device=device, client=client)


def _is_stored(device_key: str) -> bool:
    return Device.objects.filter(device_key=device_key).exists()


def _take_back(device: Device, backend: BaseDeviceBackend) -> None:
    try:
        backend.forget_device(device)
    except BackendUnavailable:
        logger.warning("Device %s is left over at its backend; nobody holds its secret.", device.device_key)


def _make_room(user: Any, *, now: datetime) -> None:
    """Forget what is too many once one more device comes."""
    limit = conf.get_settings().MAX_DEVICES_PER_USER
    # Whoever else confirms a device of this user at this moment waits here, and then counts ours.
    list(Device.objects.of(user).select_for_update().order_by("pk").values_list("pk"))
    count = Device.objects.of(user).count()
    if count >= limit:
        devices.forget(list(_longest_unused(user)[: count - limit + 1]), note="limit", now=now)


def _surplus(user: Any, keep: int) -> list[Device]:
    """Return what is too many for ``keep``, by one read, so that those who look at once find the same."""
    found = list(_longest_unused(user))
    return found[: max(len(found) - keep, 0)]


def _longest_unused(user: Any) -> DeviceQuerySet:
    """Return the user's devices, not-remembered ones first, then the longest unused."""
    # "not_remembered" sorts before "remembered".
    found: DeviceQuerySet = Device.objects.of(user)
    return found.order_by("status", F("last_authenticated_at").asc(nulls_first=True), "pk")
