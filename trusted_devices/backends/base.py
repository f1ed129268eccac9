"""What a backend must do: take a sign-in through its factors, and own the devices.

``Device`` rows are the mirror that every door reads. A service tells the backend of a change *before* it writes the
mirror, so that a backend that refuses or cannot be reached leaves the mirror as it was. Backends send no signals and
hold no rule about trust.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from trusted_devices.types import ClientInfo, DeviceStatus, MfaMethod, MfaVerification, TrustDecision

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

    from trusted_devices.models import Device

Assess = Callable[[Any, bool], TrustDecision]
"""Called once with the user and whether MFA is active, as soon as the backend knows both; answers whether the
device in front of it may stand in for MFA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFactor:
    """A first factor that was accepted. ``methods`` are the second factors now due; none when nothing is due.

    ``state`` is what the backend needs at the next step, small and JSON-able, and never a password.
    """

    user: Any
    methods: Sequence[MfaMethod] = ()
    mfa_active: bool = False
    decision: TrustDecision | None = None
    state: Mapping[str, str] = field(default_factory=dict, repr=False)


class BaseDeviceBackend(ABC):
    """The owner of the devices. Instances are cheap and hold no state of a sign-in."""

    name: ClassVar[str]
    """What the settings call it."""

    @abstractmethod
    def first_factor(self, *, credentials: Mapping[str, str], client: ClientInfo, assess: Assess) -> FirstFactor:
        """Verify user name and password. Raises ``InvalidCredentials``, ``TooManyAttempts``, ``BackendUnavailable``."""

    @abstractmethod
    def methods(self, user: Any) -> Sequence[MfaMethod]:
        """Return the second factors that ``user`` can be asked for; none when MFA is not active."""

    @abstractmethod
    def send_code(
        self, user: Any, method: MfaMethod, *, state: Mapping[str, str], client: ClientInfo
    ) -> Mapping[str, str]:
        """Send a code for a method that needs it; return the state for the next step."""

    @abstractmethod
    def second_factor(
        self, user: Any, method: MfaMethod, code: str, *, state: Mapping[str, str], client: ClientInfo
    ) -> MfaVerification:
        """Verify the second factor. Raises ``CodeMismatch``, ``TooManyAttempts``, ``BackendUnavailable``."""

    def confirm_device(self, device: Device) -> None:  # noqa: B027
        """Register a new device with whoever owns it."""

    def update_device_status(self, device: Device, status: DeviceStatus) -> None:  # noqa: B027
        """Remember a device or no longer."""

    def forget_device(self, device: Device) -> None:  # noqa: B027
        """Remove a device from its user's profile. A device that is already gone is no error."""

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with the backend's own configuration."""
        return []
