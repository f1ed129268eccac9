"""Checking and granting trust."""

import logging
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from tests.broken_database import broken, interrupted
from tests.bundled import bundled
from tests.conftest import NOW
from trusted_devices import signals
from trusted_devices.exceptions import (
    AlreadyAnswered,
    InvalidDeviceName,
    InvalidPeriod,
    TrustNotAllowed,
)
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.policy import TrustPolicy
from trusted_devices.services import credentials, devices, granting, sessions, stamps, trust
from trusted_devices.types import (
    By,
    ClientInfo,
    DeviceStatus,
    EventAction,
    MfaVerification,
    Presented,
    SecretMatch,
    StatusReason,
    TrustReason,
    VerifiedBy,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
UPDATES_DEVICE = "^UPDATE .trusted_devices_device.?[ .]"
READS_DEVICE = "^SELECT .*FROM .trusted_devices_device.?( |$)"
ADDS_EVENT = "^INSERT INTO .trusted_devices_deviceevent"


@pytest.fixture
def grant(user, verified, client_info, sixty_days, now):
    """Grant trust to whoever presents nothing, or as the arguments say."""

    def grant_it(credential=None, **changes):
        arguments = {
            "user": user,
            "period": sixty_days,
            "verification": replace(verified, at=changes.get("now", now)),
            "presented": Presented(credential=credential),
            "client": client_info,
            "now": now,
        }
        return granting.grant(**bundled(arguments | changes, choice=True))

    return grant_it


@pytest.fixture
def granted(grant):
    return grant()


@pytest.fixture
def check(user, client_info):
    """Check trust at a time after the grant."""

    def check_it(credential, after=DAY, **changes):
        arguments = {
            "user": user,
            "presented": Presented(credential=credential),
            "client": client_info,
            "mfa_active": True,
            "now": NOW + after,
        }
        return trust.check(**bundled(arguments | changes))

    return check_it


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """Run something and return the names of the signals that were sent once it was committed."""

    def listen(act):
        names = [
            "device_confirmed",
            "device_remembered",
            "device_not_remembered",
            "device_compromised",
            "trust_refused",
        ]
        sent = []
        receivers = {name: lambda name=name, **arguments: sent.append((name, arguments)) for name in names}
        for name, receiver in receivers.items():
            getattr(signals, name).connect(receiver)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                act()
        finally:
            for name, receiver in receivers.items():
                getattr(signals, name).disconnect(receiver)
        return sent

    return listen


def new_session():
    session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    session.create()
    return session.session_key


def session_exists(key):
    return import_module(django_settings.SESSION_ENGINE).SessionStore().exists(key)


def actions():
    return list(DeviceEvent.objects.order_by("pk").values_list("action", "reason"))


class TestChecking:
    def test_a_granted_device_skips_mfa_until_its_date_and_not_on_it(self, granted, check, sixty_days):
        just_before = check(granted.credential, sixty_days - timedelta(microseconds=1))
        assert just_before.decision.reason is TrustReason.TRUSTED
        assert check(just_before.credential, sixty_days).decision.reason is TrustReason.EXPIRED

    @pytest.mark.django_db(transaction=True)
    def test_it_costs_one_read_and_one_write(self, user, granted, check, django_assert_num_queries):
        stamp = stamps.current(user)
        with django_assert_num_queries(2) as captured:
            assert check(granted.credential, stamp=stamp).decision.allowed
        assert [query["sql"].split()[0] for query in captured] == ["SELECT", "UPDATE"]

    def test_it_notes_when_and_from_where_the_device_was_used(self, granted, check):
        client = ClientInfo(ip_address="198.51.100.200", user_agent="Another browser")
        check(granted.credential, client=client)
        device = Device.objects.get()
        assert device.last_authenticated_at == NOW + DAY
        assert device.last_ip == "198.51.100.0"
        assert device.user_agent == "Another browser"

    def test_a_client_that_does_not_say_what_it_is_keeps_its_description(self, granted, check, client_info):
        check(granted.credential, client=ClientInfo())
        assert Device.objects.get().user_agent == client_info.user_agent

    def test_the_new_credential_carries_what_the_browser_needs(self, granted, check, user):
        credential = check(granted.credential).credential
        device = granted.device
        assert (credential.user_id, credential.device_key) == (str(user.pk), device.device_key)
        assert (credential.group_key, credential.generation) == (device.device_group_key, 1)
        assert credential.expires_at == device.trust_expires_at

    @pytest.mark.parametrize(
        ("presented", "reason"),
        [(Presented(), TrustReason.NO_DEVICE), (Presented(unreadable=True), TrustReason.UNREADABLE_COOKIE)],
    )
    @pytest.mark.django_db(transaction=True)
    def test_who_brings_nothing_readable_is_asked_for_mfa_without_a_query(
        self, check, presented, reason, user, django_assert_num_queries
    ):
        with django_assert_num_queries(0):
            assert check(None, presented=presented).decision.reason is reason

    def test_without_mfa_nothing_is_read_and_nothing_recorded(self, granted, check, grant):
        events = DeviceEvent.objects.count()
        with broken(READS_DEVICE) as refused:
            found = check(granted.credential, mfa_active=False)
        assert found.decision.reason is TrustReason.MFA_INACTIVE
        assert refused == []
        assert DeviceEvent.objects.count() == events

    def test_a_device_that_was_forgotten_is_unknown(self, granted, check):
        Device.objects.all().delete()
        found = check(granted.credential)
        assert found.decision.reason is TrustReason.UNKNOWN_DEVICE
        assert found.device is None

    def test_another_users_device_is_refused_and_not_named_in_the_log(self, granted, check, other_user):
        stolen = replace(granted.credential, user_id=str(other_user.pk))
        assert check(stolen, user=other_user).decision.reason is TrustReason.WRONG_USER
        event = DeviceEvent.objects.latest("pk")
        assert (event.user, event.device, event.device_key) == (other_user, None, "")
        assert Device.objects.get().is_remembered

    def test_a_wrong_secret_is_refused_and_changes_nothing(self, granted, check):
        before = Device.objects.values().get()
        wrong = replace(granted.credential, secret="x" * 43, generation=9)
        assert check(wrong).decision.reason is TrustReason.WRONG_SECRET
        assert Device.objects.values().get() == before

    def test_a_device_that_never_confirmed_is_refused(self, granted, check):
        Device.objects.update(confirmed_at=None)
        assert check(granted.credential).decision.reason is TrustReason.NOT_CONFIRMED

    def test_a_device_that_is_not_remembered_is_refused(self, granted, check):
        devices.stop_trusting([granted.device], reason=StatusReason.USER_STOPPED, by=By())
        assert check(granted.credential).decision.reason is TrustReason.NOT_REMEMBERED

    def test_a_password_changed_behind_djangos_back_ends_the_trust(self, granted, check, user):
        get_user_model().objects.filter(pk=user.pk).update(password="another hash")
        user.refresh_from_db()
        assert check(granted.credential).decision.reason is TrustReason.CREDENTIALS_CHANGED

    def test_a_shorter_maximum_counts_for_trust_already_given(self, granted, check, settings):
        settings.TRUSTED_DEVICES = {"MAX_PERIOD": 30 * DAY}
        assert check(granted.credential, 30 * DAY - SECOND).decision.allowed
        assert check(granted.credential, 30 * DAY).decision.reason is TrustReason.EXPIRED

    @pytest.mark.parametrize("options", [{"TRACKING": "off"}, {"CHALLENGE_REQUIRED_ON_NEW_DEVICE": False}])
    def test_settings_under_which_no_device_skips_mfa_hold_for_trust_already_given(
        self, granted, check, settings, options
    ):
        settings.TRUSTED_DEVICES = options
        assert check(granted.credential).decision.reason is TrustReason.POLICY_FORBIDS

    def test_a_refusal_is_recorded_and_announced_with_its_reason(self, granted, check, user, heard):
        found = []
        sent = heard(lambda: found.append(check(granted.credential, 60 * DAY)))
        assert actions()[-1] == ("trust_refused", "expired")
        ((name, arguments),) = sent
        assert name == "trust_refused"
        assert (arguments["user"], arguments["device"], arguments["reason"]) == (
            user,
            granted.device,
            TrustReason.EXPIRED,
        )
        assert found[0].credential is None

    def test_a_refusal_is_recorded_with_where_it_came_from(self, granted, check, client_info):
        check(granted.credential, 61 * DAY)
        event = DeviceEvent.objects.get(action="trust_refused")
        assert (event.ip_address, event.user_agent) == ("203.0.113.0", client_info.user_agent)


class UnusualHours(TrustPolicy):
    """Trust answers for nobody."""

    def at_risk(self, user, device, client):
        return True


class BrokenPolicy(TrustPolicy):
    """Cannot tell."""

    def at_risk(self, user, device, client):
        raise LookupError("the database of places is missing")


class TestRisk:
    @pytest.mark.parametrize("policy", ["UnusualHours", "BrokenPolicy"])
    def test_a_sign_in_at_risk_or_of_unknown_risk_is_asked_for_mfa(self, granted, check, settings, policy, caplog):
        settings.TRUSTED_DEVICES = {"POLICY": f"{__name__}.{policy}"}
        assert check(granted.credential).decision.reason is TrustReason.RISK
        assert ("could not tell the risk" in caplog.text) is (policy == "BrokenPolicy")

    def test_risk_is_asked_for_only_where_a_device_was_found(self, check, user, settings):
        settings.TRUSTED_DEVICES = {"POLICY": f"{__name__}.BrokenPolicy"}
        assert check(None).decision.reason is TrustReason.NO_DEVICE


class TestRotation:
    def test_each_trusted_sign_in_replaces_the_secret(self, granted, check):
        first = check(granted.credential, DAY)
        second = check(first.credential, 2 * DAY)
        assert len({granted.credential.secret, first.credential.secret, second.credential.secret}) == 3
        assert [found.credential.generation for found in (first, second)] == [1, 2]

    def test_a_lost_response_locks_nobody_out(self, granted, check):
        check(granted.credential, DAY)
        again = check(granted.credential, 2 * DAY)
        assert again.decision.allowed
        assert check(again.credential, 3 * DAY).decision.allowed

    def test_responses_may_be_lost_again_and_again(self, granted, check):
        for day in range(1, 30):
            found = check(granted.credential, day * DAY)
        assert check(found.credential, 31 * DAY).decision.allowed
        assert Device.objects.get().is_remembered

    def test_two_tabs_at_the_same_moment_are_given_the_same_successor(self, granted, check):
        one, two = check(granted.credential, DAY), check(granted.credential, DAY + 59 * SECOND)
        assert one.credential == two.credential
        assert check(one.credential, 2 * DAY).decision.allowed

    def test_two_tabs_with_a_successor_are_given_the_same_next_one(self, granted, check):
        successor = check(granted.credential, DAY).credential
        one, two = check(successor, 2 * DAY), check(successor, 2 * DAY + SECOND)
        assert one.credential == two.credential
        assert check(two.credential, 3 * DAY).decision.allowed

    def test_two_processes_that_read_before_either_wrote_agree_as_well(self, granted, check):
        other = []
        with interrupted(UPDATES_DEVICE, lambda: other.append(check(granted.credential, DAY))):
            one = check(granted.credential, DAY)
        assert one.decision.allowed
        assert one.credential == other[0].credential

    def test_processes_amid_a_rotation_of_the_secret_key_agree_as_well(self, granted, check, settings):
        one = check(granted.credential, DAY)
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "the next key"
        two = check(granted.credential, DAY + SECOND)
        assert one.credential == two.credential

    def test_a_process_whose_clock_is_behind_agrees_as_well(self, granted, check):
        assert check(granted.credential, DAY).credential == check(granted.credential, DAY - SECOND).credential

    def test_two_tabs_agree_long_after_a_response_was_lost_as_well(self, granted, check):
        check(granted.credential, DAY)
        one = check(granted.credential, DAY + 59 * SECOND)
        two = check(granted.credential, DAY + 61 * SECOND)
        assert one.credential == two.credential
        assert check(one.credential, 2 * DAY).decision.allowed

    def test_a_secret_whose_successor_is_seen_meanwhile_is_good_no_more(self, granted, check):
        successor = check(granted.credential, DAY).credential
        with interrupted(UPDATES_DEVICE, lambda: trust.seen(successor)):
            found = check(granted.credential, 2 * DAY)
        assert found.decision.reason is TrustReason.SUPERSEDED_SECRET
        assert Device.objects.get().status_reason == StatusReason.COMPROMISED

    def test_only_the_successor_handed_out_last_can_be_seen(self, granted, check, other_user):
        first = check(granted.credential, DAY).credential
        last = check(granted.credential, 2 * DAY).credential
        for other in (
            granted.credential,
            first,
            replace(last, user_id=str(other_user.pk)),
            replace(last, generation=2),
        ):
            trust.seen(other)
        assert Device.objects.get().secret_generation == 0
        trust.seen(last)
        assert Device.objects.get().secret_generation == 1

    def test_after_some_minutes_the_same_secret_is_given_another_successor(self, granted, check):
        one = check(granted.credential, DAY)
        two = check(granted.credential, DAY + credentials.ROTATION_GRACE)
        assert one.credential.secret != two.credential.secret
        assert one.credential.generation == two.credential.generation == 1

    def test_the_device_keeps_digests_only_and_counts_the_secrets_it_has_seen(self, granted, check):
        successor = check(granted.credential, DAY).credential
        device = Device.objects.get()
        assert device.secret_generation == 0
        assert credentials.match(device, granted.credential) is SecretMatch.CURRENT
        assert credentials.match(device, successor) is SecretMatch.SUCCESSOR
        after = check(successor, 2 * DAY).credential
        device.refresh_from_db()
        assert device.secret_generation == 1
        assert credentials.match(device, granted.credential) is SecretMatch.SUPERSEDED
        assert credentials.match(device, successor) is SecretMatch.CURRENT
        assert credentials.match(device, after) is SecretMatch.SUCCESSOR
        stored = " ".join(map(str, Device.objects.values_list().get()))
        assert not any(held.secret in stored for held in (granted.credential, successor, after))

    def test_a_device_that_never_stands_still_is_left_to_mfa(self, granted, check, settings):
        settings.TRUSTED_DEVICES = {"POLICY": f"{__name__}.RestlessPolicy"}
        before = Device.objects.values("secret_digest", "secret_generation").get()
        found = check(granted.credential)
        assert found.decision.reason is TrustReason.BACKEND_UNAVAILABLE
        assert Device.objects.values("secret_digest", "secret_generation").get() == before

    def test_trust_that_ends_between_read_and_write_is_not_given(self, granted, check):
        with interrupted(
            UPDATES_DEVICE, lambda: devices.stop_trusting([granted.device], reason=StatusReason.STAFF_STOPPED, by=By())
        ):
            found = check(granted.credential)
        assert found.decision.reason is TrustReason.NOT_REMEMBERED
        assert found.credential is None

    def test_a_device_forgotten_between_read_and_write_is_unknown(self, granted, check):
        with interrupted(UPDATES_DEVICE, lambda: devices.forget([granted.device], by=By())):
            found = check(granted.credential)
        assert found.decision.reason is TrustReason.UNKNOWN_DEVICE


class RestlessPolicy(TrustPolicy):
    """Between reading a device and writing it, somebody else always rotates its secret."""

    def at_risk(self, user, device, client):
        Device.objects.filter(pk=device.pk).update(next_secret_digest=device.next_secret_digest + "x")
        return False


class TestTheAlarm:
    @pytest.fixture
    def copied(self, granted, check):
        """A cookie that was copied, and the one that the browser has two sign-ins later."""
        newest = check(check(granted.credential, DAY).credential, 2 * DAY).credential
        return granted.credential, newest

    def test_a_superseded_secret_ends_the_trust_for_whoever_holds_any_copy(self, copied, check):
        stale, newest = copied
        assert check(stale, 3 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET
        device = Device.objects.get()
        assert (device.status, device.status_reason) == (DeviceStatus.NOT_REMEMBERED, StatusReason.COMPROMISED)
        assert check(newest, 3 * DAY).decision.reason is TrustReason.NOT_REMEMBERED

    @pytest.mark.parametrize(
        ("generation", "after", "signed_in_since", "alarm"),
        [(0, 119, False, False), (0, 120, False, True), (-1, 119, False, True), (0, 119, True, True)],
    )
    def test_it_waits_only_for_a_request_that_may_have_been_on_its_way(
        self, granted, check, generation, after, signed_in_since, alarm
    ):
        successor = check(granted.credential, DAY).credential
        trust.seen(successor)
        if signed_in_since:
            check(successor, DAY + 60 * SECOND)
        check(replace(granted.credential, generation=generation), DAY + after * SECOND)
        assert (Device.objects.get().status_reason == StatusReason.COMPROMISED) == alarm

    def test_it_is_raised_at_the_second_factor_if_the_browser_still_has_the_copy(
        self, granted, check, user, client_info
    ):
        successor = check(granted.credential, DAY).credential
        trust.seen(successor)
        by = By(client=client_info, at=NOW + DAY)
        assert trust.familiar(user=user, credential=successor, by=by) == granted.device
        assert Device.objects.get().is_remembered
        assert trust.familiar(user=user, credential=granted.credential, by=by) is None
        assert Device.objects.get().status_reason == StatusReason.COMPROMISED

    def test_it_is_recorded_and_told_once_however_often_the_copy_comes_back(self, copied, check, heard):
        sent = heard(lambda: [check(copied[0], day * DAY) for day in (3, 4, 5)])
        assert [name for name, _ in sent].count("device_compromised") == 1
        assert actions().count(("compromised", "compromised")) == 1
        assert actions().count(("trust_refused", "superseded_secret")) == 3

    def test_it_ends_the_live_sessions_of_the_device(self, copied, check, granted):
        key = new_session()
        sessions.attach(device=granted.device, session_key=key, now=NOW)
        check(copied[0], 3 * DAY)
        assert not session_exists(key)
        assert not DeviceSession.objects.exists()

    def test_of_two_copies_each_use_ends_the_others(self, granted, check):
        honest = check(granted.credential, DAY).credential
        thief = check(granted.credential, 2 * DAY).credential
        assert check(honest, 3 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET
        assert check(thief, 4 * DAY).decision.reason is TrustReason.NOT_REMEMBERED

    def test_copies_with_the_same_successor_part_at_the_next_use(self, granted, check):
        one = check(granted.credential, DAY).credential
        two = check(granted.credential, DAY + SECOND).credential
        thief = check(one, 2 * DAY).credential
        check(two, 3 * DAY)
        assert check(thief, 4 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET

    def test_it_is_raised_for_a_device_that_is_not_remembered_as_well(self, copied, check, granted):
        devices.stop_trusting([granted.device], reason=StatusReason.USER_STOPPED, by=By())
        assert check(copied[0], 3 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET
        assert Device.objects.get().status_reason == StatusReason.COMPROMISED

    def test_a_restored_database_does_not_take_its_browsers_for_thieves(self, granted, check):
        check(granted.credential, DAY)
        backup = Device.objects.values().get()
        newest = check(check(check(granted.credential, 2 * DAY).credential, 3 * DAY).credential, 4 * DAY).credential
        Device.objects.update(**backup)
        assert check(newest, 5 * DAY).decision.reason is TrustReason.WRONG_SECRET
        assert Device.objects.get().is_remembered

    def test_a_database_restored_to_the_grant_does_not_either(self, granted, check):
        backup = Device.objects.values().get()
        newest = check(granted.credential, DAY).credential
        Device.objects.update(**backup)
        assert check(newest, 2 * DAY).decision.reason is TrustReason.WRONG_SECRET

    def test_a_backend_that_cannot_be_told_does_not_keep_it_quiet(self, copied, check, settings, heard):
        settings.TRUSTED_DEVICES = {"BACKEND": "tests.services.owner.AWAY"}
        sent = heard(lambda: check(copied[0], 3 * DAY))
        assert {"device_compromised", "trust_refused"} <= dict(sent).keys()
        assert Device.objects.get().status_reason == StatusReason.COMPROMISED

    def test_an_alarm_that_cannot_be_written_refuses_and_comes_again(self, copied, check, caplog):
        with broken(ADDS_EVENT):
            assert check(copied[0], 3 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET
        assert Device.objects.get().is_remembered
        assert "could not be recorded" in caplog.text
        check(copied[0], 4 * DAY)
        assert not Device.objects.get().is_remembered

    def test_an_alarm_after_the_code_that_cannot_be_written_trusts_no_copy_either(self, user, copied, caplog):
        with broken(ADDS_EVENT):
            assert trust.familiar(user=user, credential=copied[0], by=By(at=NOW + 3 * DAY)) is None
        assert "could not be recorded" in caplog.text

    def test_a_device_that_is_being_forgotten_needs_no_alarm(self, granted):
        device = Device.objects.get()
        devices.forget([device], by=By())
        devices.mark_compromised(device, by=By(client=ClientInfo(), at=NOW))
        assert EventAction.COMPROMISED not in dict(actions())

    @pytest.mark.parametrize("held", [0, 1], ids=["the stale copy", "the newest secret"])
    def test_after_it_trust_is_given_to_a_new_device_without_the_copy(self, copied, check, grant, granted, held):
        check(copied[0], 3 * DAY)
        anew = grant(copied[held], now=NOW + 3 * DAY)
        assert anew.device.pk != granted.device.pk
        assert check(anew.credential, 4 * DAY).decision.allowed
        for copy in copied:
            assert not check(copy, 5 * DAY).decision.allowed
        assert check(anew.credential, 6 * DAY).decision.allowed


class TestADatabaseThatFails:
    @pytest.mark.parametrize("pattern", [READS_DEVICE, UPDATES_DEVICE], ids=["reading", "writing"])
    def test_asks_for_mfa_and_changes_nothing(self, granted, check, pattern, caplog):
        before = Device.objects.values().get()
        with broken(pattern) as refused:
            found = check(granted.credential)
        assert refused
        assert found.decision.reason is TrustReason.BACKEND_UNAVAILABLE
        assert (found.device, found.credential) == (None, None)
        assert Device.objects.values().get() == before
        assert DeviceEvent.objects.get(action="trust_refused").reason == "backend_unavailable"
        assert check(granted.credential).decision.allowed

    def test_does_not_spoil_the_transaction_around_it(self, granted, check, user):
        with transaction.atomic():
            with broken(READS_DEVICE):
                check(granted.credential)
            assert get_user_model().objects.filter(pk=user.pk).exists()

    def test_is_logged_without_what_it_said(self, granted, check, caplog):
        with caplog.at_level(logging.DEBUG), broken(READS_DEVICE):
            check(granted.credential)
        assert "Trust could not be checked" in caplog.text
        assert "no_such_table" not in caplog.text.replace("SELECT nothing FROM no_such_table", "")

    def test_does_not_turn_a_refusal_into_an_error(self, granted, check):
        with broken(ADDS_EVENT):
            assert check(granted.credential, 60 * DAY).decision.reason is TrustReason.EXPIRED

    @pytest.mark.parametrize("pattern", [ADDS_EVENT, UPDATES_DEVICE], ids=["event", "device"])
    def test_in_the_middle_of_a_grant_leaves_everything_as_it_was(self, granted, grant, check, pattern):
        before = Device.objects.values().get()
        events = actions()
        with broken(pattern), pytest.raises(Exception, match=r"no_such_table|nothing"):
            grant(granted.credential, now=NOW + 61 * DAY)
        assert Device.objects.values().get() == before
        assert actions() == events
        assert grant(granted.credential, now=NOW + 61 * DAY).device.pk == granted.device.pk

    def test_in_the_middle_of_a_first_grant_leaves_no_device(self, grant):
        with broken(ADDS_EVENT), pytest.raises(Exception, match=r"no_such_table|nothing"):
            grant()
        assert not Device.objects.exists()
        assert actions() == []


class TestRecognising:
    def test_a_device_is_recognised_by_its_current_secret_and_by_its_successor(self, granted, check, user):
        successor = check(granted.credential).credential
        assert credentials.recognise(user=user, credential=granted.credential) == granted.device
        assert credentials.recognise(user=user, credential=successor) == granted.device

    def test_a_device_is_recognised_whether_remembered_or_not(self, granted, user):
        devices.stop_trusting([granted.device], reason=StatusReason.USER_STOPPED, by=By())
        assert not credentials.recognise(user=user, credential=granted.credential).is_remembered

    def test_nothing_else_is_recognised(self, granted, user, other_user):
        good = granted.credential
        for credential in (
            None,
            replace(good, secret="x" * 43),
            replace(good, device_key="local_unknown"),
            replace(good, user_id=str(other_user.pk)),
        ):
            assert credentials.recognise(user=user, credential=credential) is None
        assert credentials.recognise(user=other_user, credential=good) is None
        assert credentials.recognise(user=other_user, credential=replace(good, user_id=str(other_user.pk))) is None

    def test_recognising_costs_one_read_and_changes_nothing(self, granted, user, django_assert_num_queries):
        before = Device.objects.values().get()
        with django_assert_num_queries(1):
            credentials.recognise(user=user, credential=granted.credential)
        assert Device.objects.values().get() == before


class TestGranting:
    def test_a_new_device_is_confirmed_and_remembered(self, granted, user, now, sixty_days, verified):
        device = Device.objects.get()
        assert device.user == user
        assert device.is_remembered
        assert device.status_reason == StatusReason.USER_TRUSTED
        assert device.confirmed_at == device.trust_granted_at == device.status_changed_at == now
        assert device.trust_period == sixty_days
        assert device.trust_expires_at == now + sixty_days
        assert device.mfa_factor == verified.factor_id
        assert granted.credential.expires_at == now + sixty_days
        assert granted.credential.generation == 0

    def test_it_is_recorded_and_announced(self, grant, heard):
        sent = heard(grant)
        assert actions() == [("confirmed", ""), ("remembered", "user_trusted")]
        assert [name for name, _ in sent] == ["device_confirmed", "device_remembered"]
        assert sent[1][1]["new"] is True

    def test_nothing_is_announced_that_was_not_committed(self, grant, heard):
        def fail():
            with broken(ADDS_EVENT), pytest.raises(Exception, match=r"no_such_table|nothing"):
                grant()

        assert heard(fail) == []

    def test_trusting_again_revives_the_same_device_with_its_name(self, granted, grant, check, heard):
        Device.objects.update(name="Work laptop")
        sent = heard(lambda: grant(granted.credential, now=NOW + 61 * DAY))
        device = Device.objects.get()
        assert device.pk == granted.device.pk
        assert device.name == "Work laptop"
        assert device.trust_expires_at == NOW + 121 * DAY
        assert [(name, arguments["new"]) for name, arguments in sent] == [("device_remembered", False)]

    def test_reviving_rotates_the_secret_and_a_lost_response_harms_nothing(self, granted, grant, check):
        revived = grant(granted.credential, now=NOW + 61 * DAY)
        assert revived.credential.secret != granted.credential.secret
        assert revived.credential.expires_at == NOW + 121 * DAY
        assert check(granted.credential, 62 * DAY).decision.allowed, "the response may never have arrived"

    def test_reviving_with_a_successor_ends_the_secret_before_it(self, granted, grant, check):
        successor = check(granted.credential, DAY).credential
        revived = grant(successor, now=NOW + 2 * DAY)
        assert check(revived.credential, 3 * DAY).decision.allowed
        assert check(granted.credential, 4 * DAY).decision.reason is TrustReason.SUPERSEDED_SECRET

    @pytest.mark.parametrize("change", [{"secret": "x" * 43}, {"device_key": "local_unknown"}, {"user_id": "0"}])
    def test_whoever_cannot_prove_the_old_device_is_given_a_new_one(self, granted, grant, change):
        assert grant(replace(granted.credential, **change)).device.pk != granted.device.pk

    def test_another_users_device_is_not_revived(self, granted, grant, other_user):
        credential = replace(granted.credential, user_id=str(other_user.pk))
        theirs = grant(credential, user=other_user)
        assert theirs.device.pk != granted.device.pk
        assert theirs.device.user == other_user

    def test_a_name_given_with_it_is_taken_and_replaces_an_earlier_one(self, grant):
        first = grant(name="  Work   laptop ")
        assert first.device.name == "Work laptop"
        assert grant(first.credential, name="Mine").device.name == "Mine"

    @pytest.mark.parametrize("name", ["x" * 5000, "a\u202eb", "\u200d", "a\x00b"])
    def test_a_bad_name_is_refused_before_anything_changes(self, grant, user, name):
        with pytest.raises(InvalidDeviceName):
            grant(name=name)
        assert not Device.objects.exists()

    @pytest.mark.parametrize("period", [timedelta(0), -DAY, 61 * DAY, 400 * DAY, timedelta.max])
    def test_a_period_that_the_policy_does_not_offer_is_refused(self, grant, user, period):
        with pytest.raises(InvalidPeriod):
            grant(period=period)
        assert not Device.objects.exists()

    def test_trust_is_not_given_while_staff_act_as_the_user(self, grant, user):
        with pytest.raises(TrustNotAllowed):
            grant(client=ClientInfo(impersonated=True))
        assert not Device.objects.exists()

    def test_trust_is_not_earned_by_a_recovery_code(self, grant, user):
        with pytest.raises(TrustNotAllowed):
            grant(verification=MfaVerification(kind="recovery", factor_id="r", at=NOW, recovery=True))

    def test_trust_is_not_given_while_tracking_is_off(self, grant, user, settings):
        settings.TRUSTED_DEVICES = {"TRACKING": "off"}
        with pytest.raises(TrustNotAllowed):
            grant()

    def test_where_every_device_is_remembered_the_reason_says_so(self, grant, settings):
        settings.TRUSTED_DEVICES = {"TRACKING": "always"}
        assert grant().device.status_reason == StatusReason.TRACKING_ALWAYS

    def test_a_question_is_answered_once(self, grant):
        grant(grant_id="one")
        with pytest.raises(AlreadyAnswered):
            grant(grant_id="one")
        assert Device.objects.count() == 1

    def test_two_tabs_that_answer_at_the_same_moment_make_one_device(self, grant):
        grant(grant_id="one")
        with pytest.raises(AlreadyAnswered):
            grant(grant_id="one")
        assert Device.objects.count() == 1
        assert actions() == [("confirmed", ""), ("remembered", "user_trusted")]

    def test_a_question_about_a_known_device_is_answered_once(self, granted, grant, sixty_days):
        again = grant(granted.credential, grant_id="two", now=NOW + DAY)
        with pytest.raises(AlreadyAnswered):
            grant(again.credential, grant_id="two", now=NOW + 2 * DAY)
        assert Device.objects.get().trust_expires_at == NOW + DAY + sixty_days

    def test_an_integrity_error_of_another_kind_is_not_taken_for_a_second_answer(self, granted, grant, monkeypatch):
        monkeypatch.setattr(devices, "new_device_key", lambda: granted.device.device_key)
        with pytest.raises(IntegrityError):
            grant(grant_id="two")
        assert Device.objects.count() == 1


class TestSignedIn:
    @pytest.fixture
    def sign_in(self, user, client_info):
        def note(device, verified_by=VerifiedBy.MFA, key=None):
            key = key or new_session()
            sessions.started(
                user=user,
                verified_by=verified_by,
                device=device,
                session_key=key,
                by=By(client=client_info, at=NOW + DAY),
            )
            return key

        return note

    def test_it_is_recorded_how_the_user_was_verified(self, sign_in, user):
        for by in VerifiedBy:
            sign_in(None, by)
        assert actions() == [("signed_in", by.value) for by in VerifiedBy]

    def test_the_session_is_noted_with_its_device(self, sign_in, granted):
        key = sign_in(granted.device)
        assert DeviceSession.objects.get().session_digest == sessions.digest(key)
        assert session_exists(key)

    def test_a_known_device_was_last_used_now_whether_trusted_or_not(self, sign_in, granted):
        sign_in(granted.device)
        assert Device.objects.get().last_authenticated_at == NOW + DAY

    def test_a_session_in_signed_cookies_is_not_noted(self, sign_in, granted, settings):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        sign_in(granted.device, key="signed")
        assert not DeviceSession.objects.exists()

    def test_a_session_from_a_device_just_forgotten_is_ended(self, sign_in, granted):
        device = Device.objects.get()
        devices.forget([granted.device], by=By())
        assert not session_exists(sign_in(device))
        assert DeviceEvent.objects.latest("pk").device is None

    def test_a_session_from_a_device_whose_trust_was_just_stopped_is_ended(self, sign_in, granted, check):
        found = check(granted.credential)
        devices.stop_trusting([granted.device], reason=StatusReason.STAFF_STOPPED, end_sessions=True, by=By())
        assert not session_exists(sign_in(found.device, VerifiedBy.TRUSTED_DEVICE))

    def test_a_session_from_a_device_that_was_not_trusted_anyway_goes_on(self, sign_in, granted):
        devices.stop_trusting([granted.device], reason=StatusReason.USER_STOPPED, by=By())
        assert session_exists(sign_in(Device.objects.get()))
