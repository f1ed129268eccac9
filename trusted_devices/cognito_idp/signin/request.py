"""What every step of a sign-in has: from which app client, who calls, when, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address, ip_network

from trusted_devices.cognito_idp import accounts, errors
from trusted_devices.cognito_idp.models import UserPool, UserPoolClient
from trusted_devices.cognito_idp.sealed import keyed_digest
from trusted_devices.types import By, ClientInfo

LONGEST_USERNAME = 255
"""As long as the logs of guessing protection take; Cognito takes 128 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRequest:
    """One step. ``step`` is the flow that begins or the challenge that is answered.

    ``answers`` are AuthParameters or ChallengeResponses without nulls; ``key_withdrawn`` says that DEVICE_KEY was
    null. ``session_text`` is the Session as it came, ``""`` without one.
    """

    step: str
    app_client: UserPoolClient
    by: By
    answers: dict[str, str] = field(repr=False)
    session_text: str = field(default="", repr=False)
    key_withdrawn: bool = False

    @property
    def pool(self) -> UserPool:
        """The user pool of the app client."""
        return self.app_client.pool

    @property
    def client_info(self) -> ClientInfo:
        """The client that sent the request."""
        return self.by.client

    @property
    def now(self) -> datetime:
        """When the step is taken."""
        return self.by.at

    @property
    def origin(self) -> str:
        """A digest of the network that the step comes from: an IPv4 address, or the /64 of an IPv6 one."""
        address = self.client_info.ip_address or ""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            network = address
        else:
            network = str(ip_network((parsed, 32 if parsed.version == 4 else 64), strict=False))  # noqa: PLR2004
        return keyed_digest("origin", network).hex()

    def require(self, name: str) -> str:
        """Return an answer. Raises ``WireError`` if it is missing."""
        value = self.answers.get(name)
        if not value:
            raise errors.missing_parameter(name)
        if name == "USERNAME" and len(value) > LONGEST_USERNAME:
            raise errors.invalid_parameter(
                "1 validation error detected: Value at 'username' failed to satisfy constraint: "
                f"Member must have length less than or equal to {LONGEST_USERNAME}"
            )
        return value

    def require_secret_hash(self, *names: str) -> None:
        """Raise ``WireError`` unless the app client, if it has a secret, proved it for one of ``names``."""
        accounts.require_secret_hash(self.app_client, self.answers.get("SECRET_HASH"), *names)
