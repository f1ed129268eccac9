"""The state machine of sign-in: every step, every answer, and what may have happened in between."""

import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.core import mail
from django.test import RequestFactory
from django_otp import oath
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.broken_database import broken
from tests.conftest import NOW
from trusted_devices.backends import Backend
from trusted_devices.cookies import DeviceCookie
from trusted_devices.exceptions import (
    AlreadyAnswered,
    BackendUnavailable,
    CodeMismatch,
    CodeUsed,
    InvalidCredentials,
    InvalidDeviceName,
    InvalidPeriod,
    SignInExpired,
    TooManyAttempts,
    TrustNotAllowed,
    UnknownMethod,
)
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.policy import CLOCK_SKEW
from trusted_devices.services import devices, sign_in, stamps
from trusted_devices.services.sign_in import Challenge, SignedIn
from trusted_devices.services.sign_in_state import Question, SignInState
from trusted_devices.signin.local import LocalConversation, LocalSignIn
from trusted_devices.types import By, ClientInfo, ProofState, StatusReason, TrustReason, VerifiedBy

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SIXTY_DAYS = 60 * DAY
EMPTY = DeviceCookie()
OTP = "trusted_devices.mfa.otp.OTPProvider"


@pytest.fixture(autouse=True)
def _at_now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def client_info(client_info):
    return replace(client_info, request=RequestFactory().post("/"))


@pytest.fixture
def code(totp):
    return f"{oath.totp(totp.bin_key):06d}"


@pytest.fixture
def begin(user, client_info):
    def begin_it(cookie=EMPTY, *, password="correct horse", username="maria", client=client_info):
        credentials = {"username": username, "password": password}
        return sign_in.begin(credentials, cookie=cookie, by=By(client=client, at=NOW))

    return begin_it


@pytest.fixture
def load(client_info):
    """Go on with a sign-in as the next request does."""

    def load_it(state, cookie=EMPTY, *, client=client_info, now=NOW):
        return sign_in.load(state, cookie=cookie, by=By(client=client, at=now))

    return load_it


@pytest.fixture
def answer_code(load):
    def answer(state, typed, cookie=EMPTY, **options):
        return sign_in.answer_code(load(state, cookie, **options), typed)

    return answer


@pytest.fixture
def answer_offer(load):
    def answer(state, period, cookie=EMPTY, *, name="", **options):
        return sign_in.answer_offer(load(state, cookie, **options), period=period, name=name)

    return answer


@pytest.fixture
def answer_new_password(load):
    def answer(state):
        return sign_in.answer_new_password(load(state), password="mine 7", attributes={})

    return answer


@pytest.fixture
def choose_method(load):
    def choose(state, method, **options):
        return sign_in.choose_method(load(state, **options), method.persistent_id)

    return choose


@pytest.fixture
def asked(begin, totp):
    """The state of somebody who is asked for a code."""
    return begin().state


@pytest.fixture
def offered(asked, code, answer_code):
    """The state of somebody who is asked whether to trust this device."""
    return answer_code(asked, code).state


@pytest.fixture
def cookie(offered, answer_offer):
    """The cookie of a browser that was trusted, at a time when its user is signed out again."""
    return EMPTY.put(answer_offer(offered, SIXTY_DAYS).credential)


@pytest.fixture
def failures():
    """What was announced as a failed sign-in."""
    heard = []

    def hear(sender, credentials, request=None, **_):
        heard.append((credentials, request))

    user_login_failed.connect(hear)
    yield heard
    user_login_failed.disconnect(hear)


