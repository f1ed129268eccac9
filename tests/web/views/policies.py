"""Policies that contradict themselves, or trust nobody."""

from trusted_devices.policy import TrustPolicy
from trusted_devices.types import TrustOffer


class OffersWhatItForbids(TrustPolicy):
    """Offers trust to everybody, and then allows it to nobody."""

    def offer(self, *arguments):
        return TrustOffer(periods=self.settings.PERIODS, default=self.settings.DEFAULT_PERIOD)

    def may_trust(self, *arguments):
        return False


class SuspectsEverybody(TrustPolicy):
    """Lets no device answer for a second factor, and ends no trust."""

    def at_risk(self, *arguments):
        return True
