"""The vocabulary that every layer shares: enums and frozen value objects, without any framework.

Secrets are kept out of every ``repr``. The words are those of the glossary; the wire values are Cognito's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


class DeviceStatus(StrEnum):
    """Whether a device may skip MFA at all (Cognito: ``DeviceRememberedStatusType``)."""

    REMEMBERED = "remembered"
    NOT_REMEMBERED = "not_remembered"


class StatusReason(StrEnum):
    """Why a device's status last changed."""

    CONFIRMED = "confirmed"
    USER_TRUSTED = "user_trusted"
    TRACKING_ALWAYS = "tracking_always"
    STAFF_TRUSTED = "staff_trusted"
    USER_STOPPED = "user_stopped"
    STAFF_STOPPED = "staff_stopped"
    EXPIRED = "expired"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a secret
    MFA_CHANGED = "mfa_changed"
    ACCOUNT_DISABLED = "account_disabled"
    COMPROMISED = "compromised"


class TrackingMode(StrEnum):
    """``off``: no device is tracked; ``always``: confirming remembers; ``opt_in``: the user is asked."""

    OFF = "off"
    ALWAYS = "always"
    OPT_IN = "opt_in"


class Binding(StrEnum):
    """What proof of itself a device gives."""

    COOKIE = "cookie"
    SRP = "srp"


class TrustReason(StrEnum):
    """Why a sign-in may or may not skip MFA. Every value but ``TRUSTED`` is a refusal."""

    TRUSTED = "trusted"
    NO_DEVICE = "no_device"
    UNREADABLE_COOKIE = "unreadable_cookie"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_USER = "wrong_user"
    NOT_CONFIRMED = "not_confirmed"
    NOT_REMEMBERED = "not_remembered"
    EXPIRED = "expired"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a reason, not a secret
    SUPERSEDED_SECRET = "superseded_secret"  # noqa: S105 - a reason, not a secret
    PROOF_MISSING = "proof_missing"
    PROOF_FAILED = "proof_failed"
    CREDENTIALS_CHANGED = "credentials_changed"
    MFA_INACTIVE = "mfa_inactive"
    POLICY_FORBIDS = "policy_forbids"
    RISK = "risk"
    BACKEND_UNAVAILABLE = "backend_unavailable"


class SecretMatch(StrEnum):
    """How the secret that a device presented relates to those the server knows."""

    CURRENT = "current"
    SUCCESSOR = "successor"
    SUPERSEDED = "superseded"
    WRONG = "wrong"


class ProofState(StrEnum):
    """Where the proof stands that a binding stronger than the cookie demands."""

    NOT_NEEDED = "not_needed"
    MISSING = "missing"
    FAILED = "failed"
    PASSED = "passed"


class EventAction(StrEnum):
    """What an entry of the activity log is about."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    TRUST_REFUSED = "trust_refused"
    CONFIRMED = "confirmed"
    REMEMBERED = "remembered"
    NOT_REMEMBERED = "not_remembered"
    SHORTENED = "shortened"
    RENAMED = "renamed"
    FORGOTTEN = "forgotten"
    EXPIRED = "expired"
    COMPROMISED = "compromised"


class VerifiedBy(StrEnum):
    """How a session's user was verified. Only ``MFA`` and ``RECOVERY`` mean that a second factor was just used."""

    PASSWORD = "password"  # noqa: S105 - a method, not a secret
    TRUSTED_DEVICE = "trusted_device"
    MFA = "mfa"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientInfo:
    """What is known of the client.

    ``keeps_credentials`` says whether it will keep a credential that it is given now. ``request`` is opaque to
    everything below the doors: it is only handed on to Django's authentication backends, several of which insist on it.
    """

    ip_address: str | None = None
    user_agent: str = ""
    impersonated: bool = False
    keeps_credentials: bool = True
    request: Any = field(default=None, repr=False, compare=False)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who did something, why, from where and when.

    ``actor`` is ``None`` where the site acts by itself, as in the sweep. ``note`` is the reason that staff gave. ``at``
    is aware; doors and tests may leave it to the clock.
    """

    actor: AbstractBaseUser | None = None
    note: str = ""
    client: ClientInfo = field(default_factory=ClientInfo)
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCredential:
    """What a browser or app holds of one device: the entry of one user in the device-key cookie.

    ``generation`` counts the rotations of the secret, so that a secret that was valid once can be told from one
    that never was. ``expires_at`` is when the server meant trust to end; it only sets the age of the cookie.
    """

    user_id: str
    device_key: str
    secret: str = field(repr=False)
    generation: int
    group_key: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """What a device that is about to be registered is called, and what it proves itself by.

    That is a ``secret``, or a password of which the site keeps ``srp_salt`` and ``srp_verifier`` (big-endian).
    """

    device_key: str
    group_key: str
    secret: str = field(default="", repr=False)
    binding: Binding = Binding.COOKIE
    srp_salt: bytes | None = field(default=None, repr=False)
    srp_verifier: bytes | None = field(default=None, repr=False)


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
class Presented:
    """What a sign-in brought along: a credential, nothing, or something that could not be read."""

    credential: DeviceCredential | None = None
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What the policy needs to know of a stored device."""

    user_id: str
    confirmed: bool
    status: DeviceStatus
    trust_granted_at: datetime | None
    trust_expires_at: datetime | None
    secret: SecretMatch
    credentials_changed: bool
    proof: ProofState = ProofState.NOT_NEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustLimits:
    """What the site's policy allows one user now. ``maximum`` bounds every trust, also those already given."""

    allowed: bool
    maximum: timedelta


@dataclass(frozen=True, slots=True)
class TrustDecision:
    """The answer to "may this sign-in skip MFA?"."""

    allowed: bool
    reason: TrustReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustOffer:
    """The periods that a user may choose from, shortest first, and which of them is preselected."""

    periods: tuple[timedelta, ...]
    default: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaMethod:
    """One second factor that a user can be asked for.

    ``kind`` is the provider's word for the sort of factor (``totp``, ``email``, ``recovery`` ...);
    ``recovery`` marks a code that stands in for a lost factor and does not earn trust by default.
    ``needs_sending`` says that a code must be sent before it can be asked for; ``needs_choosing`` that the backend
    must be told of the choice before it takes a code. ``sent_to`` is where its code went, masked, if that is known.
    ``set_up_key`` is the key (base32, RFC 6238) of an authenticator that this very sign-in sets up. ``fingerprint``
    is another one once the factor was reset; providers that cannot tell leave it empty.
    """

    id: str
    kind: str
    label: str
    recovery: bool = False
    needs_sending: bool = False
    needs_choosing: bool = False
    sent_to: str = ""
    set_up_key: str = field(default="", repr=False)
    fingerprint: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """A new password that is due before anything else, and the ``attributes`` of the user that are due with it.

    They have the names of OpenID Connect Core 1.0, section 5.1 (``given_name``, ``birthdate`` ...).
    """

    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaVerification:
    """A second factor that was really verified, and when. ``factor_id`` names it for the log.

    ``stamp`` is the credential stamp that it was verified under; empty where nobody has taken it yet.
    """

    kind: str
    factor_id: str
    at: datetime
    recovery: bool = False
    stamp: str = field(default="", repr=False, compare=False)