class TestThePassword:
    def test_a_user_without_mfa_is_in_and_offered_nothing(self, begin, user):
        outcome = begin()
        assert isinstance(outcome, SignedIn)
        assert (outcome.user, outcome.verified_by, outcome.mfa_active) == (user, VerifiedBy.PASSWORD, False)
        assert (outcome.device, outcome.credential, outcome.verification) == (None, None, None)
        assert outcome.auth_backend == "django.contrib.auth.backends.ModelBackend"

    def test_a_user_with_mfa_is_asked_for_it(self, begin, user, totp):
        challenge = begin()
        assert isinstance(challenge, Challenge)
        assert challenge.user == user
        assert challenge.question is Question.SECOND_FACTOR
        assert challenge.method in challenge.methods
        assert challenge.state.method_id == challenge.method.id == totp.persistent_id
        assert (challenge.offer, challenge.device) == (None, None)

    @pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"password": ""}, {"username": "nobody"}])
    def test_a_wrong_password_and_an_unknown_user_are_refused_alike(self, begin, totp, wrong):
        with pytest.raises(InvalidCredentials) as raised:
            begin(**wrong)
        assert str(raised.value) == ""

    def test_a_disabled_account_is_refused_like_an_unknown_one(self, begin, user):
        get_user_model().objects.update(is_active=False)
        with pytest.raises(InvalidCredentials):
            begin()

    def test_a_user_with_nothing_but_recovery_codes_has_no_mfa(self, begin, user):
        StaticDevice.objects.create(user=user, name="codes", confirmed=True).token_set.create(token="abcd1234")
        assert begin().mfa_active is False

    def test_without_a_provider_nobody_is_asked(self, begin, totp, settings):
        settings.TRUSTED_DEVICES = {}
        assert begin().verified_by is VerifiedBy.PASSWORD


class TestTheCode:
    def test_the_right_code_leads_to_the_question_about_trust(self, asked, code, answer_code, totp):
        challenge = answer_code(asked, code)
        assert challenge.question is Question.OFFER_TRUST
        assert challenge.offer.periods == (30 * DAY, 60 * DAY, 90 * DAY)
        assert challenge.offer.default == SIXTY_DAYS
        assert challenge.state.verified.factor_id == totp.persistent_id
        assert challenge.state.id == asked.id

    @pytest.mark.parametrize("typed", ["000000", "", " ", "12345", "x" * 5000, "\x00", "½"])
    def test_a_wrong_code_is_refused_recorded_and_announced(
        self, asked, code, answer_code, typed, failures, client_info, user
    ):
        with pytest.raises(CodeMismatch):
            answer_code(asked, typed)
        event = DeviceEvent.objects.get()
        assert (event.action, event.reason, event.user) == ("sign_in_failed", "code_mismatch", user)
        assert failures == [({"username": "maria"}, client_info.request)]

    def test_a_code_is_good_for_once_and_is_no_guess_when_it_comes_again(
        self, begin, asked, code, answer_code, failures
    ):
        answer_code(asked, code)
        with pytest.raises(CodeUsed):
            answer_code(begin().state, code)
        assert not failures
        assert not DeviceEvent.objects.filter(action="sign_in_failed").exists()

    def test_who_guesses_too_often_has_to_wait_even_with_the_right_code(self, asked, code, answer_code, failures):
        with pytest.raises(CodeMismatch):
            answer_code(asked, "000000")
        with pytest.raises(TooManyAttempts) as raised:
            answer_code(asked, code)
        assert raised.value.retry_at > NOW
        assert len(failures) == 1

    def test_a_factor_removed_meanwhile_cannot_be_answered(self, asked, code, load, totp):
        challenge = load(asked)
        totp.delete()
        with pytest.raises(UnknownMethod):
            sign_in.answer_code(challenge, code)

    def test_a_recovery_code_signs_in_without_an_offer(self, asked, user, answer_code, choose_method):
        codes = StaticDevice.objects.create(user=user, name="codes", confirmed=True)
        codes.token_set.create(token="abcd2345")
        chosen = choose_method(asked, codes)
        outcome = answer_code(chosen.state, "ABCD-2345")
        assert isinstance(outcome, SignedIn)
        assert outcome.verified_by is VerifiedBy.RECOVERY
        assert outcome.credential is None
        assert not codes.token_set.exists()

    def test_staff_acting_as_the_user_are_not_asked_about_trust(self, asked, code, answer_code):
        outcome = answer_code(asked, code, client=ClientInfo(impersonated=True))
        assert (outcome.verified_by, outcome.device) == (VerifiedBy.MFA, None)


