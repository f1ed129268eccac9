"""One device and several browsers that hold copies of its cookie: whatever the order, the honest one is left alone
while it is alone, and a copy is found out."""

import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.contrib.auth import get_user_model
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.conftest import NOW
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import credentials, granting, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import By, ClientInfo, MfaVerification, Presented, StatusReason, TrustReason

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
PERIOD = 90 * DAY
CLIENT = ClientInfo(user_agent="Firefox")
GAPS = st.sampled_from([SECOND, 59 * SECOND, credentials.ROTATION_GRACE, 5 * DAY])


def new_user():
    return get_user_model().objects.create(username=uuid.uuid4().hex, password="!")


def grant(user, credential, now):
    verified = MfaVerification(kind="totp", factor_id="f", at=now)
    presented = Presented(credential=credential)
    return granting.grant(
        user=user,
        verification=verified,
        presented=presented,
        choice=TrustChoice(period=PERIOD),
        by=By(client=CLIENT, at=now),
    ).credential


def check(user, credential, now):
    return trust.check(
        user=user, presented=Presented(credential=credential), mfa_active=True, by=By(client=CLIENT, at=now)
    )


def alarms(user):
    return DeviceEvent.objects.filter(user=user, action="compromised").count()


class Browsers(RuleBasedStateMachine):
    """The honest browser takes the newest cookie or loses the response; copies are used only once they are stale."""

    copies = Bundle("copies")

    def __init__(self):
        super().__init__()
        self.user = new_user()
        self.now = NOW
        self.held = grant(self.user, None, self.now)
        self.trusted_until = self.now + PERIOD
        self.seen = self.held
        self.alarm = False
        self.alarms = 0
        self.everything_ever_held = [self.held]

    def teardown(self):
        self.user.delete()

    def take(self, credential, lost):
        self.everything_ever_held.append(credential)
        if not lost:
            self.held = credential

    @rule(gap=GAPS, lost=st.booleans())
    def sign_in(self, gap, lost):
        """The honest browser signs in; the response may be lost."""
        self.now += gap
        found = check(self.user, self.held, self.now)
        if self.alarm:
            assert not found.decision.allowed
        elif self.now >= self.trusted_until:
            assert found.decision.reason is TrustReason.EXPIRED
        else:
            assert found.decision.reason is TrustReason.TRUSTED
            self.seen = self.held
            self.take(found.credential, lost)

    @rule()
    def visit(self):
        """The honest browser shows what it holds, a minute or more after it signed in."""
        self.now += credentials.SEEN_AFTER
        trust.seen(self.held)
        self.seen = self.held

    @rule(gap=GAPS, apart=st.sampled_from([timedelta(0), SECOND, 70 * SECOND]), keeps_second=st.booleans())
    @precondition(lambda self: not self.alarm)
    def sign_in_in_two_tabs(self, gap, apart, keeps_second):
        """Two tabs of the honest browser send the same cookie; it keeps whichever answer comes last."""
        self.now += gap
        first = check(self.user, self.held, self.now)
        self.now += apart
        second = check(self.user, self.held, self.now)
        for found in (first, second) if keeps_second else (second, first):
            if found.decision.allowed:
                self.seen = self.held if self.held.generation < found.credential.generation else self.seen
                self.take(found.credential, lost=False)
            else:
                assert found.decision.reason is TrustReason.EXPIRED

    @rule(gap=GAPS, lost=st.booleans())
    def trust_again(self, gap, lost):
        """The honest user passes MFA and trusts the browser."""
        self.now += gap
        granted = grant(self.user, self.held, self.now)
        if self.held.device_key == granted.device_key or not lost:
            self.seen = self.held if self.held.device_key == granted.device_key else granted
        self.take(granted, lost)
        if not lost or granted.device_key == self.held.device_key:
            self.trusted_until = self.now + PERIOD
            self.alarm = False

    @rule(target=copies)
    def copy(self):
        """Somebody copies the cookie."""
        return self.held

    @rule(copy=copies, gap=GAPS)
    def use_a_stale_copy(self, copy, gap):
        """Whoever copied the cookie knows the password, too, and comes when a successor has been seen."""
        if copy.device_key != self.seen.device_key or copy.generation >= self.seen.generation:
            return
        self.now += gap
        found = check(self.user, copy, self.now)
        assert found.decision.reason is TrustReason.SUPERSEDED_SECRET
        # Soon after its successor was seen, the alarm waits for the second factor.
        assert trust.familiar(user=self.user, credential=copy, by=By(client=CLIENT, at=self.now)) is None
        device = Device.objects.get(device_key=copy.device_key)
        assert device.status_reason == StatusReason.COMPROMISED
        if not self.alarm:
            self.alarm = True
            self.alarms += 1

    @invariant()
    def there_are_as_many_alarms_as_stale_copies_were_found_out(self):
        assert alarms(self.user) == self.alarms

    @precondition(lambda self: self.alarm)
    @invariant()
    def after_an_alarm_nobody_is_trusted(self):
        for credential in self.everything_ever_held:
            if credential.device_key == self.held.device_key:
                assert not check(self.user, credential, self.now).decision.allowed


@pytest.mark.django_db
def test_an_honest_browser_is_never_locked_out_and_a_copy_always_noticed():
    run_state_machine_as_test(
        Browsers, settings=settings(deadline=None, max_examples=25, stateful_step_count=20, report_multiple_bugs=False)
    )


@pytest.mark.django_db
@given(
    users=st.lists(st.sampled_from("ht"), min_size=1, max_size=10),
    losses=st.lists(st.booleans(), min_size=10, max_size=10),
)
def test_copies_that_are_used_in_turn_are_noticed_at_the_second_turn(users, losses):
    user, now, takers = new_user(), NOW, []
    held = dict.fromkeys("ht", grant(user, None, now))
    for position, who in enumerate(users):
        now += DAY
        found = check(user, held[who], now)
        if not found.decision.allowed:
            assert set(users[: position + 1]) == {"h", "t"}, "a cookie that nobody else used is good"
            assert alarms(user) == 1
            return
        if not losses[position]:
            held[who] = found.credential
            takers.append(who)
        turns = sum(one != other for one, other in pairwise(takers))
        assert turns < 2
    assert alarms(user) == 0


@pytest.mark.django_db
@given(generation=st.integers(0, 20))
def test_a_secret_that_never_was_raises_an_alarm_only_for_a_generation_that_was(generation):
    user = new_user()
    credential, now = grant(user, None, NOW), NOW
    for _ in range(3):
        now += DAY
        credential = check(user, credential, now).credential
    check(user, replace(credential, secret="x" * 43, generation=generation), now + DAY)
    assert alarms(user) == (1 if generation <= 3 else 0)
