"""The half-finished sign-in that a browser's session holds between two pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from trusted_devices.exceptions import SignInExpired
from trusted_devices.services.sign_in import SignInState
from trusted_devices.web.logins import STATE_SESSION_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Where the sign-in stands, where it leads, and the id of the factor that a code was sent for."""

    state: SignInState
    next_url: str = ""
    sent: str = ""


def load(request: HttpRequest) -> Pending:
    """Return what the session holds. Raises ``SignInExpired`` where that is nothing that can be read."""
    raw = request.session.get(STATE_SESSION_KEY)
    if not isinstance(raw, dict):
        raise SignInExpired
    next_url, sent = raw.get("next", ""), raw.get("sent", "")
    return Pending(state=SignInState.load(raw.get("state")), next_url=next_url, sent=sent)


def store(request: HttpRequest, pending: Pending) -> None:
    """Keep ``pending`` in the session in place of any other."""
    request.session[STATE_SESSION_KEY] = {
        "state": pending.state.dump(),
        "next": pending.next_url,
        "sent": pending.sent,
    }


def drop(request: HttpRequest) -> str:
    """Wipe what the session holds; return where it was to lead."""
    raw = request.session.pop(STATE_SESSION_KEY, None)
    return str(raw.get("next", "")) if isinstance(raw, dict) else ""