class TestAnotherFactor:
    @pytest.fixture
    def email(self, user):
        return EmailDevice.objects.create(user=user, name="mail", confirmed=True)

    def test_a_code_is_sent_where_the_factor_needs_one(self, email, begin, totp, choose_method, answer_code):
        chosen = choose_method(begin().state, email)
        assert chosen.method.kind == "email"
        assert len(mail.outbox) == 1
        email.refresh_from_db()
        assert email.token in mail.outbox[0].body
        assert isinstance(answer_code(chosen.state, email.token), Challenge)

    def test_no_code_is_sent_where_none_is_needed(self, asked, totp, choose_method):
        choose_method(asked, totp)
        assert mail.outbox == []

    def test_codes_cannot_be_asked_for_too_often(self, email, begin, choose_method, settings):
        settings.OTP_EMAIL_COOLDOWN_DURATION = 60
        state = begin().state
        choose_method(state, email)
        with pytest.raises(TooManyAttempts):
            choose_method(state, email)
        assert len(mail.outbox) == 1

    def test_somebody_elses_factor_cannot_be_chosen(self, asked, other_user, choose_method):
        theirs = TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
        with pytest.raises(UnknownMethod):
            choose_method(asked, theirs)

    def test_no_factor_can_be_chosen_after_the_code(self, offered, totp, choose_method):
        with pytest.raises(SignInExpired):
            choose_method(offered, totp)


class TestTheQuestion:
    def test_not_now_signs_in_and_trusts_nothing(self, offered, answer_offer, user):
        outcome = answer_offer(offered, None)
        assert (outcome.user, outcome.verified_by) == (user, VerifiedBy.MFA)
        assert (outcome.device, outcome.credential, outcome.trust_failed) == (None, None, False)
        assert outcome.auth_backend == "django.contrib.auth.backends.ModelBackend"
        assert not Device.objects.exists()

    def test_trust_makes_a_device_and_hands_out_its_credential(self, offered, answer_offer, totp):
        outcome = answer_offer(offered, SIXTY_DAYS, name="Laptop")
        device = Device.objects.get()
        assert (device, device.name, device.trust_expires_at) == (outcome.device, "Laptop", NOW + SIXTY_DAYS)
        assert device.mfa_factor == totp.persistent_id
        assert outcome.credential.device_key == device.device_key
        assert outcome.verified_by is VerifiedBy.MFA

    @pytest.mark.parametrize("period", [DAY, timedelta(0), -DAY, 365 * DAY])
    def test_a_period_that_was_not_offered_is_refused_and_the_question_stands(self, offered, answer_offer, period):
        with pytest.raises(InvalidPeriod):
            answer_offer(offered, period)
        assert not Device.objects.exists()
        assert answer_offer(offered, SIXTY_DAYS).device

    def test_a_bad_name_is_refused_and_the_question_stands(self, offered, answer_offer):
        with pytest.raises(InvalidDeviceName):
            answer_offer(offered, SIXTY_DAYS, name="x" * 5000)
        assert not Device.objects.exists()
        assert answer_offer(offered, SIXTY_DAYS).device

    def test_it_is_answered_once(self, offered, answer_offer):
        answer_offer(offered, SIXTY_DAYS)
        with pytest.raises(AlreadyAnswered):
            answer_offer(offered, SIXTY_DAYS)
        assert Device.objects.count() == 1

    def test_trust_cannot_be_taken_while_acting_as_somebody_else(self, offered, answer_offer):
        with pytest.raises(SignInExpired):
            answer_offer(offered, SIXTY_DAYS, client=ClientInfo(impersonated=True))
        assert not Device.objects.exists()

    def test_trust_that_the_policy_forbids_although_it_offers_it_cannot_be_taken(self, offered, answer_offer, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "POLICY": "tests.web.views.policies.OffersWhatItForbids"}
        with pytest.raises(TrustNotAllowed):
            answer_offer(offered, SIXTY_DAYS)
        assert not Device.objects.exists()

    def test_a_known_device_is_named_in_the_question_and_revived_by_the_answer(
        self, cookie, begin, totp, answer_code, answer_offer, time_machine
    ):
        Device.objects.update(name="Work laptop")
        devices.stop_trusting(Device.objects.all(), reason=StatusReason.USER_STOPPED, by=By())
        time_machine.move_to(NOW + MINUTE, tick=False)
        code = f"{oath.totp(totp.bin_key):06d}"
        challenge = answer_code(begin(cookie).state, code, cookie)
        assert challenge.device.name == "Work laptop"
        outcome = answer_offer(challenge.state, 30 * DAY, cookie)
        assert (outcome.device, Device.objects.count()) == (challenge.device, 1)
        assert outcome.trusted_until == Device.objects.get().trust_expires_at == NOW + 30 * DAY

    def test_not_now_on_a_known_device_signs_in_from_that_device(
        self, cookie, begin, totp, answer_code, answer_offer, time_machine
    ):
        devices.stop_trusting(Device.objects.all(), reason=StatusReason.USER_STOPPED, by=By())
        time_machine.move_to(NOW + MINUTE, tick=False)
        challenge = answer_code(begin(cookie).state, f"{oath.totp(totp.bin_key):06d}", cookie)
        outcome = answer_offer(challenge.state, None, cookie)
        assert (outcome.device, outcome.credential, outcome.trusted_until) == (Device.objects.get(), None, None)
        assert not Device.objects.get().is_remembered


