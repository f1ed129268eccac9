"""The session's note of how and when its user was verified.

A remembered sign-in is not a fresh MFA (NIST SP 800-63B-4, section 2.2): the note keeps the two apart, and belongs to
one user, so that nothing is left over for the next one in the same browser.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from trusted_devices.policy import CLOCK_SKEW
from trusted_devices.types import VerifiedBy

SESSION_KEY = "_trusted_devices_verification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How (``verified_by``) and when (``at``, aware) the user was verified, and from which device the session is.

    ``stamp`` is the credential stamp that the user had then.
    """

    user_id: str
    verified_by: VerifiedBy
    at: datetime
    device_key: str = ""
    session_digest: str = field(default="", repr=False)
    stamp: str = field(default="", repr=False)

    @property
    def passed_mfa(self) -> bool:
        """Whether a second factor stands behind this session, now or when its device was trusted."""
        return self.verified_by is not VerifiedBy.PASSWORD

    def is_fresh(self, *, max_age: timedelta, now: datetime) -> bool:
        """Return whether a real second factor was used no longer than ``max_age`` ago. Trust never satisfies it.

        Whether what it was proved with still stands, ``logins.fresh_verification`` asks.
        """
        return self.verified_by in (VerifiedBy.MFA, VerifiedBy.RECOVERY) and -CLOCK_SKEW <= now - self.at < max_age


def write(session: MutableMapping[str, Any], note: Verification) -> None:
    """Put ``note`` into the session in place of any earlier one."""
    session[SESSION_KEY] = {
        "user": note.user_id,
        "by": note.verified_by.value,
        "at": note.at.timestamp(),
        "device": note.device_key,
        "session": note.session_digest,
        "stamp": note.stamp,
    }


def read(session: MutableMapping[str, Any], user_id: str) -> Verification | None:
    """Return the session's note if it is that user's, else ``None``."""
    raw = session.get(SESSION_KEY)
    try:
        if not raw or raw["user"] != user_id:
            return None
        return Verification(
            user_id=user_id,
            verified_by=VerifiedBy(raw["by"]),
            at=datetime.fromtimestamp(raw["at"], UTC),
            device_key=raw["device"],
            session_digest=raw["session"],
            stamp=str(raw["stamp"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def clear(session: MutableMapping[str, Any]) -> None:
    """Remove the note, if there is one."""
    if SESSION_KEY in session:
        del session[SESSION_KEY]
