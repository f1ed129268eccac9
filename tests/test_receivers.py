"""What ends trust from outside, and what does not."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import Group
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.db.models.deletion import Collector
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.test import RequestFactory
from django.utils import timezone
from django_otp import oath
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.host.models import Customer, Employee
from trusted_devices import receivers
from trusted_devices.cookies import DeviceCookie
from trusted_devices.exceptions import CodeMismatch
from trusted_devices.mfa import get_provider
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.services import bulk, devices, granting, sessions, sign_in, stamps, trust
from trusted_devices.services.bulk import BulkKind
from trusted_devices.services.granting import TrustChoice
from trusted_devices.services.sign_in import SignedIn
from trusted_devices.testing import force_mfa_login, make_device, trust_device
from trusted_devices.types import By, Presented, StatusReason, TrustReason, VerifiedBy
from trusted_devices.web import jar, session_note

CHEAP_PBKDF2 = "tests.test_receivers.CheapPBKDF2"
MD5 = "django.contrib.auth.hashers.MD5PasswordHasher"


class CheapPBKDF2(PBKDF2PasswordHasher):
    """Quick enough for tests."""

    iterations = 2


@pytest.fixture
def device(user, totp):
    return make_device(user)


@pytest.fixture
def granted(user, totp, verified, client_info, sixty_days, now):
    return granting.grant(
        user=user,
        verification=verified,
        presented=Presented(),
        choice=TrustChoice(period=sixty_days),
        by=By(client=client_info, at=now),
    )


def _why(device):
    device.refresh_from_db()
    return None if device.is_remembered else device.status_reason


def _request(user, cookie=None):
    request = RequestFactory().post("/")
    request.user = user
    if cookie is not None:
        jar.get_jar(request).__dict__["received"] = cookie
    return request


@pytest.fixture
def in_request(user, granted):
    """The request in hand is ``user``'s own, from the device that ``granted`` is about."""
    request = _request(user, DeviceCookie((granted.credential,)))
    token = jar.current_request.set(request)
    yield request
    jar.current_request.reset(token)


class TestPasswords:
    def test_a_new_password_ends_trust_in_all_devices(self, user, device):
        another = make_device(user)
        user.set_password("a new one")
        user.save()
        assert _why(device) == _why(another) == StatusReason.PASSWORD_CHANGED
        assert DeviceEvent.objects.filter(action="not_remembered", reason="password_changed").count() == 2

    def test_so_does_one_that_is_saved_as_the_only_field(self, user, device):
        user.set_password("a new one")
        user.save(update_fields=["password"])
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_so_does_a_hash_that_is_assigned_directly(self, user, device):
        user.password = make_password("a new one")
        user.save()
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_so_does_a_hash_that_is_assigned_directly_and_saved_alone(self, user, device):
        user.password = make_password("a new one")
        user.save(update_fields=["password"])
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    @pytest.mark.parametrize("model", [Employee, Customer])
    def test_so_does_a_new_password_by_way_of_a_proxy_or_child_of_the_user_model(self, user, device, model):
        if model is Customer:
            Customer(user_ptr=user, number="1").save_base(raw=True)
        same = model.objects.get(pk=user.pk)
        same.set_password("a new one")
        same.save()
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    @pytest.mark.django_db(transaction=True)
    def test_so_does_a_new_password_that_is_saved_asynchronously(self, user, device):
        user.set_password("a new one")
        async_to_sync(user.asave)()
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_making_the_password_unusable_ends_trust(self, user, device):
        user.set_unusable_password()
        user.save()
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_other_users_keep_their_trust(self, user, device, other_user):
        theirs = make_device(other_user)
        user.set_password("a new one")
        user.save()
        assert _why(theirs) is None

    def test_a_password_that_is_set_but_not_saved_ends_nothing(self, user, device):
        user.set_password("a new one")
        user.save(update_fields=["last_login"])
        assert _why(device) is None

    def test_saving_anything_else_ends_nothing(self, user, device):
        user.first_name = "Maria"
        user.save()
        assert _why(device) is None

    def test_a_new_user_costs_no_query_for_devices(self, db, django_assert_num_queries):
        with django_assert_num_queries(1):
            get_user_model().objects.create_user("new", password="x")

    def test_saving_a_user_costs_one_narrow_query_more_and_one_over_the_wire(
        self, user, device, django_assert_num_queries
    ):
        with django_assert_num_queries(3):
            user.save()

    def test_saving_without_the_password_costs_nothing_more(self, user, device, django_assert_num_queries):
        with django_assert_num_queries(1):
            user.save(update_fields=["last_login"])

    def test_a_hash_changed_behind_djangos_back_is_noticed_when_trust_is_read(self, user, granted, client_info, now):
        type(user).objects.filter(pk=user.pk).update(password=make_password("correct horse"))
        user.refresh_from_db()
        checked = trust.check(
            user=user,
            presented=Presented(credential=granted.credential),
            mfa_active=True,
            by=By(client=client_info, at=now + timedelta(days=1)),
        )
        assert checked.decision.reason is TrustReason.CREDENTIALS_CHANGED

    def test_it_is_written_down_when_the_user_is_saved_next(self, user, device):
        type(user).objects.filter(pk=user.pk).update(password=make_password("correct horse"))
        user.refresh_from_db()
        user.save()
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_loading_a_fixture_touches_nothing(self, user, device, django_assert_num_queries):
        user.password = make_password("another")
        with django_assert_num_queries(1):
            user.save_base(raw=True)

    def test_who_changed_it_is_in_the_log(self, user, granted, in_request):
        user.set_password("a new one")
        user.save()
        assert DeviceEvent.objects.get(action="not_remembered").actor == user