class CarelessConversation(LocalConversation):
    """Asks for no second factor, although one is due."""

    def methods(self):
        return ()


class CarelessSignIn(LocalSignIn):
    """Asks nobody for a second factor."""

    conversation_class = CarelessConversation


class DoubtfulConversation(LocalConversation):
    """The device was to prove itself, and that failed."""

    proof = ProofState.FAILED


class DoubtfulSignIn(LocalSignIn):
    """Believes no device."""

    conversation_class = DoubtfulConversation


CARELESS = Backend(sign_in=f"{__name__}.CarelessSignIn")
DOUBTFUL = Backend(sign_in=f"{__name__}.DoubtfulSignIn")


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        "pattern", ["^INSERT INTO .trusted_devices_device", "^INSERT INTO .trusted_devices_deviceevent"]
    )
    def test_a_database_error_during_a_grant_leaves_the_sign_in_standing(self, offered, answer_offer, pattern, caplog):
        with broken(pattern) as refused:
            outcome = answer_offer(offered, SIXTY_DAYS)
        assert refused
        assert (outcome.trust_failed, outcome.verified_by) == (True, VerifiedBy.MFA)
        assert (outcome.device, outcome.credential) == (None, None)
        assert not Device.objects.exists()
        assert not DeviceEvent.objects.filter(action__in=["confirmed", "remembered"]).exists()
        assert "Trust could not be granted" in caplog.text

    def test_so_does_a_backend_that_is_away(self, offered, answer_offer, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "BACKEND": "tests.services.owner.AWAY"}
        outcome = answer_offer(offered, SIXTY_DAYS)
        assert (outcome.trust_failed, outcome.device) == (True, None)
        assert not Device.objects.exists()

    def test_a_database_error_during_the_check_asks_for_the_code(self, cookie, begin):
        with broken("^UPDATE .trusted_devices_device"):
            assert isinstance(begin(cookie), Challenge)

    def test_a_backend_that_asks_for_no_code_where_one_is_due_lets_nobody_in(self, begin, totp, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "BACKEND": f"{__name__}.CARELESS"}
        with pytest.raises(BackendUnavailable):
            begin()

    def test_such_a_backend_is_trusted_with_those_who_may_skip_it(self, user, cookie, begin, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "BACKEND": f"{__name__}.CARELESS"}
        Device.objects.update(credential_stamp=stamps.credential_stamp(user, ()))
        assert begin(cookie).verified_by is VerifiedBy.TRUSTED_DEVICE

    def test_a_device_whose_proof_failed_never_skips_the_code(self, cookie, begin, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "BACKEND": f"{__name__}.DOUBTFUL"}
        assert begin(cookie).question is Question.SECOND_FACTOR
        assert DeviceEvent.objects.filter(action="trust_refused", reason="proof_failed").exists()


