"""The rules of trust as a table: every reason, and which of two reasons is named."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group

from tests.conftest import NOW
from trusted_devices.conf import Settings
from trusted_devices.policy import TrustPolicy, effective_expiry, evaluate_device, evaluate_trust, has_expired
from trusted_devices.types import (
    ClientInfo,
    DeviceCredential,
    DeviceFacts,
    DeviceStatus,
    MfaVerification,
    Presented,
    ProofState,
    SecretMatch,
    TrackingMode,
    TrustLimits,
    TrustReason,
)

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
CREDENTIAL = DeviceCredential(user_id="7", device_key="local_1", secret="s", generation=0)
FACTS = DeviceFacts(
    user_id="7",
    confirmed=True,
    status=DeviceStatus.REMEMBERED,
    trust_granted_at=NOW - DAY,
    trust_expires_at=NOW + DAY,
    secret=SecretMatch.CURRENT,
    credentials_changed=False,
)
GOOD = {
    "user_id": "7",
    "presented": Presented(credential=CREDENTIAL),
    "device": FACTS,
    "limits": TrustLimits(allowed=True, maximum=90 * DAY),
    "mfa_active": True,
    "at_risk": False,
    "now": NOW,
}


def facts(**changes):
    return {"device": replace(FACTS, **changes)}


# One change each to a sign-in that would be trusted, in the order of the ladder: the first that applies is the reason.
LADDER = [
    (TrustReason.UNREADABLE_COOKIE, {"presented": Presented(unreadable=True)}),
    (TrustReason.NO_DEVICE, {"presented": Presented()}),
    (TrustReason.MFA_INACTIVE, {"mfa_active": False}),
    (TrustReason.UNKNOWN_DEVICE, {"device": None}),
    (TrustReason.WRONG_USER, facts(user_id="8")),
    (TrustReason.NOT_CONFIRMED, facts(confirmed=False)),
    (TrustReason.SUPERSEDED_SECRET, facts(secret=SecretMatch.SUPERSEDED)),
    (TrustReason.WRONG_SECRET, facts(secret=SecretMatch.WRONG)),
    (TrustReason.CREDENTIALS_CHANGED, facts(credentials_changed=True)),
    (TrustReason.NOT_REMEMBERED, facts(status=DeviceStatus.NOT_REMEMBERED)),
    (TrustReason.POLICY_FORBIDS, {"limits": TrustLimits(allowed=False, maximum=90 * DAY)}),
    (TrustReason.EXPIRED, facts(trust_expires_at=NOW)),
    (TrustReason.PROOF_MISSING, facts(proof=ProofState.MISSING)),
    (TrustReason.PROOF_FAILED, facts(proof=ProofState.FAILED)),
    (TrustReason.RISK, {"at_risk": True}),
]


def merged(*changes):
    """Put several rungs together: changes to the facts of the device add up."""
    result = dict(GOOD)
    device_changes = {}
    for change in changes:
        for name, value in change.items():
            if name == "device" and value is not None:
                device_changes |= {
                    field: getattr(value, field)
                    for field in DeviceFacts.__dataclass_fields__
                    if getattr(value, field) != getattr(FACTS, field)
                }
            else:
                result[name] = value
    if result["device"] is not None:
        result["device"] = replace(FACTS, **device_changes)
    return result


def test_a_proven_remembered_device_within_its_time_is_trusted():
    decision = evaluate_trust(**GOOD)
    assert decision.allowed
    assert decision.reason is TrustReason.TRUSTED


@pytest.mark.parametrize(("reason", "change"), LADDER, ids=[reason for reason, _ in LADDER])
def test_each_flaw_alone_is_refused_for_its_own_reason(reason, change):
    decision = evaluate_trust(**{**GOOD, **change})
    assert not decision.allowed
    assert decision.reason is reason


PAIRS = [
    (first, second)
    for position, first in enumerate(LADDER)
    for second in LADDER[position + 1 :]
    if {first[0], second[0]}
    not in (
        # Two values of one fact: no sign-in has both.
        {TrustReason.UNREADABLE_COOKIE, TrustReason.NO_DEVICE},
        {TrustReason.SUPERSEDED_SECRET, TrustReason.WRONG_SECRET},
        {TrustReason.PROOF_MISSING, TrustReason.PROOF_FAILED},
    )
]


@pytest.mark.parametrize("reason", dict.fromkeys(first[0] for first, _second in PAIRS))
def test_of_two_flaws_the_one_further_up_the_ladder_is_named(reason):
    for first, second in PAIRS:
        if first[0] is reason:
            assert evaluate_trust(**merged(first[1], second[1])).reason is reason, second[0]


def test_every_reason_is_either_on_the_ladder_or_given_by_the_service():
    by_service = {TrustReason.BACKEND_UNAVAILABLE}
    assert {reason for reason, _ in LADDER} | {TrustReason.TRUSTED} | by_service == set(TrustReason)


OF_THE_SIGN_IN = (
    TrustReason.UNREADABLE_COOKIE,
    TrustReason.NO_DEVICE,
    TrustReason.MFA_INACTIVE,
    TrustReason.UNKNOWN_DEVICE,
)


def test_a_known_device_is_judged_alike_however_a_sign_in_named_it():
    of_the_device = ("user_id", "device", "limits", "at_risk", "now")
    for reason, change in [(TrustReason.TRUSTED, {}), *LADDER]:
        if reason not in OF_THE_SIGN_IN:
            given = {name: value for name, value in {**GOOD, **change}.items() if name in of_the_device}
            decision = evaluate_device(**given)
            assert (decision.allowed, decision.reason) == (reason is TrustReason.TRUSTED, reason)


@pytest.mark.parametrize("user_id", ["8", "", "07", "7 "])
def test_a_credential_of_another_user_is_refused_even_if_the_device_is_right(user_id):
    presented = Presented(credential=replace(CREDENTIAL, user_id=user_id))
    assert evaluate_trust(**{**GOOD, "presented": presented}).reason is TrustReason.WRONG_USER


@pytest.mark.parametrize("secret", [SecretMatch.CURRENT, SecretMatch.SUCCESSOR])
def test_the_current_secret_and_its_successor_are_both_good(secret):
    assert evaluate_trust(**{**GOOD, **facts(secret=secret)}).allowed


@pytest.mark.parametrize("proof", [ProofState.NOT_NEEDED, ProofState.PASSED])
def test_a_proof_that_passed_or_is_not_needed_does_not_stand_in_the_way(proof):
    assert evaluate_trust(**{**GOOD, **facts(proof=proof)}).allowed


@pytest.mark.parametrize(
    ("expires_at", "allowed"), [(NOW - MICROSECOND, False), (NOW, False), (NOW + MICROSECOND, True)]
)
def test_trust_ends_at_the_very_moment_of_its_expiry(expires_at, allowed):
    assert evaluate_trust(**{**GOOD, **facts(trust_expires_at=expires_at)}).allowed is allowed


@pytest.mark.parametrize("missing", ["trust_granted_at", "trust_expires_at"])
def test_trust_without_a_date_has_ended(missing):
    assert evaluate_trust(**{**GOOD, **facts(**{missing: None})}).reason is TrustReason.EXPIRED


def test_shortening_the_maximum_shortens_trust_already_given():
    given = facts(trust_granted_at=NOW - 30 * DAY, trust_expires_at=NOW + 30 * DAY)
    assert evaluate_trust(**{**GOOD, **given}).allowed
    shorter = TrustLimits(allowed=True, maximum=30 * DAY)
    assert evaluate_trust(**{**GOOD, **given, "limits": shorter}).reason is TrustReason.EXPIRED


@pytest.mark.parametrize(
    ("granted", "expires", "maximum", "expected"),
    [
        (NOW, NOW + 60 * DAY, 90 * DAY, NOW + 60 * DAY),
        (NOW, NOW + 60 * DAY, 60 * DAY, NOW + 60 * DAY),
        (NOW, NOW + 60 * DAY, 30 * DAY, NOW + 30 * DAY),
        (None, NOW + 60 * DAY, 90 * DAY, None),
        (NOW, None, 90 * DAY, None),
    ],
)
def test_the_effective_expiry_is_the_soonest_that_applies(granted, expires, maximum, expected):
    assert effective_expiry(granted, expires, maximum) == expected


def test_trust_that_was_never_given_has_expired():
    assert has_expired(None, None, 90 * DAY, now=NOW)


CLIENT = ClientInfo()
BY_CODE = MfaVerification(kind="totp", factor_id="f", at=NOW)
BY_RECOVERY = MfaVerification(kind="recovery", factor_id="r", at=NOW, recovery=True)


def somebody(*, is_staff=False, is_active=True):
    return SimpleNamespace(is_staff=is_staff, is_active=is_active)


def policy(**options):
    return TrustPolicy(Settings(**options))


def days(*numbers):
    return tuple(timedelta(days=number) for number in numbers)


def test_by_default_a_user_chooses_from_30_60_and_90_days_with_60_preselected():
    offer = policy().offer(somebody(), BY_CODE, CLIENT)
    assert offer.periods == days(30, 60, 90)
    assert offer.default == 60 * DAY


def test_periods_are_offered_shortest_first_and_each_once():
    offer = policy(PERIODS=days(90, 30, 60, 30)).offer(somebody(), BY_CODE, CLIENT)
    assert offer.periods == days(30, 60, 90)


def test_periods_beyond_the_maximum_are_not_offered():
    offer = policy(MAX_PERIOD=60 * DAY).offer(somebody(), BY_CODE, CLIENT)
    assert offer.periods == days(30, 60)


@pytest.mark.parametrize(("maximum", "default"), [(59, 30), (60, 60), (89, 60)])
def test_the_nearest_shorter_period_is_preselected_without_the_default(maximum, default):
    assert policy(MAX_PERIOD=maximum * DAY).offer(somebody(), BY_CODE, CLIENT).default == default * DAY


def test_a_default_below_every_period_preselects_the_shortest():
    assert policy(DEFAULT_PERIOD=DAY).offer(somebody(), BY_CODE, CLIENT).default == 30 * DAY


def test_staff_may_have_a_shorter_maximum():
    short = policy(STAFF_MAX_PERIOD=30 * DAY)
    assert short.maximum(somebody(is_staff=True)) == 30 * DAY
    assert short.maximum(somebody()) == 90 * DAY
    assert short.maximum(SimpleNamespace()) == 90 * DAY, "a user model need not know of staff"


def test_a_longer_maximum_for_staff_does_not_lengthen_the_one_for_everybody():
    assert policy(STAFF_MAX_PERIOD=200 * DAY).maximum(somebody(is_staff=True)) == 90 * DAY


def test_staff_whose_maximum_is_below_every_period_are_offered_nothing():
    strict = policy(STAFF_MAX_PERIOD=DAY)
    assert strict.offer(somebody(is_staff=True), BY_CODE, CLIENT) is None
    assert strict.offer(somebody(), BY_CODE, CLIENT) is not None


def test_the_shortest_maximum_of_a_users_groups_counts(user):
    limited = policy(GROUP_MAX_PERIODS={"finance": 30 * DAY, "it": 7 * DAY, "nobody": DAY})
    assert limited.maximum(user) == 90 * DAY
    user.groups.add(Group.objects.create(name="finance"), Group.objects.create(name="press"))
    assert limited.maximum(user) == 30 * DAY
    user.groups.add(Group.objects.create(name="it"))
    assert limited.maximum(user) == 7 * DAY


def test_groups_cost_a_query_only_where_groups_have_maximums(user, django_assert_num_queries):
    with django_assert_num_queries(0):
        policy().maximum(user)
    with django_assert_num_queries(1):
        policy(GROUP_MAX_PERIODS={"finance": DAY}).maximum(user)


@pytest.mark.parametrize(
    ("user", "options"),
    [
        (somebody(is_active=False), {}),
        (somebody(), {"TRACKING": "off"}),
        (somebody(), {"CHALLENGE_REQUIRED_ON_NEW_DEVICE": False}),
    ],
    ids=["disabled account", "tracking off", "remembered devices are asked too"],
)
def test_trust_already_given_counts_for_nothing(user, options):
    assert policy(**options).limits(user).allowed is False


@pytest.mark.parametrize("tracking", ["opt_in", "always"])
def test_trust_already_given_counts_within_the_maximum(tracking):
    limits = policy(TRACKING=tracking, MAX_PERIOD=45 * DAY).limits(somebody())
    assert limits == TrustLimits(allowed=True, maximum=45 * DAY)


def test_a_recovery_code_earns_trust_only_where_the_site_says_so():
    assert policy().offer(somebody(), BY_RECOVERY, CLIENT) is None
    assert policy(TRUST_AFTER_RECOVERY_CODE=True).offer(somebody(), BY_RECOVERY, CLIENT) is not None


def test_staff_acting_as_somebody_else_are_offered_nothing():
    assert policy().offer(somebody(), BY_CODE, ClientInfo(impersonated=True)) is None


def test_no_trust_is_offered_to_a_client_that_would_not_keep_it():
    assert policy().offer(somebody(), BY_CODE, ClientInfo(keeps_credentials=False)) is None


def test_nothing_is_offered_while_tracking_is_off():
    assert policy(TRACKING="off").offer(somebody(), BY_CODE, CLIENT) is None


def test_nobody_is_asked_about_trust_that_would_not_count():
    assert policy(CHALLENGE_REQUIRED_ON_NEW_DEVICE=False).offer(somebody(), BY_CODE, CLIENT) is None
    always = policy(CHALLENGE_REQUIRED_ON_NEW_DEVICE=False, TRACKING="always")
    assert always.offer(somebody(), BY_CODE, CLIENT) is not None, "devices are still tracked"


def test_the_tracking_mode_is_the_sites():
    assert policy(TRACKING="always").tracking(somebody()) is TrackingMode.ALWAYS


def test_nothing_is_unusual_unless_a_site_says_what_is():
    assert policy().at_risk(somebody(), object(), CLIENT) is False
