"""A policy that contradicts itself."""

from __future__ import annotations

from typing import Any

from trusted_devices.policy import TrustPolicy
from trusted_devices.types import TrustOffer


class OffersWhatItForbids(TrustPolicy):
    """Offers trust to everybody, and then allows it to nobody."""

    def offer(self, *arguments: Any) -> TrustOffer | None:
        return TrustOffer(periods=self.settings.PERIODS, default=self.settings.DEFAULT_PERIOD)

    def may_trust(self, *arguments: Any) -> bool:
        return False
