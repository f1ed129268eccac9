"""The half-finished sign-in that a browser's session holds between two pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from trusted_devices.exceptions import SignInExpired
from trusted_devices.services.sign_in_state import SignInState

SESSION_KEY = "_trusted_devices_sign_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSignIn:
    """Where the sign-in stands, where it leads, and the id of the factor that a code was sent for."""

    state: SignInState
    next_url: str = ""
    sent: str = ""

    @classmethod
    def load(cls, request: HttpRequest) -> PendingSignIn:
        """Return what the session holds. Raises ``SignInExpired`` where that is nothing that can be read."""
        raw = request.session.get(SESSION_KEY)
        if not isinstance(raw, dict):
            raise SignInExpired
        next_url, sent = raw.get("next", ""), raw.get("sent", "")
        return cls(state=SignInState.load(raw.get("state")), next_url=next_url, sent=sent)

    def store(self, request: HttpRequest) -> None:
        """Keep it in the session in place of any other."""
        request.session[SESSION_KEY] = {"state": self.state.dump(), "next": self.next_url, "sent": self.sent}


def drop_pending(request: HttpRequest) -> str:
    """Wipe what the session holds; return where it was to lead."""
    raw = request.session.pop(SESSION_KEY, None)
    return str(raw.get("next", "")) if isinstance(raw, dict) else ""
