"""Checking and granting trust."""

from __future__ import annotations

from datetime import timedelta

import pytest

from trusted_devices.exceptions import AlreadyAnswered, InvalidPeriod
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import trust
from trusted_devices.types import Presented, StatusReason, TrustReason

DAY = timedelta(days=1)


@pytest.fixture
def granted(user, verified, client_info, sixty_days, now):
    return trust.grant(
        user=user,
        period=sixty_days,
        verification=verified,
        presented=Presented(),
        client=client_info,
        now=now,
    )


def _check(user, credential, client_info, now):
    return trust.check(
        user=user, presented=Presented(credential=credential), client=client_info, mfa_active=True, now=now
    )


def test_a_granted_device_skips_mfa_until_its_date_and_not_on_it(granted, user, client_info, now, sixty_days):
    just_before = _check(user, granted.credential, client_info, now + sixty_days - timedelta(microseconds=1))
    assert just_before.decision.reason is TrustReason.TRUSTED
    on_the_date = _check(user, just_before.credential, client_info, now + sixty_days)
    assert on_the_date.decision.reason is TrustReason.EXPIRED


def test_each_trusted_sign_in_replaces_the_secret(granted, user, client_info, now):
    first = _check(user, granted.credential, client_info, now + DAY)
    second = _check(user, first.credential, client_info, now + 2 * DAY)
    assert len({granted.credential.secret, first.credential.secret, second.credential.secret}) == 3


def test_a_lost_response_locks_nobody_out(granted, user, client_info, now):
    _check(user, granted.credential, client_info, now + DAY)
    again = _check(user, granted.credential, client_info, now + 2 * DAY)
    assert again.decision.allowed


def test_a_superseded_secret_ends_the_trust(granted, user, client_info, now):
    first = _check(user, granted.credential, client_info, now + DAY)
    _check(user, first.credential, client_info, now + 2 * DAY)
    replayed = _check(user, granted.credential, client_info, now + 3 * DAY)
    assert replayed.decision.reason is TrustReason.SUPERSEDED_SECRET
    assert Device.objects.get().status_reason == StatusReason.COMPROMISED
    assert DeviceEvent.objects.filter(action="compromised").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_check_costs_one_read_and_one_write(granted, user, client_info, now, django_assert_num_queries):
    with django_assert_num_queries(2) as captured:
        _check(user, granted.credential, client_info, now + DAY)
    assert [query["sql"].split()[0] for query in captured] == ["SELECT", "UPDATE"]


def test_a_question_is_answered_once(user, verified, client_info, sixty_days, now):
    arguments = {
        "user": user, "period": sixty_days, "verification": verified, "presented": Presented(),
        "client": client_info, "grant_id": "one", "now": now,
    }  # fmt: skip
    trust.grant(**arguments)
    with pytest.raises(AlreadyAnswered):
        trust.grant(**arguments)
    assert Device.objects.count() == 1


def test_a_period_outside_the_policy_is_refused(user, verified, client_info, now):
    with pytest.raises(InvalidPeriod):
        trust.grant(
            user=user, period=timedelta(days=61), verification=verified, presented=Presented(),
            client=client_info, now=now,
        )  # fmt: skip
    assert not Device.objects.exists()


def test_trusting_again_revives_the_same_device(granted, user, verified, client_info, now, sixty_days):
    revived = trust.grant(
        user=user, period=sixty_days, verification=verified,
        presented=Presented(credential=granted.credential), client=client_info, now=now + 61 * DAY,
    )  # fmt: skip
    assert revived.device.pk == granted.device.pk
    assert _check(user, revived.credential, client_info, now + 62 * DAY).decision.allowed
