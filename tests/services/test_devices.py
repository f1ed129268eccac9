"""What is done to devices: rename, stop trusting, shorten, forget."""

import re
from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as django_settings

from tests import factories
from tests.broken_database import interrupted
from tests.conftest import NOW
from trusted_devices import database, signals
from trusted_devices.exceptions import BackendUnavailable, DeviceNotFound, InvalidDeviceName, InvalidExpiry
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import credentials, devices, registration, sessions
from trusted_devices.types import By, ClientInfo, DeviceStatus, StatusReason

DAY = timedelta(days=1)


@pytest.fixture
def away(settings):
    settings.TRUSTED_DEVICES = {"BACKEND": "tests.services.owner.AWAY"}


@pytest.fixture
def make(user):
    """Store a device of ``user``, trusted for another day, or as the arguments say."""

    def make_it(owner=None, **fields):
        return Device.objects.bulk_create([factories.remembered(owner or user, expires_at=NOW + DAY, **fields)])[0]

    return make_it


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """Run something and return which signals were sent for which device once it was committed."""

    def listen(act):
        sent = []
        names = ["device_confirmed", "device_not_remembered", "device_forgotten", "device_compromised"]
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


def with_session(device):
    session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    session.create()
    sessions.attach(device=device, session_key=session.session_key, now=NOW)
    return session.session_key


def session_exists(key):
    return import_module(django_settings.SESSION_ENGINE).SessionStore().exists(key)


def actions():
    return list(DeviceEvent.objects.order_by("pk").values_list("action", flat=True))


def test_how_long_a_name_may_be_is_the_sites_choice(settings):
    settings.TRUSTED_DEVICES = {"MAX_NAME_LENGTH": 5}
    assert devices.clean_name("12345") == "12345"
    with pytest.raises(InvalidDeviceName):
        devices.clean_name("123456")


class TestKeys:
    def test_a_device_key_has_the_form_that_cognito_gives_it(self, settings):
        assert re.fullmatch(r"local_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", devices.new_device_key())
        settings.TRUSTED_DEVICES = {"REGION": "ap-southeast-2-xxxx"[:18]}
        assert len(devices.new_device_key()) == 55

    def test_a_group_key_is_a_hyphen_and_eight_letters_or_digits(self):
        assert all(re.fullmatch(r"-[A-Za-z0-9]{8}", devices.new_group_key()) for _ in range(50))

    def test_no_key_comes_twice(self):
        assert len({devices.new_device_key() for _ in range(50)}) == 50
        assert len({devices.new_group_key() for _ in range(50)}) == 50


class TestFinding:
    def test_a_device_is_found_by_its_user_and_key(self, make, user):
        device = make()
        assert devices.get(user=user, device_key=device.device_key) == device

    def test_somebody_elses_device_is_not_found_any_more_than_none(self, make, other_user):
        with pytest.raises(DeviceNotFound):
            devices.get(user=other_user, device_key=make().device_key)
        with pytest.raises(DeviceNotFound):
            devices.get(user=other_user, device_key="")


class TestRenaming:
    def test_a_device_is_renamed_and_the_log_says_by_whom(self, make, user, client_info):
        device = devices.rename(device=make(), name=" Work  laptop ", by=By(actor=user, client=client_info, at=NOW))
        assert device.name == Device.objects.get().name == "Work laptop"
        assert Device.objects.get().modified_at == NOW
        event = DeviceEvent.objects.get()
        assert (event.action, event.device, event.actor) == ("renamed", device, user)

    def test_a_bad_name_changes_nothing(self, make, user):
        device = make(name="Before")
        with pytest.raises(InvalidDeviceName):
            devices.rename(device=device, name="\x00", by=By(actor=user))
        assert Device.objects.get().name == "Before"
        assert actions() == []

    def test_a_device_forgotten_meanwhile_is_not_found(self, make, user):
        device = make()
        Device.objects.all().delete()
        with pytest.raises(DeviceNotFound):
            devices.rename(device=device, name="Laptop", by=By(actor=user))
        assert actions() == []