class TestATrustedDevice:
    def test_it_skips_the_code(self, cookie, begin, user):
        outcome = begin(cookie)
        assert isinstance(outcome, SignedIn)
        assert (outcome.user, outcome.verified_by, outcome.mfa_active) == (user, VerifiedBy.TRUSTED_DEVICE, True)
        assert outcome.device == Device.objects.get()
        assert outcome.decision.reason is TrustReason.TRUSTED
        assert outcome.credential.secret != cookie.entries[0].secret
        assert outcome.verification is None, "trust is no fresh second factor"

    def test_it_helps_nobody_who_does_not_know_the_password(self, cookie, begin):
        before = Device.objects.values().get(), list(DeviceEvent.objects.values())
        with pytest.raises(InvalidCredentials):
            begin(cookie, password="wrong")
        assert (Device.objects.values().get(), list(DeviceEvent.objects.values())) == before

    @pytest.mark.parametrize(
        "held",
        [
            DeviceCookie(unreadable=True),
            EMPTY,
        ],
    )
    def test_another_browser_is_asked_for_the_code(self, cookie, begin, held):
        assert isinstance(begin(held), Challenge)

    def test_a_wrong_device_secret_does_not_throttle_the_second_factor(self, cookie, begin, failures, totp):
        forged = EMPTY.put(replace(cookie.entries[0], secret="x" * 43, generation=99))
        for _ in range(10):
            assert isinstance(begin(forged), Challenge)
        assert failures == []
        totp.refresh_from_db()
        assert totp.throttling_failure_count == 0

    def test_another_user_of_the_same_browser_is_asked_for_their_own(
        self, cookie, other_user, begin, answer_code, answer_offer
    ):
        factor = TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
        challenge = begin(cookie, username="tom", password="battery staple")
        challenge = answer_code(challenge.state, f"{oath.totp(factor.bin_key):06d}", cookie)
        assert challenge.device is None
        outcome = answer_offer(challenge.state, SIXTY_DAYS, cookie)
        both = cookie.put(outcome.credential)
        assert begin(both).verified_by is VerifiedBy.TRUSTED_DEVICE
        assert begin(both, username="tom", password="battery staple").verified_by is VerifiedBy.TRUSTED_DEVICE

    def test_without_mfa_it_is_known_all_the_same(self, cookie, begin, totp):
        totp.delete()
        outcome = begin(cookie)
        assert (outcome.verified_by, outcome.device, outcome.credential) == (
            VerifiedBy.PASSWORD,
            Device.objects.get(),
            None,
        )


class TestTrackingModes:
    def test_always_remembers_after_the_code_without_asking(self, begin, totp, code, answer_code, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "TRACKING": "always"}
        outcome = answer_code(begin().state, code)
        assert isinstance(outcome, SignedIn)
        assert outcome.device.status_reason == StatusReason.TRACKING_ALWAYS
        assert outcome.device.trust_expires_at == NOW + SIXTY_DAYS
        assert begin(EMPTY.put(outcome.credential)).verified_by is VerifiedBy.TRUSTED_DEVICE

    def test_always_does_not_remember_after_a_recovery_code(self, asked, user, answer_code, settings, choose_method):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "TRACKING": "always"}
        codes = StaticDevice.objects.create(user=user, name="codes", confirmed=True)
        codes.token_set.create(token="abcd2345")
        chosen = choose_method(asked, codes)
        assert answer_code(chosen.state, "abcd2345").device is None
        assert not Device.objects.exists()

    def test_off_neither_asks_nor_remembers(self, begin, totp, code, answer_code, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "TRACKING": "off"}
        outcome = answer_code(begin().state, code)
        assert (outcome.verified_by, outcome.device) == (VerifiedBy.MFA, None)
        assert not Device.objects.exists()

    @pytest.mark.parametrize("options", [{"TRACKING": "off"}, {"CHALLENGE_REQUIRED_ON_NEW_DEVICE": False}])
    def test_trust_already_given_is_not_taken_and_not_offered_anew(
        self, cookie, begin, totp, answer_code, settings, options, time_machine
    ):
        settings.TRUSTED_DEVICES = {"MFA": OTP, **options}
        time_machine.move_to(NOW + MINUTE, tick=False)
        outcome = answer_code(begin(cookie).state, f"{oath.totp(totp.bin_key):06d}", cookie)
        assert (outcome.verified_by, outcome.credential) == (VerifiedBy.MFA, None)

    def test_staff_without_a_fitting_period_are_in_after_the_code(self, begin, user, totp, code, answer_code, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "STAFF_MAX_PERIOD": DAY}
        get_user_model().objects.update(is_staff=True)
        assert isinstance(answer_code(begin().state, code), SignedIn)


