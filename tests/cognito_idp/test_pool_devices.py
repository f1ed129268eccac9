"""Devices of a user pool: what the services make of them under the pool's policy."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError

from tests.broken_database import broken, overlooked
from tests.bundled import bundled
from tests.conftest import NOW
from trusted_devices.cognito_idp import accounts, pool_devices
from trusted_devices.cognito_idp.errors import WireError
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.exceptions import AlreadyAnswered, DeviceNotFound
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.policy import TrustPolicy
from trusted_devices.services import registration, remembering, stamps, standings, trust
from trusted_devices.services.activity import stored_ip
from trusted_devices.types import (
    Binding,
    By,
    DeviceStatus,
    NewDevice,
    ProofState,
    StatusReason,
    TrustReason,
)

DAY = timedelta(days=1)
GROUP = "-AbCdEf12"
READS_DEVICE = "^SELECT .*FROM .trusted_devices_device.?( |$)"
KEY = "us-east-1_0b6d5c1e-3f2a-4b77-9c55-2a7d1c0e9f10"
OPT_IN = {"tracking": "opt_in"}
ALWAYS = {"tracking": "always"}


class Nobody(TrustPolicy):
    """No second factor earns trust."""

    def may_trust(self, *_arguments):
        return False


class OffersNothing(TrustPolicy):
    """Trust may be earned, and none is offered."""

    def offer(self, *_arguments):
        return None


class SeesRisk(TrustPolicy):
    """Every sign-in is unusual."""

    def at_risk(self, *_arguments):
        return True


def policy_of(pool):
    return PoolPolicy(UserPool(**pool))


def new_device(device_key):
    return NewDevice(
        device_key=device_key, group_key=GROUP, binding=Binding.SRP, srp_salt=b"\x05", srp_verifier=b"\x07"
    )


@pytest.fixture
def site_policy(settings):
    """Have the site follow another policy."""

    def follow(policy):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "POLICY": f"{__name__}.{policy.__name__}"}

    return follow


@pytest.fixture
def confirm(user, client_info, verified):
    """Confirm a device of the user's, after MFA."""

    def confirm_it(pool=OPT_IN, key=KEY, **changes):
        arguments = {"user": user, "name": "Pixel 9", "policy": policy_of(pool), "verification": verified}
        arguments |= {"client": client_info, "now": NOW}
        return registration.confirm_as(new_device(key), **bundled(arguments | changes))

    return confirm_it


@pytest.fixture
def update(user, client_info, verified):
    """Have the user make a device remembered or not, after MFA."""

    def update_it(device, status=DeviceStatus.REMEMBERED, pool=OPT_IN, **changes):
        arguments = {"policy": policy_of(pool), "verification": verified, "actor": user}
        arguments |= {"client": client_info, "now": NOW}
        remembering.update_status(device, status, **bundled(arguments | changes))
        return Device.objects.get(pk=device.pk)

    return update_it


@pytest.fixture
def renew(verified, client_info):
    """Let a device sign in, with MFA."""

    def renew_it(device, pool=OPT_IN, **changes):
        arguments = {"policy": policy_of(pool), "verification": verified, "client": client_info, "now": NOW}
        remembering.renew(device, **bundled(arguments | changes))
        return Device.objects.get(pk=device.pk)

    return renew_it


@pytest.fixture
def decide(user, client_info):
    """Why a device may or may not skip MFA."""

    def decide_it(device, pool=OPT_IN, proof=ProofState.PASSED, now=NOW):
        device.refresh_from_db()
        by = By(client=client_info, at=now)
        stamp = stamps.current(user)
        return trust.check_device(
            user=user, device=device, stamp=stamp, proof=proof, policy=policy_of(pool), by=by
        ).reason

    return decide_it


def test_a_device_is_found_by_its_own_user_pool_and_key_alone(confirm, user, other_user):
    device = confirm()
    pool = UserPool.objects.create(name="own", device_group_key=GROUP)
    other_pool = UserPool.objects.create(name="other", device_group_key="-Other123")
    pool_user = accounts.get_pool_user(pool, user)
    assert pool_devices.find(pool_user, KEY) == device
    for wrong, key in (
        (accounts.get_pool_user(pool, other_user), KEY),
        (accounts.get_pool_user(other_pool, user), KEY),
        (pool_user, KEY.replace("0b", "0c")),
    ):
        with pytest.raises(WireError, match="Device does not exist"):
            pool_devices.find(wrong, key)


def test_a_key_is_confirmed_once(confirm, other_user):
    device = confirm()
    for owner in ({}, {"user": other_user}):
        with pytest.raises(AlreadyAnswered):
            confirm(**owner, name="another")
    assert Device.objects.get().name == device.name
    assert DeviceEvent.objects.count() == 1