class TestStopping:
    def test_devices_are_not_remembered_any_more_and_the_log_says_why(self, make, user, heard):
        device = make()
        sent = heard(
            lambda: devices.stop_trusting(
                [device], reason=StatusReason.STAFF_STOPPED, by=By(actor=user, note="lost", at=NOW)
            )
        )
        stored = Device.objects.get()
        assert (stored.status, stored.status_reason) == (DeviceStatus.NOT_REMEMBERED, StatusReason.STAFF_STOPPED)
        assert (stored.status_changed_at, stored.modified_at) == (NOW, NOW)
        event = DeviceEvent.objects.get()
        assert (event.action, event.reason, event.actor, event.note) == (
            "not_remembered",
            "staff_stopped",
            user,
            "lost",
        )
        ((name, arguments),) = sent
        assert name == "device_not_remembered"
        assert (arguments["device"], arguments["reason"], arguments["actor"]) == (device, "staff_stopped", user)

    def test_only_those_that_were_remembered_count(self, make):
        found = [make(), make(), make(status=DeviceStatus.NOT_REMEMBERED, status_reason=StatusReason.EXPIRED)]
        assert devices.stop_trusting(found, reason=StatusReason.USER_STOPPED, by=By()) == 2
        assert devices.stop_trusting(found, reason=StatusReason.USER_STOPPED, by=By()) == 0
        assert len(actions()) == 2
        assert Device.objects.get(pk=found[2].pk).status_reason == StatusReason.EXPIRED

    @pytest.mark.parametrize("ended", [True, False])
    def test_live_sessions_end_if_so_wished(self, make, ended):
        remembered, other = make(), make(status=DeviceStatus.NOT_REMEMBERED)
        keys = [with_session(remembered), with_session(other)]
        devices.stop_trusting([remembered, other], reason=StatusReason.STAFF_STOPPED, end_sessions=ended, by=By())
        assert [session_exists(key) for key in keys] == [not ended, not ended]

    def test_a_backend_that_is_away_leaves_everything_as_it_was(self, make, away):
        found = [make(), make()]
        with pytest.raises(BackendUnavailable):
            devices.stop_trusting(found, reason=StatusReason.USER_STOPPED, end_sessions=True, by=By())
        assert Device.objects.remembered().count() == 2
        assert actions() == []

    def test_stopping_none_is_no_error(self, db):
        assert devices.stop_trusting([], reason=StatusReason.USER_STOPPED, by=By()) == 0

    def test_the_number_of_queries_does_not_grow_with_the_devices(self, make, django_assert_num_queries):
        few, many = [make() for _ in range(2)], [make() for _ in range(12)]
        with django_assert_num_queries(5) as captured:
            devices.stop_trusting(few, reason=StatusReason.USER_STOPPED, by=By())
        with django_assert_num_queries(len(captured)):
            devices.stop_trusting(many, reason=StatusReason.USER_STOPPED, by=By())


