"""The rules of trust, as pure functions: facts in, a decision with a named reason out.

``evaluate_trust`` is the one answer to "may this sign-in skip MFA?" behind every door. :class:`TrustPolicy` is what a
site overrides to treat some users differently.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from trusted_devices.types import (
    ClientInfo,
    DeviceFacts,
    DeviceStatus,
    MfaVerification,
    Presented,
    ProofState,
    SecretMatch,
    TrackingMode,
    TrustDecision,
    TrustLimits,
    TrustOffer,
    TrustReason,
)

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import PermissionsMixin

    from trusted_devices.conf import Settings


CLOCK_SKEW = timedelta(minutes=1)
"""How far the clock of the web process that wrote a time may be ahead of the one that reads it."""


def evaluate_trust(
    *,
    user_id: str,
    presented: Presented,
    device: DeviceFacts | None,
    limits: TrustLimits,
    mfa_active: bool,
    at_risk: bool,
    now: datetime,
) -> TrustDecision:
    """Decide whether a sign-in that has passed its first factor may skip MFA.

    A ladder of refusals, one reason a rung, ending in the only yes. What a device proves comes before what is stored
    of it, so that a copied secret is noticed whatever the device's status.
    """
    if presented.unreadable:
        return _refused(TrustReason.UNREADABLE_COOKIE)
    if presented.credential is None:
        return _refused(TrustReason.NO_DEVICE)
    if not mfa_active:
        return _refused(TrustReason.MFA_INACTIVE)
    if device is None:
        return _refused(TrustReason.UNKNOWN_DEVICE)
    if presented.credential.user_id != user_id:
        return _refused(TrustReason.WRONG_USER)
    return evaluate_device(user_id=user_id, device=device, limits=limits, at_risk=at_risk, now=now)


def evaluate_device(
    *, user_id: str, device: DeviceFacts, limits: TrustLimits, at_risk: bool, now: datetime
) -> TrustDecision:
    """Decide whether a known device may skip MFA for that user: the lower part of the ladder."""
    reason = _first_flaw(user_id, device, limits, now)
    if reason is None and at_risk:
        reason = TrustReason.RISK
    return _refused(reason) if reason is not None else TrustDecision(allowed=True, reason=TrustReason.TRUSTED)


def _first_flaw(  # noqa: C901, PLR0911 - a ladder: splitting it would hide the order
    user_id: str, device: DeviceFacts, limits: TrustLimits, now: datetime
) -> TrustReason | None:
    if device.user_id != user_id:
        return TrustReason.WRONG_USER
    if not device.confirmed:
        return TrustReason.NOT_CONFIRMED
    if device.secret is SecretMatch.SUPERSEDED:
        return TrustReason.SUPERSEDED_SECRET
    if device.secret is SecretMatch.WRONG:
        return TrustReason.WRONG_SECRET
    if device.credentials_changed:
        return TrustReason.CREDENTIALS_CHANGED
    if device.status is not DeviceStatus.REMEMBERED:
        return TrustReason.NOT_REMEMBERED
    if not limits.allowed:
        return TrustReason.POLICY_FORBIDS
    if has_expired(device.trust_granted_at, device.trust_expires_at, limits.maximum, now=now):
        return TrustReason.EXPIRED
    if device.proof is ProofState.MISSING:
        return TrustReason.PROOF_MISSING
    if device.proof is ProofState.FAILED:
        return TrustReason.PROOF_FAILED
    return None


def _refused(reason: TrustReason) -> TrustDecision:
    return TrustDecision(allowed=False, reason=reason)


def effective_expiry(
    trust_granted_at: datetime | None, trust_expires_at: datetime | None, maximum: timedelta
) -> datetime | None:
    """Return when trust really ends: the date that was given or what the maximum leaves of it, whichever is sooner.

    ``None`` when no trust was given. Shortening a maximum therefore shortens trust already given.
    """
    if trust_granted_at is None or trust_expires_at is None:
        return None
    return min(trust_expires_at, trust_granted_at + maximum)


def has_expired(
    trust_granted_at: datetime | None,
    trust_expires_at: datetime | None,
    maximum: timedelta,
    *,
    now: datetime,
) -> bool:
    """Return whether trust has ended. On the very moment of its expiry it has; without a date it has, too."""
    expiry = effective_expiry(trust_granted_at, trust_expires_at, maximum)
    return expiry is None or now >= expiry


class TrustPolicy:
    """Who may trust a device, for how long, and after what. Name a subclass in ``TRUSTED_DEVICES["POLICY"]``.

    ``user`` is the site's user model instance throughout. Methods must be quick: they run at every sign-in.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def tracking(self, user: AbstractBaseUser) -> TrackingMode:
        """Return whether this user's devices are tracked, and whether the user is asked."""
        return TrackingMode(self.settings.TRACKING)

    def maximum(self, user: AbstractBaseUser) -> timedelta:
        """Return the longest period for this user: the shortest of the site's, the staff's and their groups'."""
        limits = [self.settings.MAX_PERIOD]
        if self.settings.STAFF_MAX_PERIOD is not None and getattr(user, "is_staff", False):
            limits.append(self.settings.STAFF_MAX_PERIOD)
        by_group = self.settings.GROUP_MAX_PERIODS
        if by_group:
            limits.extend(by_group[name] for name in self.groups(user) if name in by_group)
        return min(limits)

    def groups(self, user: AbstractBaseUser) -> list[str]:
        """Return the names of this user's groups. Asked only if ``GROUP_MAX_PERIODS`` is set; costs one query."""
        groups = cast("PermissionsMixin", user).groups
        return [group.name for group in groups.all()]  # in this form it uses groups that were loaded beforehand

    def limits(self, user: AbstractBaseUser) -> TrustLimits:
        """Return what bounds trust that this user has already been given."""
        return TrustLimits(allowed=bool(user.is_active) and self.trust_counts(user), maximum=self.maximum(user))

    def trust_counts(self, user: AbstractBaseUser) -> bool:
        """Return whether this user's remembered devices skip MFA at all."""
        return self.settings.CHALLENGE_REQUIRED_ON_NEW_DEVICE and self.tracking(user) is not TrackingMode.OFF

    def periods(self, user: AbstractBaseUser) -> tuple[timedelta, ...]:
        """Return the periods that this user may choose from, shortest first; none means that none is offered."""
        maximum = self.maximum(user)
        return tuple(sorted({period for period in self.settings.PERIODS if period <= maximum}))

    def may_trust(self, user: AbstractBaseUser, verification: MfaVerification, client: ClientInfo) -> bool:
        """Return whether the second factor that was just verified may earn trust here."""
        if client.impersonated or self.tracking(user) is TrackingMode.OFF:
            return False
        return not verification.recovery or self.settings.TRUST_AFTER_RECOVERY_CODE

    def offer(self, user: AbstractBaseUser, verification: MfaVerification, client: ClientInfo) -> TrustOffer | None:
        """Return what this user is offered after that second factor, or ``None``.

        Nobody is asked about trust that would not count, or that the client would not keep.
        """
        periods = self.periods(user)
        if not periods or not client.keeps_credentials or not self.may_trust(user, verification, client):
            return None
        if self.tracking(user) is TrackingMode.OPT_IN and not self.trust_counts(user):
            return None
        fitting = [period for period in periods if period <= self.settings.DEFAULT_PERIOD]
        return TrustOffer(periods=periods, default=fitting[-1] if fitting else periods[0])

    def at_risk(self, user: AbstractBaseUser, device: Any, client: ClientInfo) -> bool:
        """Return whether this sign-in is unusual enough that trust must not answer for it. Never, by default."""
        return False