class TestInBetween:
    """Whatever happened between two steps, in each step that can be taken."""

    @pytest.fixture(params=["answer_code", "choose_method", "load", "answer_offer", "not_now", "load_offer"])
    def step(self, request, asked, offered, totp, load, answer_code, choose_method, answer_offer):
        """Take one step at a given time with the state that belongs to it."""
        steps = {
            "answer_code": lambda now: answer_code(asked, "000000", now=now),
            "choose_method": lambda now: choose_method(asked, totp, now=now),
            "load": lambda now: load(asked, now=now),
            "answer_offer": lambda now: answer_offer(offered, SIXTY_DAYS, now=now),
            "not_now": lambda now: answer_offer(offered, None, now=now),
            "load_offer": lambda now: load(offered, now=now),
        }
        return steps[request.param]

    def test_within_the_time_it_goes_on(self, step):
        with contextlib.suppress(CodeMismatch):
            assert isinstance(step(NOW + 10 * MINUTE - timedelta(microseconds=1)), Challenge | SignedIn)

    def test_another_process_whose_clock_is_a_little_behind_goes_on(self, step):
        with contextlib.suppress(CodeMismatch):
            assert isinstance(step(NOW - CLOCK_SKEW), Challenge | SignedIn)

    @pytest.mark.parametrize("now", [NOW + 10 * MINUTE, NOW + DAY, NOW - CLOCK_SKEW - MINUTE])
    def test_after_the_time_it_has_expired(self, step, now):
        with pytest.raises(SignInExpired):
            step(now)

    def test_how_long_is_the_sites_choice(self, step, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "SIGN_IN_TIMEOUT": MINUTE}
        with pytest.raises(SignInExpired):
            step(NOW + MINUTE)

    def test_the_password_was_changed(self, step, user):
        user.set_password("another password")
        user.save()
        with pytest.raises(SignInExpired):
            step(NOW)

    def test_the_account_was_disabled(self, step, user):
        get_user_model().objects.update(is_active=False)
        with pytest.raises(SignInExpired):
            step(NOW)

    def test_the_account_was_deleted(self, step, user):
        user.delete()
        with pytest.raises(SignInExpired):
            step(NOW)


class TestTheWrongStep:
    def test_the_question_cannot_be_answered_before_the_code(self, asked, answer_offer):
        for period in (SIXTY_DAYS, None):
            with pytest.raises(SignInExpired):
                answer_offer(asked, period)
        assert not Device.objects.exists()

    def test_a_code_cannot_be_answered_twice(self, offered, answer_code):
        with pytest.raises(SignInExpired):
            answer_code(offered, "000000")

    def test_a_state_that_claims_the_question_without_a_code_is_refused(self, asked, answer_offer):
        claimed = replace(asked, question=Question.OFFER_TRUST)
        for period in (SIXTY_DAYS, None):
            with pytest.raises(SignInExpired):
                answer_offer(claimed, period)

    def test_no_new_password_is_taken_before_the_first_or_after_it(self, asked, offered, answer_new_password):
        for state in (asked, offered):
            with pytest.raises(SignInExpired):
                answer_new_password(state)

    def test_whatever_its_backend_would_take_a_step_takes_its_own_answer(self, asked, client_info):
        taken = []
        conversation = SimpleNamespace(set_new_password=lambda *answer: taken.append(answer))
        challenge = Challenge(state=asked, conversation=conversation, cookie=EMPTY, by=By(client=client_info, at=NOW))
        with pytest.raises(SignInExpired):
            sign_in.answer_new_password(challenge, password="a much better staple", attributes={})
        assert taken == []

    def test_a_state_with_a_new_password_that_nobody_asked_for_is_refused(self, asked, load, answer_new_password):
        claimed = replace(asked, question=Question.NEW_PASSWORD)
        with pytest.raises(SignInExpired):
            answer_new_password(claimed)
        with pytest.raises(SignInExpired):
            load(claimed)


