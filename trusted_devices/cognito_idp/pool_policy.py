"""What a user pool says of its devices, as a policy: it may ask for more than the site's does, never for less."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.policy import TrustPolicy
from trusted_devices.services.site_policy import get_policy
from trusted_devices.types import ClientInfo, MfaVerification, TrackingMode, TrustLimits, TrustOffer


class PoolPolicy(TrustPolicy):
    """The policy of one pool. Whatever the pool does not say, the site's policy says."""

    def __init__(self, pool: UserPool) -> None:
        self.site = get_policy()
        super().__init__(self.site.settings)
        self.pool = pool

    def tracking(self, user: AbstractBaseUser) -> TrackingMode:
        return TrackingMode(self.pool.tracking)

    def maximum(self, user: AbstractBaseUser) -> timedelta:
        return self._at_most(self.site.maximum(user))

    def groups(self, user: AbstractBaseUser) -> list[str]:
        return self.site.groups(user)

    def limits(self, user: AbstractBaseUser) -> TrustLimits:
        limits = self.site.limits(user)
        return TrustLimits(allowed=limits.allowed and self._skips_mfa(), maximum=self._at_most(limits.maximum))

    def trust_counts(self, user: AbstractBaseUser) -> bool:
        return self.site.trust_counts(user) and self._skips_mfa()

    def periods(self, user: AbstractBaseUser) -> tuple[timedelta, ...]:
        return self.site.periods(user) if self.pool.trust_period is None else (self.maximum(user),)

    def may_trust(self, user: AbstractBaseUser, verification: MfaVerification, client: ClientInfo) -> bool:
        return self.site.may_trust(user, verification, client)

    def offer(self, user: AbstractBaseUser, verification: MfaVerification, client: ClientInfo) -> TrustOffer | None:
        if self.pool.trust_period is None:
            return self.site.offer(user, verification, client)
        if not self.may_trust(user, verification, client):
            return None
        return TrustOffer(periods=self.periods(user), default=self.maximum(user))

    def at_risk(self, user: AbstractBaseUser, device: Any, client: ClientInfo) -> bool:
        return self.site.at_risk(user, device, client)

    def _skips_mfa(self) -> bool:
        return self.pool.challenge_required_on_new_device and self.pool.is_tracking

    def _at_most(self, maximum: timedelta) -> timedelta:
        return maximum if self.pool.trust_period is None else min(maximum, self.pool.trust_period)