class TestHashUpgrades:
    @pytest.fixture(autouse=True)
    def _outdated(self, user, settings):
        assert user.password.startswith("md5$")
        settings.PASSWORD_HASHERS = [CHEAP_PBKDF2, MD5]

    def test_djangos_own_upgrade_at_sign_in_keeps_trust(self, user, granted, client_info, now):
        outcome = sign_in.begin(
            {"username": "maria", "password": "correct horse"},
            cookie=DeviceCookie((granted.credential,)),
            by=By(client=client_info, at=now + timedelta(days=1)),
        )
        user.refresh_from_db()
        assert user.password.startswith("pbkdf2")
        assert isinstance(outcome, SignedIn)
        assert outcome.verified_by is VerifiedBy.TRUSTED_DEVICE
        assert _why(granted.device) is None

    def test_more_iterations_of_the_same_algorithm_are_an_upgrade_too(self, user, device, monkeypatch):
        user.check_password("correct horse")
        monkeypatch.setattr(CheapPBKDF2, "iterations", 3)
        user.check_password("correct horse")
        assert user.password.split("$")[1] == "3"
        assert _why(device) is None
        assert Device.objects.get().credential_stamp == stamps.current(user)

    def test_trust_under_a_hash_before_the_last_is_not_revived(self, user, device):
        type(user).objects.filter(pk=user.pk).update(password=make_password("correct horse", hasher="md5"))
        user.refresh_from_db()
        user.check_password("correct horse")
        assert user.password.startswith("pbkdf2")
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_a_hash_assigned_directly_over_an_outdated_one_is_a_change(self, user, device):
        user = type(user).objects.get()
        user.password = make_password("a new one")
        user.save(update_fields=["password"])
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_a_new_password_over_an_outdated_hash_is_a_change(self, user, device):
        user.set_password("a new one")
        user.save(update_fields=["password"])
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_a_save_in_the_shape_of_an_upgrade_is_a_change_if_none_was_due(self, user, device):
        user.check_password("correct horse")
        user.password = make_password("a new one")
        user.save(update_fields=["password"])
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    @pytest.mark.parametrize("gibberish", ["", "!", "unknown$x"])
    def test_a_hash_that_nobody_can_read_is_no_upgrade(self, user, device, gibberish):
        type(user).objects.filter(pk=user.pk).update(password=gibberish)
        user.set_password("a new one")
        user._password = None
        user.save(update_fields=["password"])
        assert _why(device) == StatusReason.PASSWORD_CHANGED

    def test_signing_in_without_an_upgrade_costs_no_query(self, user, device, django_assert_num_queries):
        user.check_password("correct horse")
        with django_assert_num_queries(0):
            user.check_password("correct horse")


