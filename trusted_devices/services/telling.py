"""Telling whoever owns the devices elsewhere of a change, before the mirror is written and outside any transaction.

Trust that ends at all costs ends in the mirror first, and they are told later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from django.db import transaction

from trusted_devices.backends import get_backend
from trusted_devices.backends.base import BaseDeviceBackend
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.types import DeviceStatus

logger = logging.getLogger(__name__)

AT_ONCE = 5
"""More devices than a person has in hand wait for their turn in the budget of background work."""

Act = Callable[[BaseDeviceBackend, Device], None]


def tell(
    backend: BaseDeviceBackend, devices: Sequence[Device], act: Act
) -> tuple[list[Device], BackendUnavailable | None]:
    """Do ``act`` for each device; return those for which it was done, and what kept it from being done for the rest.

    What has been done is then written to the mirror whatever came after it, so that both agree.
    """
    told: list[Device] = []
    for device in devices:
        call = partial(act, backend, device)
        try:
            if len(devices) > AT_ONCE:
                backend.in_background(call, user_id=device.user_id)
            else:
                call()
        except BackendUnavailable as error:
            counts = len(devices), len(told)
            logger.error("The owner of %s devices was told of %s only, not of %s.", *counts, device.device_key)  # noqa: TRY400
            return told, error
        told.append(device)
    return told, None


def tell_later(devices: Sequence[Device]) -> None:
    """Tell that devices are no longer remembered, if it can be told, once the running transaction has committed."""
    transaction.on_commit(partial(tell, get_backend(), devices, no_longer_remembered))


def no_longer_remembered(backend: BaseDeviceBackend, device: Device) -> None:
    """The act of making a device not remembered."""
    backend.update_device_status(device, DeviceStatus.NOT_REMEMBERED)


def forgotten(backend: BaseDeviceBackend, device: Device) -> None:
    """The act of forgetting a device."""
    backend.forget_device(device)
