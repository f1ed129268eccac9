"""A pool's policy: what the pool says, and what the site says where the pool says nothing or too much."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.conftest import NOW
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.policy import TrustPolicy
from trusted_devices.types import ClientInfo, MfaVerification, TrackingMode, TrustLimits

DAY = timedelta(days=1)
BY_CODE = MfaVerification(kind="totp", factor_id="f", at=NOW)
CLIENT = ClientInfo()


class Strict(TrustPolicy):
    """A site that allows ten days at most, and members of one group alone."""

    def maximum(self, user):
        return 10 * DAY

    def groups(self, user):
        return ["night shift"]

    def limits(self, user):
        return TrustLimits(allowed=user.is_active, maximum=5 * DAY)

    def periods(self, user):
        return (2 * DAY, 10 * DAY)


@pytest.fixture
def policy(settings):
    """The policy of a pool with these fields, on a site with these settings."""

    def policy_of(site=None, **pool):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, **(site or {})}
        return PoolPolicy(UserPool(**pool))

    return policy_of


@pytest.mark.parametrize("tracking", TrackingMode)
def test_the_pool_says_whether_devices_are_tracked(policy, user, tracking):
    assert policy(tracking=tracking.value, site={"TRACKING": "always"}).tracking(user) is tracking


@pytest.mark.parametrize(
    ("site", "pool", "counts"),
    [
        ({}, {}, True),
        ({"TRACKING": "off"}, {}, False),
        ({"CHALLENGE_REQUIRED_ON_NEW_DEVICE": False}, {}, False),
        ({}, {"tracking": "off"}, False),
        ({}, {"challenge_required_on_new_device": False}, False),
    ],
)
def test_trust_counts_only_where_pool_and_site_say_so(policy, user, site, pool, counts):
    pool = policy(site, **pool)
    assert pool.trust_counts(user) is pool.limits(user).allowed is counts


def test_trust_of_users_who_are_disabled_counts_in_no_pool(policy, user):
    user.is_active = False
    assert not policy().limits(user).allowed


@pytest.mark.parametrize(("period", "longest"), [(None, 90), (7, 7), (90, 90), (365, 90)])
def test_a_pool_shortens_the_longest_period_and_never_lengthens_it(policy, user, period, longest):
    pool = policy(trust_period=None if period is None else period * DAY)
    assert pool.maximum(user) == pool.limits(user).maximum == longest * DAY


def test_a_pool_without_a_period_offers_what_the_site_does(policy, user):
    pool = policy({"PERIODS": (3 * DAY, 7 * DAY), "DEFAULT_PERIOD": 3 * DAY})
    assert pool.periods(user) == (3 * DAY, 7 * DAY)
    assert pool.offer(user, BY_CODE, CLIENT) == pool.site.offer(user, BY_CODE, CLIENT)


def test_a_pool_with_a_period_offers_that_alone(policy, user):
    pool = policy(trust_period=9 * DAY)
    offer = pool.offer(user, BY_CODE, CLIENT)
    assert (offer.periods, offer.default) == (pool.periods(user), 9 * DAY) == ((9 * DAY,), 9 * DAY)


def test_what_earns_no_trust_on_the_site_earns_none_in_a_pool(policy, user):
    recovered, impersonating = replace(BY_CODE, recovery=True), replace(CLIENT, impersonated=True)
    for pool in (policy(), policy(trust_period=9 * DAY)):
        assert pool.may_trust(user, BY_CODE, CLIENT)
        for verification, client in ((recovered, CLIENT), (BY_CODE, impersonating)):
            assert not pool.may_trust(user, verification, client)
            assert pool.offer(user, verification, client) is None


def test_a_policy_of_the_sites_own_holds_in_its_pools(policy, user):
    pool = policy({"POLICY": f"{__name__}.Strict"}, trust_period=7 * DAY)
    assert (pool.maximum(user), pool.limits(user).maximum) == (7 * DAY, 5 * DAY)
    assert pool.groups(user) == ["night shift"]
    assert policy().periods(user) == (2 * DAY, 10 * DAY)
    assert not pool.at_risk(user, None, CLIENT)
