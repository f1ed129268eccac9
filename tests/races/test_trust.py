"""Trust that is checked, given and taken by several requests at the same moment."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

from tests import factories
from tests.shared_database import at_once, update_statistics
from trusted_devices.exceptions import AlreadyAnswered
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import credentials, devices, granting, stamps, trust
from trusted_devices.types import By, Presented, SecretMatch, StatusReason, TrustReason

DAY = timedelta(days=1)
TABS = 10
ROUNDS = 5


def test_tabs_that_sign_in_at_once_all_end_with_the_same_next_secret(now, grant, check):
    credential, moment = grant().credential, now
    for _ in range(ROUNDS):
        moment += DAY
        checks = at_once(*[lambda c=credential, m=moment: check(c, now=m)] * TABS)
        assert [checked.decision.reason for checked in checks] == [TrustReason.TRUSTED] * TABS
        [credential] = {checked.credential for checked in checks}
    device = Device.objects.get()
    assert (device.secret_generation, device.status_reason) == (ROUNDS - 1, StatusReason.USER_TRUSTED)


def test_tabs_that_sign_in_at_once_raise_no_alarm_and_a_copy_does(now, grant, check):
    given = grant().credential
    first = check(given, now=now + DAY).credential
    renewed = at_once(*[lambda: check(first, now=now + 2 * DAY)] * TABS)
    assert check(renewed[0].credential, now=now + 3 * DAY).decision.allowed
    assert check(given, now=now + 4 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET


def test_the_old_and_the_new_secret_at_the_same_moment_are_both_the_devices_own(now, grant, check):
    old = grant().credential
    for day in range(1, ROUNDS + 1):
        moment = now + day * DAY
        new = check(old, now=moment).credential
        late, early = at_once(lambda c=old, m=moment: check(c, now=m), lambda c=new, m=moment: check(c, now=m))
        # The old one is good until the new one has been seen: whichever came first decides.
        assert early.decision.allowed
        if not late.decision.allowed:
            assert late.decision.reason is TrustReason.SUPERSEDED_SECRET
            return
        old = early.credential


def test_an_old_secret_as_its_successor_is_seen_is_good_or_superseded(now, grant, check):
    for day in range(ROUNDS):
        Device.objects.all().delete()
        DeviceEvent.objects.all().delete()  # an alarm ends what was verified before
        moment = now + 2 * day * DAY
        old = grant(now=moment).credential
        new = check(old, now=moment).credential
        late, _ = at_once(lambda c=old, m=moment: check(c, now=m + DAY), lambda c=new: trust.seen(c))
        device = Device.objects.get()
        if late.decision.allowed:
            assert (device.secret_generation, credentials.match(device, late.credential)) == (0, SecretMatch.SUCCESSOR)
        else:
            assert late.decision.reason is TrustReason.SUPERSEDED_SECRET
            assert (device.secret_generation, credentials.match(device, new)) == (1, SecretMatch.CURRENT)


@pytest.fixture
def many_devices(other_user, now):
    """Enough for the database to look a device up by its key."""
    factories.store_trusted(other_user, 200, now=now)
    factories.store_expired(other_user, 200, now=now)
    update_statistics(Device)


def test_a_check_that_meets_forgetting_neither_fails_nor_brings_the_device_back(many_devices, user, now, grant, check):
    for _ in range(ROUNDS):
        given = grant()
        checked, forgotten = at_once(
            lambda given=given: check(given.credential, now=now + DAY),
            lambda given=given: devices.forget([given.device], by=By(at=now + DAY)),
        )
        assert forgotten == 1
        assert checked.decision.reason in (TrustReason.TRUSTED, TrustReason.UNKNOWN_DEVICE)
        assert not Device.objects.of(user).exists()
        assert check(given.credential, now=now + 2 * DAY).decision.reason is TrustReason.UNKNOWN_DEVICE


def test_a_check_that_meets_the_end_of_trust_does_not_undo_it(many_devices, user, now, grant, check):
    for _ in range(ROUNDS):
        given = grant()
        checked, stopped = at_once(
            lambda given=given: check(given.credential, now=now + DAY),
            lambda: devices.end_trust(user=user, reason=StatusReason.PASSWORD_CHANGED, by=By(at=now + DAY)),
        )
        assert stopped == 1
        assert checked.decision.reason in (TrustReason.TRUSTED, TrustReason.NOT_REMEMBERED)
        given.device.refresh_from_db()
        assert not given.device.is_remembered


def test_two_tabs_that_answer_the_same_question_trust_one_device(grant):
    for round_number in range(ROUNDS):
        question = f"question {round_number}"
        answers = at_once(*[lambda question=question: grant(grant_id=question)] * 2)
        assert {type(answer) for answer in answers} == {granting.Grant, AlreadyAnswered}
        assert Device.objects.count() == round_number + 1


def test_two_answers_at_once_trust_one_device_again_with_a_good_secret(now, grant, check):
    credential = grant().credential
    Device.objects.update(status="not_remembered")
    for _ in range(ROUNDS):
        revived = at_once(*[lambda c=credential: grant(presented=Presented(credential=c))] * 2)
        assert {answer.device.pk for answer in revived} == {Device.objects.get().pk}
        device = Device.objects.get()
        good = (SecretMatch.CURRENT, SecretMatch.SUCCESSOR)
        assert all(credentials.match(device, answer.credential) in good for answer in revived)
        credential = revived[-1].credential
    assert check(credential, now=now + DAY).decision.allowed


@pytest.mark.parametrize("stored", [4, 5])
def test_tabs_that_confirm_devices_at_once_stay_within_the_limit(user, now, grant, settings, stored):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAX_DEVICES_PER_USER": 5}
    factories.store_trusted(user, stored, now=now)
    answers = at_once(*[grant] * 6)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Device.objects.of(user).count() == 5
    forgotten = DeviceEvent.objects.filter(action="forgotten", note="limit")
    assert forgotten.count() == stored + 6 - 5


def test_a_factor_replaced_while_trust_is_given_leaves_none_that_counts(user, totp, verified, grant, check, now):
    for _ in range(ROUNDS):
        proof = replace(verified, stamp=stamps.current(user))
        granted, _key = at_once(
            lambda proof=proof: grant(verification=proof),
            lambda: TOTPDevice.objects.update(key=random_hex()),
        )
        assert check(granted.credential, now=now + DAY).decision.reason is TrustReason.CREDENTIALS_CHANGED