def test_a_key_that_is_confirmed_twice_at_once_is_confirmed_once(confirm):
    confirm()
    with overlooked(READS_DEVICE, "trusted_devices_device"), pytest.raises(AlreadyAnswered) as refused:
        confirm(name="another")
    assert isinstance(refused.value.__cause__, IntegrityError)
    assert [device.name for device in Device.objects.all()] == ["Pixel 9"]
    assert DeviceEvent.objects.count() == 1


def test_a_device_whose_confirmation_cannot_be_logged_is_not_confirmed(confirm):
    with pytest.raises(DatabaseError), broken("^INSERT INTO .trusted_devices_deviceevent") as refused:
        confirm()
    assert refused
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("pool", "status", "reason"),
    [
        (OPT_IN, DeviceStatus.NOT_REMEMBERED, StatusReason.CONFIRMED),
        (ALWAYS, DeviceStatus.REMEMBERED, StatusReason.TRACKING_ALWAYS),
    ],
)
def test_confirming_remembers_where_every_device_is(confirm, pool, status, reason):
    device = confirm(pool)
    device.refresh_from_db()
    assert (device.status, device.status_reason) == (status, reason)
    assert (device.trust_expires_at == NOW + 60 * DAY) is (pool is ALWAYS)


@pytest.mark.parametrize(
    ("pool", "expires"),
    [
        (OPT_IN, NOW + 60 * DAY),
        (OPT_IN | {"trust_period": 7 * DAY}, NOW + 7 * DAY),
        (OPT_IN | {"trust_period": 365 * DAY}, NOW + 90 * DAY),
    ],
)
def test_trust_lasts_as_long_as_the_pool_says_and_the_site_allows(confirm, update, decide, pool, expires):
    device = update(confirm(), pool=pool)
    assert device.trust_expires_at == expires
    assert decide(device, pool) is TrustReason.TRUSTED
    assert decide(device, pool, now=expires) is TrustReason.EXPIRED


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        (OPT_IN, TrustReason.TRUSTED),
        (OPT_IN | {"challenge_required_on_new_device": False}, TrustReason.POLICY_FORBIDS),
        ({"tracking": "off"}, TrustReason.POLICY_FORBIDS),
        (OPT_IN | {"trust_period": timedelta(0)}, TrustReason.EXPIRED),
    ],
)
def test_a_pool_may_ask_for_more_than_the_site(confirm, update, decide, pool, reason):
    device = update(confirm())
    assert decide(device, pool) is reason
    refusals = DeviceEvent.objects.filter(action="trust_refused").values_list("reason", flat=True)
    assert list(refusals) == ([] if reason is TrustReason.TRUSTED else [reason])


@pytest.mark.parametrize(
    ("proof", "reason"),
    [(ProofState.MISSING, TrustReason.PROOF_MISSING), (ProofState.FAILED, TrustReason.PROOF_FAILED)],
)
def test_a_device_that_does_not_prove_itself_is_not_trusted(confirm, update, decide, proof, reason):
    assert decide(update(confirm()), proof=proof) is reason


def test_the_risk_that_the_site_sees_is_one_in_its_pools(confirm, update, decide, site_policy):
    device = update(confirm())
    site_policy(SeesRisk)
    assert decide(device) is TrustReason.RISK


@pytest.mark.parametrize("policy", [Nobody, OffersNothing])
def test_a_device_remembered_without_trust_is_asked_for_mfa(confirm, update, decide, site_policy, policy):
    site_policy(policy)
    device = update(confirm())
    assert (device.is_remembered, device.trust_granted_at) == (True, None)
    assert decide(device) is not TrustReason.TRUSTED
    # The pool's own period needs no offer, but a second factor that earns trust.
    device = update(device, pool=OPT_IN | {"trust_period": DAY})
    assert device.trust_expires_at == (NOW + DAY if policy is OffersNothing else None)


def test_an_mfa_longer_ago_than_its_period_earns_nothing(confirm, update, verified):
    pool = OPT_IN | {"trust_period": DAY}
    device = update(confirm(), pool=pool, verification=replace(verified, at=NOW - DAY))
    assert (device.is_remembered, device.trust_expires_at) == (True, None)


def test_remembering_again_by_the_same_mfa_changes_and_logs_nothing(confirm, update, verified):
    device = update(confirm())
    for verification in (verified, None):
        again = update(device, verification=verification, now=NOW + DAY)
        assert again.modified_at == device.modified_at
    later = update(device, verification=replace(verified, at=NOW + DAY), now=NOW + DAY)
    assert later.trust_expires_at == NOW + 61 * DAY
    assert DeviceEvent.objects.filter(action="remembered").count() == 2


