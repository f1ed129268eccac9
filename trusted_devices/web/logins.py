"""Turning a finished sign-in into a Django session, the same way behind every door that has sessions."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, cast

from django.contrib import auth
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import Error
from django.http import HttpRequest
from django.utils import timezone

from trusted_devices.mfa import get_provider
from trusted_devices.models import Device
from trusted_devices.services import session_stores, sessions, stamps
from trusted_devices.services.sign_in import SignedIn
from trusted_devices.types import By, MfaVerification, VerifiedBy
from trusted_devices.web import handover, session_note
from trusted_devices.web.client import client_info
from trusted_devices.web.jar import get_jar
from trusted_devices.web.pending import drop_pending
from trusted_devices.web.session_note import Verification

logger = logging.getLogger(__name__)


def finish(request: HttpRequest, outcome: SignedIn) -> None:
    """Sign ``outcome.user`` in: a new session key, the note of how they were verified, the device's credential."""
    drop_pending(request)
    auth.login(request, cast("Any", outcome.user), backend=outcome.auth_backend or None)
    jar = get_jar(request)
    jar.tidy()
    if outcome.credential is not None:
        jar.keep(outcome.credential)
    elif outcome.device_lost:
        jar.discard(outcome.user)
    request.session.update(outcome.session_data)
    if outcome.verification is not None:
        get_provider().on_verified(request, outcome.user, outcome.verification)
    user, verified_by, device = outcome.user, outcome.verified_by, outcome.device
    session_key = note_verification(
        request, user, verified_by=verified_by, device=device, verification=outcome.verification
    )
    by = By(client=client_info(request))
    handover.begin(request.session, outcome.credential, at=by.at)
    sessions.started(user=user, verified_by=verified_by, device=device, session_key=session_key, by=by)
    session_stores.end_noted()


def leave(request: HttpRequest) -> None:
    """Sign out. Where the session cannot be reached, the browser is let go all the same, and the session ends later."""
    session_key = request.session.session_key
    try:
        auth.logout(request)
    except Error:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the site's cache raises
        logger.error("A session cannot be ended now, and is ended later (%s).", type(error).__name__)  # noqa: TRY400
        session_stores.end_later([session_key] if session_key else [])
        request.session = type(request.session)()
        request.user = AnonymousUser()


def note_verification(
    request: HttpRequest,
    user: AbstractBaseUser,
    *,
    verified_by: VerifiedBy,
    device: Device | None,
    verification: MfaVerification | None = None,
) -> str:
    """Write the session's note for ``user``; return the session's key.

    ``verification`` is the second factor that was used for it; without one the note counts from now.
    """
    if not request.session.session_key:
        request.session.save()
    session_key: str = request.session.session_key or ""
    session_note.write(
        request.session,
        Verification(
            user_id=str(user.pk),
            verified_by=verified_by,
            at=verification.at if verification else timezone.now(),
            device_key=device.device_key if device else "",
            session_digest=sessions.digest(session_key) if device else "",
            stamp=(verification.stamp or stamps.current(user)) if verification else "",
        ),
    )
    return session_key


def renew_verification(request: HttpRequest, user: AbstractBaseUser, verified: MfaVerification) -> None:
    """Note that a signed-in user has just used a second factor again; the device of the session stays the same."""
    earlier = session_note.read(request.session, str(user.pk))
    session_note.write(
        request.session,
        Verification(
            user_id=str(user.pk),
            verified_by=VerifiedBy.RECOVERY if verified.recovery else VerifiedBy.MFA,
            at=verified.at,
            device_key=earlier.device_key if earlier else "",
            session_digest=earlier.session_digest if earlier else "",
            stamp=verified.stamp or stamps.current(user),
        ),
    )
    get_provider().on_verified(request, user, verified)


def left_to_do(request: HttpRequest) -> Iterator[Callable[[], None]]:
    """Yield what is to be written at the end of a request, now and then; asking costs no query."""
    if note := moved_session(request):
        yield partial(follow_session, request, note)
    if credential := handover.arrived(request, now=timezone.now()):
        yield partial(handover.end, request, credential)


def fresh_verification(request: HttpRequest, user: AbstractBaseUser, *, max_age: timedelta) -> Verification | None:
    """Return the session's note if ``user`` used a second factor no longer than ``max_age`` ago, and it still stands.

    It does while neither the password nor any factor has changed since. Reads the factors only of who would pass.
    """
    note = session_note.read(request.session, str(user.pk))
    if note is None or not note.is_fresh(max_age=max_age, now=timezone.now()):
        return None
    return note if stamps.stands(note.stamp, stamps.current(user)) else None


def moved_session(request: HttpRequest) -> Verification | None:
    """Return the note of a session that came from a device and has been given a new key since; costs no query.

    Django gives a session a new key when a password changes, among others.
    """
    session = getattr(request, "session", None)
    # A session that was never read cannot have moved, and reading it now would cost a query.
    if session is None or not session.modified or not session.accessed or not session.session_key:
        return None
    if not sessions.can_end():
        return None
    raw = session.get(session_note.SESSION_KEY)
    note = session_note.read(session, raw["user"]) if isinstance(raw, dict) and "user" in raw else None
    if note is None or not note.device_key or note.session_digest == sessions.digest(session.session_key):
        return None
    return note


def follow_session(request: HttpRequest, note: Verification) -> None:
    """Attach the session's new key to the device that it came from."""
    device = Device.objects.filter(device_key=note.device_key).first()
    if device is None or str(device.user_id) != note.user_id:
        return
    session_key = request.session.session_key or ""
    now = timezone.now()
    sessions.attach(device=device, session_key=session_key, replaces=note.session_digest, now=now)
    moved = dataclasses.replace(note, session_digest=sessions.digest(session_key))
    session_note.write(request.session, moved)
