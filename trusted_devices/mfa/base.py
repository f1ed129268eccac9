"""What a second-factor provider must do. ``testing.contracts.MfaProviderContract`` tests any of them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.types import ClientInfo, MfaMethod, MfaVerification


class BaseMfaProvider(ABC):
    """The second factors of a site's users. Instances are cheap, hold no state and may be made for each request."""

    @abstractmethod
    def methods(self, user: AbstractBaseUser) -> Sequence[MfaMethod]:
        """Return the factors that ``user`` can be asked for, preferred first, recovery last.

        Empty means that MFA is not active for this user. Only factors whose set-up is complete count. Trust hangs on
        the ids of those that are no recovery codes and, where the provider tells, on their ``fingerprint``.
        """

    @abstractmethod
    def verify(
        self, user: AbstractBaseUser, method: MfaMethod, code: str, *, client: ClientInfo, now: datetime
    ) -> MfaVerification:
        """Verify ``code`` (as typed) against one factor of ``user`` and use it up.

        Raises ``CodeMismatch`` for a wrong, used or malformed code and ``TooManyAttempts`` when guessing protection
        refuses to look. A used code that the provider can tell from a wrong one is ``CodeUsed``, and no guess. Must be
        safe against the same code arriving twice at once: at most one succeeds.
        """

    def send_code(self, user: AbstractBaseUser, method: MfaMethod, *, client: ClientInfo) -> None:  # noqa: B027
        """Send a code for a method with ``needs_sending``.

        Raises ``TooManyAttempts`` when asked too often, ``BackendUnavailable`` if it cannot be sent now.
        """

    def on_verified(self, request: Any, user: AbstractBaseUser, verification: MfaVerification) -> None:  # noqa: B027
        """Notify the provider's own stack of a finished sign-in, so that its decorators accept the session."""

    def kinds(self) -> Iterable[str]:
        """Return the kinds of factors that users can have here (``MfaMethod.kind``), recovery left out; for checks."""
        return ()

    def factor_models(self) -> Iterable[type[Any]]:
        """Return the models whose rows are second factors; changing one of them ends its user's trust.

        Each has a foreign key ``user``.
        """
        return ()

    def factor_fingerprint(self, factor: Any) -> str | None:
        """Return what identifies a factor's set-up, ``None`` for one that is not set up or never earns trust.

        ``factor`` is an instance of one of :meth:`factor_models`. Two different fingerprints of one row mean that
        the factor was added, removed or reset; counters, throttles, times of use and codes on their way must not be
        part of it. :func:`fingerprint` makes one. :meth:`methods` puts the same into ``MfaMethod.fingerprint``, so that
        a change that no signal tells of ends trust as well.
        """
        return None


def fingerprint(*parts: object) -> str:
    """Return a digest (SHA-256 in hex) of what makes a factor what it is: texts, bytes, numbers."""
    return hashlib.sha256(b"trusted_devices:factor\0" + repr(parts).encode()).hexdigest()


class NoMfaProvider(BaseMfaProvider):
    """No second factor: no user is asked for one or offered trust."""

    def methods(self, user: AbstractBaseUser) -> Sequence[MfaMethod]:
        return ()

    def verify(
        self, user: AbstractBaseUser, method: MfaMethod, code: str, *, client: ClientInfo, now: datetime
    ) -> MfaVerification:
        raise NotImplementedError("There is no second factor to verify.")
