"""What a client holds of a device: recognising it, and the secret that rotates."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.crypto import device_secret
from trusted_devices.models import Device
from trusted_devices.services.transitions import Rotation
from trusted_devices.types import Binding, DeviceCredential, SecretMatch

ROTATION_GRACE = timedelta(minutes=2)
"""How long a rotation goes on handing out the same successor: two tabs that sign in at once must end up with the
same secret, whichever answer the browser keeps, also if one comes a minute late. After that the same secret is given
another successor, so that of two copies of one cookie each use ends the other's."""

SEEN_AFTER = timedelta(minutes=1)
"""How long after a sign-in its successor counts as seen when the browser presents it, without signing in again. Sooner,
another tab may still be signing in with the secret before it, and a browser that crashes may lose what it was given."""

GOOD = (SecretMatch.CURRENT, SecretMatch.SUCCESSOR)


def recognise(*, user: AbstractBaseUser, credential: DeviceCredential | None) -> Device | None:
    """Return the user's device that holds this credential, remembered or not; ``None`` for anything else. One read."""
    if credential is None:
        return None
    device = Device.objects.with_key(credential.device_key)
    if device is None or device.user_id != user.pk or credential.user_id != str(user.pk):
        return None
    return device if match(device, credential) in GOOD else None


def match(device: Device, credential: DeviceCredential) -> SecretMatch:
    """Tell how the secret in ``credential`` relates to those that ``device`` knows."""
    found = device_secret.match(
        credential.secret,
        generation=credential.generation,
        current_digest=device.secret_digest,
        next_digest=device.next_secret_digest,
        current_generation=device.secret_generation,
    )
    # A device password is never replaced.
    never_replaced = device.binding == Binding.SRP and found is SecretMatch.SUPERSEDED
    return SecretMatch.WRONG if never_replaced else found


def rotate(device: Device, presented: DeviceCredential, how: SecretMatch, *, at: datetime) -> Rotation:
    """Work out the successor of the presented secret. The presented one stays good until the successor is seen.

    Always true of a stored device: what follows its current secret under its nonce is the secret expected next, if one
    is (``transitions.succeeded``).
    """
    if device.binding == Binding.SRP:
        return Rotation(credential=with_expiry(presented, device.trust_expires_at))
    generation = device.secret_generation
    columns: dict[str, Any] = {}
    if how is SecretMatch.SUCCESSOR:
        generation += 1
        columns = {"secret_digest": device.next_secret_digest, "secret_generation": generation}
    again = not columns and bool(device.next_secret_digest) and _is_recent(device, at)
    nonce = bytes(device.rotation_nonce) if again else device_secret.new_nonce()
    secret = device_secret.successor(presented.secret, nonce=nonce)
    # The time counts from when the successor was last handed out, whether for the first time or again.
    columns["rotated_at"] = max(at, device.rotated_at) if again and device.rotated_at else at
    if not again:
        columns |= {"rotation_nonce": nonce, "next_secret_digest": device_secret.digest(secret)}
    credential = DeviceCredential(
        user_id=str(device.user_id),
        device_key=device.device_key,
        secret=secret,
        generation=generation + 1,
        group_key=device.device_group_key,
        expires_at=device.trust_expires_at,
    )
    return Rotation(credential=credential, columns=columns)


def may_be_late(device: Device, presented: DeviceCredential, *, at: datetime) -> bool:
    """Return whether a superseded secret may have been on its way since before the browser had its successor.

    It is then the last one before the current one, which was handed out a short time ago and has not signed in yet.
    The next request of that browser brings the current one along.
    """
    last = presented.generation == device.secret_generation - 1 and not device.next_secret_digest
    return last and _is_recent(device, at)


def with_expiry(credential: DeviceCredential, expires_at: datetime | None) -> DeviceCredential:
    """Return ``credential`` with another expiry."""
    return dataclasses.replace(credential, expires_at=expires_at)


def _is_recent(device: Device, at: datetime) -> bool:
    """Return whether a successor was handed out a short time ago."""
    return device.rotated_at is not None and at - device.rotated_at < ROTATION_GRACE