class TestDeviceInHand:
    @pytest.fixture(autouse=True)
    def _keep(self, settings):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "KEEP_DEVICE_ON_PASSWORD_CHANGE": True}

    def _checked(self, user, granted, client_info, now):
        presented = Presented(credential=granted.credential)
        return trust.check(user=user, presented=presented, mfa_active=True, by=By(client=client_info, at=now))

    def test_it_stays_trusted_and_the_others_do_not(self, user, granted, in_request, client_info, now):
        another = make_device(user)
        user.set_password("a new one")
        user.save()
        assert _why(another) == StatusReason.PASSWORD_CHANGED
        assert _why(granted.device) is None
        assert self._checked(user, granted, client_info, now + timedelta(days=1)).decision.allowed

    def test_not_unless_the_setting_says_so(self, user, granted, in_request, settings):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "KEEP_DEVICE_ON_PASSWORD_CHANGE": False}
        user.set_password("a new one")
        user.save()
        assert _why(granted.device) == StatusReason.PASSWORD_CHANGED

    def test_not_if_somebody_else_changes_the_password(self, user, granted, other_user):
        request = _request(other_user, DeviceCookie((granted.credential,)))
        token = jar.current_request.set(request)
        user.set_password("a new one")
        user.save()
        jar.current_request.reset(token)
        assert _why(granted.device) == StatusReason.PASSWORD_CHANGED

    def test_not_outside_a_request(self, user, granted):
        user.set_password("a new one")
        user.save()
        assert _why(granted.device) == StatusReason.PASSWORD_CHANGED

    def test_not_if_its_trust_had_ended_before(self, user, granted, in_request, client_info, now):
        type(user).objects.filter(pk=user.pk).update(password=make_password("behind the back"))
        user.set_password("a new one")
        user.save()
        assert _why(granted.device) == StatusReason.PASSWORD_CHANGED

    def test_not_if_the_hash_is_only_assigned(self, user, granted, in_request):
        user.password = make_password("a new one")
        user.save()
        assert _why(granted.device) == StatusReason.PASSWORD_CHANGED


class TestSecondFactors:
    @pytest.mark.parametrize(
        "change",
        [
            lambda factor: TOTPDevice.objects.create(user=factor.user, name="another", confirmed=True),
            lambda factor: HOTPDevice.objects.create(user=factor.user, name="another", confirmed=True),
            lambda factor: EmailDevice.objects.create(user=factor.user, name="another", confirmed=True),
            lambda factor: factor.delete(),
            lambda factor: TOTPDevice.objects.all().delete(),
        ],
        ids=["totp added", "hotp added", "email added", "removed", "removed in bulk"],
    )
    def test_adding_or_removing_one_ends_trust(self, device, totp, change):
        change(totp)
        assert _why(device) == StatusReason.MFA_CHANGED

    @pytest.mark.parametrize("fields", [None, ["key"], ["key", "name"]])
    def test_resetting_its_key_ends_trust(self, device, totp, fields):
        totp.key = "00" * 20
        totp.save(update_fields=fields)
        assert _why(device) == StatusReason.MFA_CHANGED

    def test_putting_it_out_of_use_ends_trust(self, device, totp):
        totp.confirmed = False
        totp.save()
        assert _why(device) == StatusReason.MFA_CHANGED

    def test_putting_it_to_use_ends_trust(self, device, user):
        pending = TOTPDevice.objects.create(user=user, name="pending", confirmed=False)
        assert _why(device) is None
        pending.confirmed = True
        pending.save(update_fields=["confirmed"])
        assert _why(device) == StatusReason.MFA_CHANGED

    def test_handing_it_to_another_user_ends_the_trust_of_both(self, device, totp, other_user):
        theirs = make_device(other_user)
        totp.user = other_user
        totp.save()
        assert _why(device) == _why(theirs) == StatusReason.MFA_CHANGED

    def test_verifying_and_failing_to_verify_ends_nothing(self, device, user, totp, client_info):
        provider = get_provider()
        method = provider.methods(user)[0]
        with pytest.raises(CodeMismatch):
            provider.verify(user, method, "000000", client=client_info, now=timezone.now())
        TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
        token = f"{oath.totp(totp.bin_key):06d}"
        provider.verify(user, method, token, client=client_info, now=timezone.now())
        assert _why(device) is None

    def test_a_key_that_is_changed_but_not_saved_ends_nothing(self, device, totp):
        totp.key = "00" * 20
        totp.save(update_fields=["throttling_failure_count"])
        assert _why(device) is None

    def test_a_copy_is_a_new_one_even_after_a_save_that_failed_half_way(self, device, totp):
        pre_save.send(sender=TOTPDevice, instance=totp, raw=False, using="default", update_fields=None)
        totp.pk, totp._state.adding = None, True
        totp.save()
        assert _why(device) == StatusReason.MFA_CHANGED

    def test_renaming_it_ends_nothing(self, device, totp):
        totp.name = "another"
        totp.save()
        assert _why(device) is None

    def test_recovery_codes_end_nothing(self, device, user):
        codes = StaticDevice.objects.create(user=user, name="codes", confirmed=True)
        codes.token_set.create(token="abcdefgh")
        codes.delete()
        assert _why(device) is None

    def test_deleting_one_that_never_counted_ends_nothing(self, device, user):
        TOTPDevice.objects.create(user=user, name="pending", confirmed=False).delete()
        assert _why(device) is None

    def test_setting_up_the_first_one_finds_nothing_to_end(self, user, django_assert_num_queries):
        with django_assert_num_queries(2):
            TOTPDevice.objects.create(user=user, name="first", confirmed=True)
        assert not DeviceEvent.objects.exists()

    def test_loading_a_fixture_touches_nothing(self, totp, django_assert_num_queries):
        totp.key = "00" * 20
        with django_assert_num_queries(1):
            totp.save_base(raw=True)

    def test_the_sessions_of_the_devices_go_on(self, client, user, device, totp):
        force_mfa_login(client, user, device=device)
        totp.delete()
        assert client.session.get("_auth_user_id") == str(user.pk)

    def test_without_a_provider_no_factor_is_watched(self, device, totp, settings, django_assert_num_queries):
        settings.TRUSTED_DEVICES = {}
        totp.key = "00" * 20
        with django_assert_num_queries(1):
            totp.save()
        assert _why(device) is None

    def test_the_provider_set_next_is_followed(self, device, totp, settings):
        provider = settings.TRUSTED_DEVICES
        settings.TRUSTED_DEVICES = {}
        settings.TRUSTED_DEVICES = provider
        totp.delete()
        assert _why(device) == StatusReason.MFA_CHANGED

    @pytest.mark.parametrize("broken", ["no.such.module.Provider", "datetime.timedelta", "tests.settings.NOTHING"])
    def test_a_provider_that_cannot_be_used_keeps_nothing_from_starting(self, broken, settings):
        settings.TRUSTED_DEVICES = {"MFA": broken}
        receivers.connect()


