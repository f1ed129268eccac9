"""The activity log: who did what to which device, and for how long that is kept."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.dispatch import Signal

from trusted_devices import conf, database
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.types import By, EventAction
from trusted_devices.words import browsers

logger = logging.getLogger(__name__)

BATCH_SIZE = 1000


def record(
    action: EventAction,
    *,
    user: AbstractBaseUser | None = None,
    device: Device | None = None,
    reason: str = "",
    by: By,
) -> DeviceEvent:
    """Append one entry to the log, in the transaction that it belongs to; ``user`` defaults to the device's."""
    event = build(action, user=user, device=device, reason=reason, by=by)
    event.save(force_insert=True)
    return event


def build(
    action: EventAction,
    *,
    user: AbstractBaseUser | None = None,
    device: Device | None = None,
    reason: str = "",
    by: By,
) -> DeviceEvent:
    """Return an entry that is not saved yet, for those who append many at once."""
    user_id = device.user_id if user is None and device is not None else getattr(user, "pk", None)
    logger.info("%s user=%s device=%s reason=%s", action, user_id, device.device_key if device else "-", reason or "-")
    return DeviceEvent(
        action=action,
        user_id=user_id,
        device_id=device.pk if device else None,
        device_key=device.device_key if device else "",
        reason=reason,
        actor_id=by.actor.pk if by.actor is not None else None,
        note=browsers.clean(by.note)[:255],
        ip_address=stored_ip(by.client.ip_address),
        user_agent=browsers.clean(by.client.user_agent),
        created_at=by.at,
    )


def latest(user: AbstractBaseUser, limit: int) -> list[DeviceEvent]:
    """Return the latest entries about ``user``, newest first, with their devices. One query."""
    return list(DeviceEvent.objects.of(user).select_related("device")[:limit])


def known_to(user_ids: Collection[Any], action: EventAction, *, since: datetime, by: By) -> set[Any]:
    """Return those of the users of whom the log says that ``by.actor`` has done this since then. One query."""
    actor: Any = by.actor  # of whatever model the site has
    entries = DeviceEvent.objects.filter(user__in=user_ids, action=action, created_at__gte=since, actor=actor)
    return set(entries.order_by().values_list("user_id", flat=True).distinct())


def stored_ip(address: str | None) -> str | None:
    """Return what is kept of a network address: by default its /24 or /48 (GDPR, article 5(1)(c))."""
    mode = conf.get_settings().STORED_IP
    if not address or mode == "none":
        return None
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if mode == "truncated":
        kept_bits = 24 if parsed.version == 4 else 48  # noqa: PLR2004
        return str(ipaddress.ip_network((parsed, kept_bits), strict=False).network_address)
    return str(parsed)


def announce(signal: Signal, **arguments: Any) -> None:
    """Send ``signal`` once the running transaction has committed; Django logs a receiver that fails."""
    database.on_commit(partial(signal.send_robust, sender=Device, **arguments))


def kept_since(now: datetime) -> datetime:
    """Return from when on entries are kept."""
    return now - conf.get_settings().EVENT_RETENTION


def count_prunable(before: datetime) -> int:
    """Return how many entries are from before ``before``."""
    return DeviceEvent.objects.older_than(before).count()


def prune(*, before: datetime, batch_size: int = BATCH_SIZE) -> Iterator[int]:
    """Delete the entries from before ``before``, oldest first, one transaction a batch; yield how many each deleted.

    As in the sweep, any number may run at once, and the last date is carried forward. Here they take turns: MariaDB
    may search the whole table for what is to be deleted, and would meet what others hold.
    """
    since = DeviceEvent.objects.older_than(before).values_list("created_at", flat=True).first()
    while since is not None:
        with database.atomic():
            old = DeviceEvent.objects.older_than(before, since=since).claim(wait=True)
            claimed = list(old.values_list("pk", "created_at")[:batch_size])
            DeviceEvent.objects.filter(pk__in=[pk for pk, _ in claimed]).delete()
        if claimed:
            yield len(claimed)
        since = claimed[-1][1] if len(claimed) == batch_size else None


def erase(user: AbstractBaseUser) -> None:
    """Strip what identifies ``user`` from the log before the account is deleted (GDPR, article 17)."""
    DeviceEvent.objects.filter(user_id=user.pk).update(ip_address=None, user_agent="", note="")
