"""Asking a user for a second factor: in the course of a sign-in, and again later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from trusted_devices.backends import get_backend
from trusted_devices.exceptions import CodeMismatch, UnknownMethod
from trusted_devices.services import activity
from trusted_devices.types import By, ClientInfo, DeviceCredential, EventAction, MfaMethod, MfaVerification


def methods(user: Any, *, state: Mapping[str, str] | None = None) -> Sequence[MfaMethod]:
    """Return the factors that ``user`` can be asked for, preferred first; none when MFA is not active.

    ``state`` is the backend's, within a sign-in. Raises ``BackendUnavailable``.
    """
    return get_backend().during(state or {}).methods(user)


def may_ask_anytime() -> bool:
    """Return whether signed-in users can be asked without signing in again (``BaseDeviceBackend.verifies_anytime``)."""
    return get_backend().verifies_anytime


def find(found: Sequence[MfaMethod], method_id: str) -> MfaMethod:
    """Return the one with that id. Raises ``UnknownMethod``."""
    method = next((method for method in found if method.id == method_id), None)
    if method is None:
        raise UnknownMethod
    return method


def send(user: Any, method: MfaMethod, *, state: Mapping[str, str], client: ClientInfo) -> Mapping[str, str]:
    """Send a code where ``method`` needs one; return the backend's state for the next step.

    Raises ``TooManyAttempts`` (asked for too often) and ``BackendUnavailable``.
    """
    if not method.needs_sending and not method.needs_choosing:
        return state
    return get_backend().send_code(user, method, state=state, client=client)


@sensitive_variables("code")
def verify(
    user: Any,
    method: MfaMethod,
    code: str,
    *,
    state: Mapping[str, str],
    client: ClientInfo,
    credential: DeviceCredential | None = None,
    now: datetime | None = None,
) -> MfaVerification:
    """Verify a code and use it up. Raises ``CodeMismatch``, ``TooManyAttempts``, ``BackendUnavailable``.

    ``credential`` is what the device in front of the user holds, for backends that ask it to prove itself as well.
    A wrong code is announced as Django's ``user_login_failed``, so that what guards passwords guards codes as well.
    """
    try:
        return get_backend().during(state, credential).second_factor(user, method, code, state=state, client=client)
    except CodeMismatch:
        now = now or timezone.now()
        activity.record(EventAction.SIGN_IN_FAILED, user=user, reason=CodeMismatch.code, by=By(client=client, at=now))
        user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=client.request)
        raise
