"""What a backend must do: take a sign-in through its factors, and own the devices.

``Device`` rows are the mirror that every door reads. A service tells the backend of a change *before* it writes the
mirror, so that a backend that refuses or cannot be reached leaves the mirror as it was; only where trust ends at all
costs is it told afterwards. Backends send no signals and hold no rule about trust.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from trusted_devices.exceptions import SignInExpired
from trusted_devices.types import (
    Binding,
    ClientInfo,
    DeviceCredential,
    DeviceStatus,
    MfaMethod,
    MfaVerification,
    NewPassword,
    ProofState,
)

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.core.checks import CheckMessage

    from trusted_devices.models import Device


Recall = Callable[["AbstractBaseUser"], DeviceCredential | None]
"""Returns what the device of a user holds that may stand in for MFA once it has proved itself; ``None`` without one.

For backends that name the device together with the password: asking leaves no trace, and nothing of the answer may be
shown before the password has been verified.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """What a device that is about to be confirmed is called and will hold."""

    device_key: str
    group_key: str
    secret: str = field(repr=False)
    binding: Binding = Binding.COOKIE


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedDevice:
    """A device as its owner, elsewhere, describes it. Times are aware."""

    device_key: str
    status: DeviceStatus
    name: str = ""
    last_ip: str | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    last_authenticated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFactor:
    """A first factor that was accepted. ``methods`` are the second factors due unless the device is trusted.

    ``proof`` is where the proof of the device stands, for backends that ask for one. ``new_password`` is set where the
    user must choose one first; what is due then is not known yet. ``state`` is what the backend needs at the next step,
    small and JSON-able, and never a password. ``device_lost`` says that the recalled device exists no longer.
    """

    user: Any
    methods: Sequence[MfaMethod] = ()
    mfa_active: bool = False
    proof: ProofState = ProofState.NOT_NEEDED
    new_password: NewPassword | None = None
    state: Mapping[str, str] = field(default_factory=dict, repr=False)
    device_lost: bool = False


class BaseDeviceBackend(ABC):
    """The owner of the devices. Instances are cheap and are made anew for every use."""

    name: ClassVar[str]
    """What the settings call it."""
    is_remote: ClassVar[bool] = False
    """Whether it is told of every change over a network. No transaction is then open and no row locked meanwhile,
    unless a caller has a transaction around it all, as ``ATOMIC_REQUESTS`` does."""
    verifies_anytime: ClassVar[bool] = True
    """Whether signed-in users can prove a second factor again without signing in again."""

    def during(self, state: Mapping[str, str], credential: DeviceCredential | None = None) -> BaseDeviceBackend:
        """Return this backend as it acts within the sign-in that left ``state``, from a device with ``credential``."""
        return self

    @abstractmethod
    def first_factor(self, *, credentials: Mapping[str, str], client: ClientInfo, recall: Recall) -> FirstFactor:
        """Verify user name and password. Raises ``InvalidCredentials``, ``TooManyAttempts``, ``BackendUnavailable``."""

    def asks_new_password(self) -> NewPassword | None:
        """Return what is asked for, where the sign-in (:meth:`during`) waits for a new password."""
        return None

    def new_password(
        self,
        user: Any,
        password: str,
        attributes: Mapping[str, str],
        *,
        state: Mapping[str, str],
        client: ClientInfo,
    ) -> FirstFactor:
        """Set the password that ``FirstFactor.new_password`` asked for; return how the sign-in goes on.

        Raises ``PasswordRefused``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``, ``BackendUnavailable``.
        """
        raise SignInExpired

    @abstractmethod
    def methods(self, user: Any) -> Sequence[MfaMethod]:
        """Return the second factors that ``user`` can be asked for; none when MFA is not active.

        Within a sign-in (:meth:`during`) those that are still to be chosen from. Raises ``BackendUnavailable``.
        """

    @abstractmethod
    def send_code(
        self, user: Any, method: MfaMethod, *, state: Mapping[str, str], client: ClientInfo
    ) -> Mapping[str, str]:
        """Send a code for a method that needs it; return the state for the next step.

        Raises ``TooManyAttempts``, ``SignInExpired``, ``BackendUnavailable``.
        """

    @abstractmethod
    def second_factor(
        self, user: Any, method: MfaMethod, code: str, *, state: Mapping[str, str], client: ClientInfo
    ) -> MfaVerification:
        """Verify the second factor.

        Raises ``CodeMismatch``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``, ``BackendUnavailable``.
        """

    def session_data(self, device_key: str = "") -> Mapping[str, str]:
        """Return what a sign-in that is finished (:meth:`during`) leaves in its session, sealed if it is secret.

        ``device_key`` names the confirmed device that it is from, if there is one.
        """
        return {}

    def new_device(self) -> NewDevice | None:
        """Return what the device that is to be confirmed now is called and will hold; ``None`` for the site to say.

        Raises ``TrustNotAllowed`` where there is no device to confirm.
        """
        return None

    def confirm_device(self, device: Device) -> None:  # noqa: B027
        """Register a new device with whoever owns it. Raises ``AlreadyAnswered`` if the key has been registered."""

    def update_device_status(self, device: Device, status: DeviceStatus) -> None:  # noqa: B027
        """Remember a device or no longer."""

    def forget_device(self, device: Device) -> None:  # noqa: B027
        """Remove a device from its user's profile. A device that is already gone is no error."""

    def in_background(self, act: Callable[[], None], *, user_id: Any) -> None:
        """Do ``act`` when background work on that user's devices has its turn; do it again where load forbids it.

        Raises ``BackendUnavailable``.
        """
        act()

    def background_rate(self) -> float | None:
        """Return how many changes of status a second all background work shares; ``None`` for as many as it can."""
        return None

    @property
    def publishes_expiry(self) -> bool:
        """Whether :meth:`publish_expiry` does anything."""
        return False

    def publish_expiry(self, user_id: Any, dates: Mapping[str, datetime]) -> None:  # noqa: B027
        """Tell other apps until when which devices (``dates``, by key) of that user are trusted.

        Raises ``BackendUnavailable``.
        """

    def list_devices(self, user: Any) -> Iterator[OwnedDevice]:
        """Yield the user's devices as their owner has them. Raises ``BackendUnavailable``, ``DeviceNotFound`` where
        the user is not known, and ``NotImplementedError`` where the ``Device`` rows are all there is."""
        raise NotImplementedError

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with the backend's own configuration."""
        return []

    def check_deployment(self) -> list[CheckMessage]:
        """Return what is wrong with whoever owns the devices; may ask over the network."""
        return []