class TestEndingTrust:
    def test_all_of_a_users_devices_lose_their_trust_and_nobody_elses(self, make, user, other_user):
        for owner in (user, user, other_user):
            make(owner)
        assert devices.end_trust(user=user, reason=StatusReason.MFA_CHANGED, by=By()) == 2
        assert Device.objects.remembered().count() == 1

    def test_one_may_be_spared(self, make, user):
        spared = make()
        make()
        assert (
            devices.end_trust(user=user, reason=StatusReason.PASSWORD_CHANGED, except_key=spared.device_key, by=By())
            == 1
        )
        assert Device.objects.remembered().get() == spared

    def test_a_user_without_devices_costs_one_query(self, user, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert devices.end_trust(user=user, reason=StatusReason.MFA_CHANGED, by=By()) == 0

    def test_with_the_sessions_of_all_of_them(self, make, user):
        keys = [with_session(make()), with_session(make(status=DeviceStatus.NOT_REMEMBERED))]
        devices.end_trust(user=user, reason=StatusReason.ACCOUNT_DISABLED, end_sessions=True, by=By())
        assert not any(map(session_exists, keys))


def test_a_name_that_the_database_cannot_store_is_refused(make, monkeypatch):
    monkeypatch.setattr(database, "storable", lambda text, model, column: text.encode("ascii", "ignore").decode())
    with pytest.raises(InvalidDeviceName) as refused:
        devices.rename(device=make(), name="Küche", by=By())
    assert refused.value.reason == "unstorable"


class TestAnotherPassword:
    @pytest.fixture
    def stamped(self, make):
        return [make(credential_stamp=stamp) for stamp in ("old.f", "old.g", "older.f")]

    def test_trust_given_under_another_password_ends(self, make, stamped, user):
        current, unstamped = make(credential_stamp="new.f"), make(credential_stamp="")
        assert devices.follow_password(user=user, stamp="new", by=By(actor=user)) == 3
        assert set(Device.objects.remembered()) == {current, unstamped}
        assert set(DeviceEvent.objects.values_list("action", "reason")) == {("not_remembered", "password_changed")}

    def test_trust_is_carried_over_to_a_new_hash_of_the_same_password(self, stamped, user):
        assert devices.follow_password(user=user, stamp="new", old_stamp="old", by=By()) == 1
        assert set(Device.objects.remembered()) == set(stamped[:2])
        assert set(Device.objects.remembered().values_list("credential_stamp", flat=True)) == {"new.f", "new.g"}

    def test_it_may_be_carried_over_for_the_device_in_hand_alone(self, stamped, user):
        key = stamped[0].device_key
        assert devices.follow_password(user=user, stamp="new", old_stamp="old", only_key=key, by=By()) == 2
        assert Device.objects.remembered().get() == stamped[0]

    def test_where_nothing_changed_nothing_is_done(self, make, user):
        make(credential_stamp="same.f")
        assert devices.follow_password(user=user, stamp="same", by=By()) == 0
        assert actions() == []


class TestShortening:
    def test_trust_ends_sooner_and_never_later(self, make):
        late, soon = make(), make()
        Device.objects.filter(pk=soon.pk).update(trust_expires_at=NOW + timedelta(minutes=5))
        until = NOW + timedelta(hours=1)
        assert devices.shorten_trust([late, soon], until=until, by=By(at=NOW)) == 1
        assert Device.objects.get(pk=late.pk).trust_expires_at == until
        assert Device.objects.get(pk=soon.pk).trust_expires_at == NOW + timedelta(minutes=5)
        assert actions() == ["shortened"]

    def test_a_device_that_is_not_remembered_stays_as_it_is(self, make):
        device = make(status=DeviceStatus.NOT_REMEMBERED)
        assert devices.shorten_trust([device], until=NOW + timedelta(hours=1), by=By(at=NOW)) == 0
        assert actions() == []

    @pytest.mark.parametrize("until", [NOW, NOW - DAY])
    def test_a_moment_that_has_passed_is_refused(self, make, until):
        with pytest.raises(InvalidExpiry):
            devices.shorten_trust([make()], until=until, by=By(at=NOW))


class TestForgetting:
    def test_a_forgotten_device_is_gone_and_the_log_remembers_it(self, make, user, client_info, heard):
        device = make()
        sent = heard(lambda: devices.forget([device], by=By(actor=user, note="sold", client=client_info, at=NOW)))
        assert not Device.objects.exists()
        event = DeviceEvent.objects.get()
        assert (event.action, event.device, event.device_key) == ("forgotten", None, device.device_key)
        assert (event.user, event.actor, event.note, event.created_at) == (user, user, "sold", NOW)
        ((name, arguments),) = sent
        assert name == "device_forgotten"
        assert (arguments["device"].device_key, arguments["actor"]) == (device.device_key, user)

    def test_its_live_sessions_end(self, make):
        device, other = make(), make()
        gone, kept = with_session(device), with_session(other)
        devices.forget([device], by=By())
        assert not session_exists(gone)
        assert session_exists(kept)
        assert DeviceSession.objects.get().device == other

    def test_forgetting_twice_is_no_error_and_is_logged_once(self, make):
        device = make()
        again = Device.objects.get()
        assert devices.forget([device], by=By()) == 1
        assert devices.forget([again], by=By()) == 0
        assert actions() == ["forgotten"]

    def test_two_people_who_forget_a_device_at_once_log_it_once(self, make):
        device = make()
        with interrupted("FROM .trusted_devices_device.? ", lambda: devices.forget([Device.objects.get()], by=By())):
            assert devices.forget([device], by=By()) == 0
        assert actions() == ["forgotten"]

    def test_a_backend_that_is_away_leaves_device_and_sessions(self, make, away):
        device = make()
        key = with_session(device)
        with pytest.raises(BackendUnavailable):
            devices.forget([device], by=By())
        assert Device.objects.get() == device
        assert DeviceSession.objects.exists()
        assert session_exists(key)
        assert actions() == []

    def test_all_but_one_can_be_forgotten(self, make, user, other_user):
        kept, theirs, _, _ = make(), make(other_user), make(), make()
        assert devices.forget_all(user=user, except_key=kept.device_key, by=By(actor=user)) == 2
        assert set(Device.objects.all()) == {kept, theirs}

    def test_all_can_be_forgotten(self, make, user):
        for _ in range(2):
            make()
        assert devices.forget_all(user=user, by=By(note="stolen bag")) == 2
        assert set(DeviceEvent.objects.values_list("note", flat=True)) == {"stolen bag"}

    def test_forgetting_none_is_no_error(self, user):
        assert devices.forget([], by=By()) == 0
        assert devices.forget_all(user=user, by=By()) == 0


class TestErasing:
    def test_a_deleted_account_leaves_no_device_and_nothing_that_identifies_it(
        self, make, user, other_user, client_info
    ):
        registration.confirm(user=user, by=By(client=client_info))
        make(other_user)
        devices.erase(user=user)
        assert Device.objects.get().user == other_user
        event = DeviceEvent.objects.get()
        assert (event.ip_address, event.user_agent) == (None, "")


def test_a_device_is_called_by_its_name_or_else_described(make, client_info):
    assert str(make(name="Work laptop")) == "Work laptop"
    described = make(user_agent=client_info.user_agent)
    assert str(described) == described.description == "Chrome on Windows"


def test_a_backend_that_is_away_does_not_keep_the_alarm_from_being_raised(make, away, heard, caplog):
    device = make()
    sent = heard(lambda: devices.mark_compromised(device, by=By(client=ClientInfo(), at=NOW)))
    assert "device_compromised" in dict(sent)
    assert Device.objects.get().status_reason == StatusReason.COMPROMISED
    assert device.device_key in caplog.text


def test_an_alarm_is_raised_once_and_for_one_device(make):
    other, device = make(), make()
    for _ in range(2):
        devices.mark_compromised(device, by=By(client=ClientInfo(), at=NOW))
    assert actions().count("compromised") == actions().count("not_remembered") == 1
    other.refresh_from_db()
    assert other.is_remembered
    devices.mark_compromised(other, by=By(client=ClientInfo(), at=NOW))
    assert actions().count("compromised") == 2


def test_the_expiry_of_a_credential_can_be_told_to_its_holder(user, client_info):
    _, credential = registration.confirm(user=user, by=By(client=client_info))
    told = credentials.with_expiry(credential, NOW)
    assert (told.expires_at, told.secret) == (NOW, credential.secret)


def test_the_alarm_for_a_device_stops_its_trust_and_is_announced(make, heard):
    device = make()
    key = with_session(device)
    sent = heard(lambda: devices.mark_compromised(device, by=By(client=ClientInfo(), at=NOW)))
    assert [name for name, _ in sent] == ["device_not_remembered", "device_compromised"]
    assert not session_exists(key)
    assert device.status == Device.objects.get().status == DeviceStatus.NOT_REMEMBERED