class TestAccounts:
    def test_disabling_an_account_ends_trust_and_all_sessions_of_its_devices(self, client, user, device):
        never_trusted = make_device(user, remembered=False)
        live = []
        for where in (device, never_trusted):
            force_mfa_login(client, user, device=where)
            live.append(client.session.session_key)
            client.cookies.clear()
        user.is_active = False
        user.save()
        assert _why(device) == StatusReason.ACCOUNT_DISABLED
        assert not Session.objects.filter(session_key__in=live).exists()
        assert not DeviceSession.objects.exists()

    def test_so_does_disabling_it_by_that_field_alone(self, user, device):
        user.is_active = False
        user.save(update_fields=["is_active"])
        assert _why(device) == StatusReason.ACCOUNT_DISABLED

    def test_saving_something_else_of_it_costs_nothing(self, user, device, django_assert_num_queries):
        user.is_active = False
        with django_assert_num_queries(1):
            user.save(update_fields=["last_login"])
        assert _why(device) is None

    def test_an_account_that_is_made_disabled_costs_nothing(self, db, django_assert_num_queries):
        with django_assert_num_queries(1):
            get_user_model().objects.create_user("new", is_active=False)

    @pytest.mark.parametrize("by_queryset", [False, True])
    def test_deleting_an_account_takes_its_devices_along_and_strips_its_traces(
        self, user, totp, granted, client_info, by_queryset
    ):
        assert DeviceEvent.objects.exclude(user_agent="").exists()
        if by_queryset:
            get_user_model().objects.filter(pk=user.pk).delete()
        else:
            user.delete()
        assert not Device.objects.exists()
        left = DeviceEvent.objects.all()
        assert left
        assert all((event.user_id, event.ip_address, event.user_agent) == (None, None, "") for event in left)

    def test_deleting_it_by_way_of_a_proxy_is_the_same(self, user, granted):
        Employee.objects.get(pk=user.pk).delete()
        assert not DeviceEvent.objects.exclude(user_agent="").exists()

    def test_it_does_not_matter_whether_factors_or_devices_go_first(self, user, totp, granted):
        collector = Collector(using="default")
        collector.collect([totp])
        collector.collect([user])
        assert next(iter(collector.data)) is TOTPDevice
        collector.delete()
        assert not DeviceEvent.objects.filter(action="not_remembered").exists()
        connection.check_constraints()

    def test_deleting_it_ends_no_trust_of_others(self, user, granted, other_user):
        theirs = make_device(other_user)
        user.delete()
        assert _why(theirs) is None


