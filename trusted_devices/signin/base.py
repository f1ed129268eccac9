"""The interface of those who sign people in: verify a password, ask for second factors.

A :class:`SignInBackend` begins a :class:`Conversation` once it has accepted the first factor. It says what it found;
whether a device is trusted, what is asked next and who is let in, ``services.sign_in`` decides. Between two requests
only ``Conversation.state`` is kept, and the backend resumes the conversation from that. Backends send no signals of
this app and hold no rule about trust. ``trusted_devices.testing.contracts.SignInContract`` tests any of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.exceptions import SignInExpired
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.types import (
    ClientInfo,
    DeviceCredential,
    MfaMethod,
    MfaVerification,
    NewPassword,
    ProofState,
)

Recall = Callable[[AbstractBaseUser], DeviceCredential | None]
"""Returns what the device of a user holds that may stand in for MFA once it has proved itself; ``None`` without one.

For backends that name the device together with the password: asking leaves no trace, and nothing of the answer may be
shown before the password has been verified.
"""


class Conversation(ABC):
    """One sign-in between the first factor and the last answer.

    Also what a signed-in user is asked who verifies a second factor again; the state to resume from is then empty.
    """

    proof: ProofState = ProofState.NOT_NEEDED
    """Where the proof of the device stands, for backends that ask the device to prove itself."""
    device_lost: bool = False
    """Whether the device that was recalled is unknown where it is owned."""

    def __init__(self, user: AbstractBaseUser, client: ClientInfo) -> None:
        self.user = user
        self.client = client

    @property
    @abstractmethod
    def mfa_active(self) -> bool:
        """Whether MFA is active for the user: a device that is trusted, or a second factor, is then due."""

    @property
    def state(self) -> Mapping[str, str]:
        """What :meth:`SignInBackend.resume` needs: small, JSON-able, and never a password."""
        return {}

    @property
    def new_password(self) -> NewPassword | None:
        """What is asked for where the user must choose a new password before anything else."""
        return None

    @abstractmethod
    def methods(self) -> Sequence[MfaMethod]:
        """Return the second factors that are due unless the device is trusted, preferred first; none if nothing is.

        Raises ``BackendUnavailable``.
        """

    def send(self, method: MfaMethod) -> None:  # noqa: B027
        """Send a code for a method with ``needs_sending``, or note the choice of one with ``needs_choosing``.

        Raises ``TooManyAttempts``, ``UnknownMethod``, ``SignInExpired``, ``BackendUnavailable``.
        """

    @abstractmethod
    def answer_code(self, method: MfaMethod, code: str) -> MfaVerification:
        """Verify a second factor, and use the code up.

        Raises ``CodeMismatch``, ``UnknownMethod``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``,
        ``BackendUnavailable``.
        """

    def set_new_password(self, password: str, attributes: Mapping[str, str]) -> Conversation:
        """Set the password that :attr:`new_password` asks for; return how the sign-in goes on.

        Raises ``PasswordRefused``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``, ``BackendUnavailable``.
        """
        raise SignInExpired

    @property
    def owner(self) -> DeviceOwner:
        """The owner of the devices as this sign-in reaches it."""
        return get_owner()

    def session_data(self, device_key: str) -> Mapping[str, str]:
        """Return what the finished sign-in leaves in the user's session, sealed where it is secret.

        ``device_key`` names the confirmed device that the sign-in is from; empty without one.
        """
        return {}


class SignInBackend(ABC):
    """Who signs people in. Instances are cheap and are made anew for every use."""

    verifies_anytime: ClassVar[bool] = True
    """Whether signed-in users can verify a second factor again without signing in again."""
    keeps_factors: ClassVar[bool] = False
    """Whether the site keeps the factors: what was proved is then good only while all that :meth:`methods` returns stay
    as they are. Conversations return the same ones throughout."""

    @abstractmethod
    def begin(self, credentials: Mapping[str, str], *, client: ClientInfo, recall: Recall) -> Conversation:
        """Verify user name and password (``credentials`` has ``username`` and ``password``).

        Raises ``InvalidCredentials``, ``TooManyAttempts``, ``ActionRequired``, ``BackendUnavailable``.
        """

    @abstractmethod
    def resume(
        self,
        user: AbstractBaseUser,
        state: Mapping[str, str],
        *,
        client: ClientInfo,
        credential: DeviceCredential | None = None,
    ) -> Conversation:
        """Return the conversation with ``user`` that left ``state``. ``credential`` is what the device holds.

        Where :attr:`verifies_anytime`, an empty state begins one with a user who is signed in. Raises
        ``SignInExpired``.
        """

    @abstractmethod
    def methods(self, user: AbstractBaseUser) -> Sequence[MfaMethod]:
        """Return the second factors of ``user``, signing in or not; none when MFA is not active.

        Raises ``BackendUnavailable``.
        """
