"""What a sign-in handed out, until its browser has shown that it has it.

The answer that carries the successor of a secret may be lost, so the secret before it stays good. A browser that
presents the successor ``SEEN_AFTER`` later has it. The session says that this is still to come, so that no request
asks the database, and one request of each sign-in writes.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from trusted_devices.services import trust
from trusted_devices.services.credentials import SEEN_AFTER
from trusted_devices.types import DeviceCredential
from trusted_devices.web.jar import get_jar

SESSION_KEY = "_trusted_devices_handover"
_SECONDS = SEEN_AFTER.total_seconds()


def begin(session: MutableMapping[str, Any], credential: DeviceCredential | None, *, at: datetime) -> None:
    """Write down what was handed out, in place of what was before. A new device has no secret before its first one."""
    if credential is not None and credential.generation:
        session[SESSION_KEY] = [credential.user_id, credential.generation, at.timestamp()]


def arrived(request: HttpRequest, *, now: datetime) -> DeviceCredential | None:
    """Return the successor that ``request`` presented, if that is to be noted; costs no query."""
    session = getattr(request, "session", None)
    # Reading a session that nobody read would cost a query.
    if session is None or not session.accessed:
        return None
    match session.get(SESSION_KEY):
        case [str(user_id), int(generation), int() | float() as at] if now.timestamp() - at >= _SECONDS:
            credential = get_jar(request).received.present(user_id).credential
            return credential if credential is not None and credential.generation >= generation else None
        case _:  # nothing, too early, or of another release
            return None


def end(request: HttpRequest, credential: DeviceCredential) -> None:
    """Note that the successor was seen."""
    trust.seen(credential)
    request.session.pop(SESSION_KEY, None)
