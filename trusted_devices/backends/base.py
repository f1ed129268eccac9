"""What a backend must do: take a sign-in through its factors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from trusted_devices.exceptions import SignInExpired
from trusted_devices.types import (
    ClientInfo,
    DeviceCredential,
    MfaMethod,
    MfaVerification,
    NewPassword,
    ProofState,
)

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

    from trusted_devices.owners.base import DeviceOwner


Recall = Callable[["AbstractBaseUser"], DeviceCredential | None]
"""Returns what the device of a user holds that may stand in for MFA once it has proved itself; ``None`` without one.

For backends that name the device together with the password: asking leaves no trace, and nothing of the answer may be
shown before the password has been verified.
"""


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
    """Who signs people in. Instances are cheap and are made anew for every use."""

    name: ClassVar[str]
    """What the settings call it."""
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

    @property
    def owner(self) -> DeviceOwner:
        """The owner of the devices as this sign-in (:meth:`during`) reaches it."""
        from trusted_devices.owners import get_owner

        return get_owner()
