"""Telling other apps until when devices are trusted, where whoever owns the devices has a place for it.

Nothing on this site hangs on it. What could not be told is told when ``services.sync`` comes by. Trust that ends on
its date needs no telling: the date has been told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.db import transaction

from trusted_devices.backends import get_backend
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device

logger = logging.getLogger(__name__)


def publish(user_id: Any) -> None:
    """Tell until when which devices of that user are trusted, as stored now. Call it outside of transactions."""
    backend = get_backend()
    if not backend.publishes_expiry:
        return
    remembered = Device.objects.of(user_id).remembered().values_list("device_key", "trust_expires_at")
    try:
        backend.publish_expiry(user_id, {key: until for key, until in remembered if until is not None})
    except BackendUnavailable:
        logger.warning("Until when the devices of user %s are trusted could not be told.", user_id)


def publish_later(user_ids: Iterable[Any]) -> None:
    """Do the same for several users once the running transaction has committed."""
    for user_id in user_ids:
        transaction.on_commit(partial(publish, user_id))