class TestLoading:
    def test_the_code_is_asked_for_again(self, asked, load, totp):
        challenge = load(asked)
        assert (challenge.method.id, challenge.state) == (totp.persistent_id, asked)

    def test_the_question_is_asked_again_with_the_device_in_front(self, offered, cookie, load):
        challenge = load(offered, cookie)
        assert challenge.offer.default == SIXTY_DAYS
        assert challenge.device == Device.objects.get()

    def test_nothing_is_asked_when_mfa_was_removed_meanwhile(self, asked, load, totp):
        totp.delete()
        with pytest.raises(SignInExpired):
            load(asked)

    def test_nothing_is_asked_when_the_factor_was_removed_meanwhile(self, asked, load, totp, user):
        totp.delete()
        TOTPDevice.objects.create(user=user, name="another", confirmed=True)
        with pytest.raises(SignInExpired):
            load(asked)

    def test_the_question_is_not_asked_when_the_policy_forbids_it_meanwhile(self, offered, load, settings):
        settings.TRUSTED_DEVICES = {"MFA": OTP, "TRACKING": "off"}
        with pytest.raises(SignInExpired):
            load(offered)


class TestTheState:
    def test_it_survives_any_session_serializer(self, asked, offered):
        for state in (asked, offered):
            assert SignInState.load(json.loads(json.dumps(state.dump()))) == state

    def test_it_holds_no_password_no_code_and_no_password_hash(self, offered, user, code):
        dumped = json.dumps(offered.dump())
        assert "correct horse" not in dumped
        assert user.password not in dumped
        assert code not in dumped.replace(offered.id, "").replace(offered.stamp, "")
        assert offered.stamp == stamps.current(user)

    @pytest.mark.parametrize("garbage", [None, 7, "text", [], {}, {"id": "x"}, [1, 2, 3]], ids=repr)
    def test_anything_else_in_its_place_has_expired(self, garbage):
        with pytest.raises(SignInExpired):
            SignInState.load(garbage)

    @pytest.mark.parametrize(
        "change",
        [
            {"started": "soon"},
            {"started": None},
            {"started": 1e300},
            {"started": float("nan")},
            {"question": "done"},
            {"question": None},
            {"verified": []},
            {"verified": {}},
            {"verified": "mfa!"},
            {"verified": ["totp", "f", "when", False]},
            {"verified": ["totp", "f", 1.0, False, "more"]},
            {"backend": None},
            {"backend": 7},
        ],
        ids=repr,
    )
    def test_a_garbled_one_has_expired(self, offered, change):
        with pytest.raises(SignInExpired):
            SignInState.load(offered.dump() | change)

    @pytest.mark.parametrize(
        "key", ["id", "user", "auth_backend", "stamp", "started", "question", "method", "verified"]
    )
    def test_an_incomplete_one_has_expired(self, offered, key):
        raw = offered.dump()
        del raw[key]
        with pytest.raises(SignInExpired):
            SignInState.load(raw)

    @pytest.mark.parametrize("user_id", ["", "nobody", "0", None, [], "9" * 30])
    def test_one_of_a_user_who_does_not_exist_has_expired(self, offered, answer_offer, user_id):
        with pytest.raises(SignInExpired):
            answer_offer(replace(offered, user_id=user_id), None)

    @pytest.mark.parametrize("stamp", ["", "x", "."])
    def test_one_with_another_stamp_has_expired(self, offered, answer_offer, stamp):
        with pytest.raises(SignInExpired):
            answer_offer(replace(offered, stamp=stamp or ""), None)

    def test_two_sign_ins_have_two_states(self, begin, totp):
        assert begin().state.id != begin().state.id