@pytest.mark.parametrize("was_remembered", [True, False])
@pytest.mark.parametrize("by_staff", [True, False])
def test_who_stopped_trust_is_kept_also_where_there_was_none(confirm, update, user, was_remembered, by_staff):
    device, another = confirm(), confirm(key=KEY.replace("0b", "0c"))
    if was_remembered:
        device = update(device)
    actor, reason = (None, StatusReason.STAFF_STOPPED) if by_staff else (user, StatusReason.USER_STOPPED)
    device = update(device, DeviceStatus.NOT_REMEMBERED, actor=actor, now=NOW + DAY)
    assert (device.is_remembered, device.status_reason) == (False, reason)
    assert device.status_changed_at == NOW + DAY
    assert DeviceEvent.objects.filter(action="not_remembered").count() == was_remembered
    assert Device.objects.get(pk=another.pk).status_reason == another.status_reason


@pytest.mark.parametrize(
    ("pool", "stopped", "renewed"),
    [
        (OPT_IN, None, False),
        (OPT_IN, StatusReason.EXPIRED, False),
        (ALWAYS, StatusReason.EXPIRED, True),
        (ALWAYS, StatusReason.USER_STOPPED, False),
        (ALWAYS, StatusReason.STAFF_STOPPED, False),
        (ALWAYS, StatusReason.COMPROMISED, False),
    ],
)
def test_mfa_renews_trust_only_unasked_and_unless_ended_on_purpose(confirm, renew, verified, pool, stopped, renewed):
    device = confirm(pool)
    if stopped is not None:
        Device.objects.update(status=DeviceStatus.NOT_REMEMBERED, status_reason=stopped)
    later = NOW + DAY
    # What another request changed meanwhile counts, not what this one had read.
    for known in (device, Device.objects.get()):
        stored = renew(known, pool, verification=replace(verified, at=later), now=later)
        assert (stored.is_remembered, stored.last_authenticated_at) == (renewed, later)
    assert (stored.trust_granted_at == later) is renewed


def test_a_sign_in_without_mfa_leaves_trust_as_it_is(confirm, renew):
    trusted = confirm(ALWAYS)
    stored = renew(trusted, ALWAYS, verification=None, now=NOW + DAY)
    assert (stored.trust_expires_at, stored.last_authenticated_at) == (trusted.trust_expires_at, NOW + DAY)
    assert stored.trust_expires_at is not None


def test_a_device_remembered_without_mfa_is_trusted_after_the_next_one(confirm, update, renew, decide):
    device = update(confirm(), verification=None)
    assert decide(device) is TrustReason.EXPIRED
    device = renew(device)
    assert (device.trust_expires_at, device.status_reason) == (NOW + 60 * DAY, StatusReason.USER_TRUSTED)
    assert decide(device) is TrustReason.TRUSTED


def test_a_device_forgotten_meanwhile_is_neither_remembered_nor_noted(confirm, update, renew):
    device = confirm()
    Device.objects.all().delete()
    with pytest.raises(DeviceNotFound):
        update(device)
    with pytest.raises(DeviceNotFound):
        renew(device, ALWAYS)
    assert not Device.objects.exists()


def test_a_sign_in_without_an_agent_leaves_the_one_that_is_known(confirm, renew, client_info):
    device = confirm()
    nameless = replace(client_info, user_agent="", ip_address="198.51.100.9")
    device = renew(device, verification=None, client=nameless, now=NOW + DAY)
    assert (device.user_agent, device.last_ip) == (client_info.user_agent, stored_ip("198.51.100.9"))
    assert not device.is_remembered


def test_a_device_counts_as_remembered_until_its_trust_ends_not_the_sweep(confirm, update, user):
    never = confirm()
    without_mfa = update(confirm(key=KEY.replace("0b", "0c")), verification=None)
    trusted = update(confirm(key=KEY.replace("0b", "0d")))
    for now, expected in ((NOW + 60 * DAY - timedelta(seconds=1), True), (NOW + 60 * DAY, False)):
        counts = standings.remembered_at(now, user=user, policy=policy_of(OPT_IN))
        assert [counts(device) for device in (never, without_mfa, trusted)] == [False, True, expected]


@pytest.mark.parametrize(
    ("later", "expires"), [(59 * DAY, NOW + 60 * DAY), (60 * DAY, None)], ids=["not ended", "ended"]
)
def test_staff_take_up_trust_that_has_not_ended_and_make_none(confirm, update, later, expires):
    device = update(confirm())
    device = update(device, DeviceStatus.NOT_REMEMBERED, actor=None)
    device = update(device, verification=None, actor=None, now=NOW + later)
    assert (device.is_remembered, device.status_reason) == (True, StatusReason.STAFF_TRUSTED)
    assert device.trust_expires_at == expires