class TestSigningOut:
    def test_the_session_is_noted_no_longer(self, client, user, device):
        force_mfa_login(client, user, device=device)
        assert DeviceSession.objects.count() == 1
        client.logout()
        assert not DeviceSession.objects.exists()

    def test_other_sessions_stay_noted(self, client, user, device):
        sessions.attach(device=device, session_key="x" * 32, now=timezone.now())
        force_mfa_login(client, user, device=device)
        client.logout()
        assert DeviceSession.objects.count() == 1

    def test_the_note_of_how_the_user_was_verified_is_gone(self, user, device):
        request = _request(user)
        request.session = SessionStore()
        note = session_note.Verification(user_id=str(user.pk), verified_by=VerifiedBy.MFA, at=timezone.now())
        session_note.write(request.session, note)
        user_logged_out.send(sender=type(user), request=request, user=user)
        assert session_note.SESSION_KEY not in request.session

    @pytest.mark.parametrize("somebody", [True, False])
    def test_a_session_without_a_note_is_no_error(self, client, user, somebody):
        if somebody:
            client.force_login(user)
        client.logout()

    def test_a_sign_out_without_a_request_is_no_error(self, user):
        user_logged_out.send(sender=type(user), request=None, user=user)


class TestMails:
    @pytest.fixture(autouse=True)
    def _run_callbacks(self, user, django_capture_on_commit_callbacks):
        self.committed = lambda: django_capture_on_commit_callbacks(execute=True)

    def test_a_device_that_is_trusted_for_the_first_time_is_told_of(self, user):
        with self.committed():
            make_device(user)
        assert [message.to for message in mail.outbox] == [["maria@example.com"]]
        assert "trusted a new device" in mail.outbox[0].body

    def test_one_that_is_trusted_again_is_not(self, client, user):
        with self.committed():
            trust_device(client, user)
            trust_device(client, user)
        assert len(mail.outbox) == 1

    def test_a_copied_key_is_told_of(self, user, client_info, now):
        device = make_device(user)
        with self.committed():
            devices.mark_compromised(device, by=By(client=client_info, at=now))
        assert "old copy of the key" in mail.outbox[0].body
        assert "restored a backup, or synced or copied a browser profile" in mail.outbox[0].body

    def test_a_device_that_staff_forget_is_told_of(self, user, other_user):
        device = make_device(user)
        with self.committed():
            devices.forget([device], by=By(actor=other_user))
        assert mail.outbox[0].to == ["maria@example.com"]
        assert "forget one of your devices" in mail.outbox[0].body

    def test_one_that_its_user_or_nobody_forgets_is_not(self, user):
        with self.committed():
            devices.forget([make_device(user)], by=By(actor=user))
            devices.forget([make_device(user)], by=By())
        assert all("new device" in message.body for message in mail.outbox)

    def test_staff_who_forget_many_devices_cause_one_mail_a_person(self, user, other_user, monkeypatch):
        monkeypatch.setattr(DeviceOwner, "batch_size", 2)
        with self.committed():
            for owner, name in ((user, "Desk"), (other_user, ""), (user, "Kitchen"), (user, "Attic")):
                make_device(owner, name=name)
        mail.outbox.clear()
        staff = get_user_model().objects.create_user("staff")
        act = bulk.begin(BulkKind.FORGET, bulk.survey(Device.objects.all()))
        while not act.finished:
            with self.committed():
                act = bulk.step(act, Device.objects.all(), by=By(actor=staff))
        assert sorted(message.to[0] for message in mail.outbox) == ["maria@example.com", "tom@example.com"]
        assert not Device.objects.exists()

    def test_so_does_an_act_on_all_devices_of_one_person_and_it_names_them(self, user, other_user):
        with self.committed():
            made = [make_device(user, name=name) for name in ("Desk", "Kitchen")]
        mail.outbox.clear()
        with self.committed():
            devices.forget(made, by=By(actor=other_user))
        [message] = mail.outbox
        assert message.subject == "Several of your devices were forgotten"
        for text in (message.body, message.alternatives[0][0]):
            assert "Desk" in text
            assert "Kitchen" in text

    def test_the_next_act_is_told_of_again(self, user, other_user):
        for _ in range(2):
            with self.committed():
                make_device(user)
                act = bulk.begin(BulkKind.FORGET, bulk.survey(Device.objects.all()))
                bulk.step(act, Device.objects.all(), by=By(actor=other_user))
        assert [message.subject for message in mail.outbox].count("One of your devices was forgotten") == 2


class TestConnecting:
    def test_models_that_are_not_concerned_are_not_listened_to(self):
        ours = [pre_save, post_save, pre_delete, post_delete]
        for signal in ours:
            assert not any(
                getattr(receiver, "__module__", "") == receivers.__name__
                for kind in signal._live_receivers(Group)
                for receiver in kind
            )

    def test_connecting_twice_is_the_same_as_once(self, user, device, django_assert_num_queries):
        receivers.connect()
        with django_assert_num_queries(3):
            user.save()

    def test_proxies_and_children_of_the_user_model_are_listened_to(self):
        for model in (get_user_model(), Employee, Customer):
            assert receivers.follow_password in post_save._live_receivers(model)[0]
