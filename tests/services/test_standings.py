"""How a user's devices stand."""

from datetime import timedelta

import pytest

from trusted_devices.services import devices, granting, registration, standings
from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import By, Presented, StatusReason, TrustReason


@pytest.fixture
def device(user, verified, client_info, sixty_days, now):
    """A device that ``user`` trusts for sixty days."""
    return granting.grant(
        user=user,
        verification=verified,
        presented=Presented(),
        choice=TrustChoice(period=sixty_days),
        by=By(client=client_info, at=now),
    ).device


def test_the_device_in_hand_comes_first_and_then_the_latest_used(user, device, client_info, now):
    older, newer = (
        registration.confirm(user=user, by=By(client=client_info, at=now + timedelta(hours=hours)))[0]
        for hours in (1, 2)
    )
    found = standings.standings(user=user, current_key=device.device_key, now=now)
    assert [standing.device for standing in found] == [device, newer, older]
    assert [standing.is_current for standing in found] == [True, False, False]


def test_a_trusted_device_stands_as_trusted_until_its_date(user, device, now):
    (standing,) = standings.standings(user=user, now=now)
    assert standing.decision.allowed
    assert standing.trusted_until == now + timedelta(days=60)
    assert not standing.is_current


def test_past_its_date_it_stands_as_expired(user, device, now):
    standing = standings.standing(user=user, device=device, now=now + timedelta(days=60))
    assert standing.decision.reason is TrustReason.EXPIRED
    assert standing.trusted_until is None


def test_whoever_stopped_trusting_it_sees_that_it_is_not_remembered(user, device, now):
    devices.stop_trusting([device], reason=StatusReason.USER_STOPPED, by=By(at=now))
    (standing,) = standings.standings(user=user, now=now)
    assert standing.decision.reason is TrustReason.NOT_REMEMBERED


def test_nobody_elses_devices_are_among_them(other_user, device, now):
    assert standings.standings(user=other_user, now=now) == []


@pytest.mark.django_db
def test_all_of_them_cost_one_query_beside_those_for_the_factors(
    user, device, client_info, now, django_assert_num_queries
):
    for _number in range(5):
        registration.confirm(user=user, by=By(client=client_info, at=now))
    with django_assert_num_queries(1 + 4):
        assert len(standings.standings(user=user, now=now)) == 6
