"""Devices as they stand in the database, made directly and many at once."""

from datetime import timedelta

from trusted_devices.models import Device
from trusted_devices.services import devices
from trusted_devices.types import DeviceStatus, StatusReason

PERIOD = timedelta(days=60)


def remembered(user, *, expires_at, **fields):
    """Return an unsaved device of ``user`` that is trusted until ``expires_at``."""
    granted = expires_at - PERIOD
    values = {
        "device_key": devices.new_device_key(),
        "device_group_key": devices.new_group_key(),
        "status": DeviceStatus.REMEMBERED,
        "status_reason": StatusReason.USER_TRUSTED,
        "status_changed_at": granted,
        "confirmed_at": granted,
        "trust_granted_at": granted,
        "trust_period": PERIOD,
        "trust_expires_at": expires_at,
        "last_authenticated_at": granted,
        "created_at": granted,
        "modified_at": granted,
    }
    return Device(user=user, **values | fields)


def store_due(user, count, *, now):
    """Store ``count`` devices whose trust ended one after the other, a second apart, the last of them at ``now``."""
    return Device.objects.bulk_create(
        [remembered(user, expires_at=now - timedelta(seconds=count - 1 - position)) for position in range(count)]
    )


def store_trusted(user, count, *, now):
    """Store ``count`` devices whose trust ends a second after ``now`` or later."""
    return Device.objects.bulk_create(
        [remembered(user, expires_at=now + timedelta(seconds=1 + position)) for position in range(count)]
    )


def store_expired(user, count, *, now):
    """Store ``count`` devices that an earlier sweep has made not remembered."""
    return Device.objects.bulk_create(
        [
            remembered(
                user,
                expires_at=now - timedelta(seconds=1 + position),
                status=DeviceStatus.NOT_REMEMBERED,
                status_reason=StatusReason.EXPIRED,
            )
            for position in range(count)
        ]
    )
