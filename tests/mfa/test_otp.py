"""Second factors from django-otp, beyond the contract: spellings, throttles, recovery codes, labels."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import RequestFactory
from django_otp import oath
from django_otp.middleware import OTPMiddleware
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.exceptions import CodeMismatch, CodeUsed, TooManyAttempts, UnknownMethod
from trusted_devices.mfa import get_provider
from trusted_devices.mfa.base import NoMfaProvider
from trusted_devices.mfa.otp import OTPProvider
from trusted_devices.types import ClientInfo, MfaMethod, MfaVerification

CLIENT = ClientInfo()
provider = OTPProvider()


@pytest.fixture(autouse=True)
def _at_now(now, time_machine):
    time_machine.move_to(now, tick=False)


@pytest.fixture
def hotp(user):
    return HOTPDevice.objects.create(user=user, name="token", confirmed=True)


@pytest.fixture
def email(user):
    return EmailDevice.objects.create(user=user, name="mail", confirmed=True)


@pytest.fixture
def codes(user):
    device = StaticDevice.objects.create(user=user, name="codes", confirmed=True)
    for token in ("abcd2345", "efgh6723"):
        device.token_set.create(token=token)
    return device


def method(user, factor):
    return next(found for found in provider.methods(user) if found.id == factor.persistent_id)


def totp_code(factor):
    return f"{oath.totp(factor.bin_key):06d}"


def verify(user, factor, code, now):
    return provider.verify(user, method(user, factor), code, client=CLIENT, now=now)


class TestMethods:
    def test_codes_at_hand_come_before_codes_by_mail_and_recovery_comes_last(self, user, codes, email, hotp, totp):
        found = provider.methods(user)
        assert [(one.kind, one.needs_sending, one.recovery) for one in found][-2:] == [
            ("email", True, False),
            ("recovery", False, True),
        ]
        assert {one.kind for one in found[:2]} == {"totp", "hotp"}

    def test_recovery_codes_alone_are_no_second_factor(self, user, codes):
        assert provider.methods(user) == ()

    def test_a_factor_whose_set_up_is_not_complete_does_not_count(self, user):
        TOTPDevice.objects.create(user=user, name="phone", confirmed=False)
        assert provider.methods(user) == ()

    def test_each_kind_has_a_label_in_words(self, user, codes, email, hotp, totp):
        assert {one.kind: one.label for one in provider.methods(user)} == {
            "totp": "Code from your authenticator app",
            "hotp": "Code from your token",
            "email": "Code by e-mail",
            "recovery": "Recovery code",
        }


class TestSpellings:
    @pytest.mark.parametrize("spell", [lambda code: f" {code[:3]} {code[3:]} ", lambda code: f"{code[:3]}-{code[3:]}"])
    def test_a_spelling_is_accepted(self, user, totp, now, spell):
        assert verify(user, totp, spell(totp_code(totp)), now) == MfaVerification(
            kind="totp", factor_id=totp.persistent_id, at=now
        )

    def test_a_used_code_is_not_accepted_in_another_spelling(self, user, totp, now):
        code = totp_code(totp)
        verify(user, totp, code, now)
        for spelling in (code, f"{code[:3]} {code[3:]}", f"+{code}", f"{code[:3]}_{code[3:]}"):
            with pytest.raises((CodeMismatch, TooManyAttempts)):
                verify(user, totp, spelling, now)


class TestUsedCodes:
    def test_a_code_that_was_used_or_is_older_says_so_and_slows_nobody_down(self, user, totp, now):
        used, older = (f"{oath.TOTP(totp.bin_key, drift=drift).token():06d}" for drift in (0, -1))
        verify(user, totp, used, now)
        for code in (used, older, used):
            with pytest.raises(CodeUsed):
                verify(user, totp, code, now)
        totp.refresh_from_db()
        assert totp.throttling_failure_count == 0

    def test_a_code_that_nobody_used_is_wrong_once_it_is_too_old(self, user, totp, now, time_machine):
        code = totp_code(totp)
        verify(user, totp, code, now)
        time_machine.move_to(now + timedelta(seconds=90), tick=False)
        with pytest.raises(CodeMismatch) as raised:
            verify(user, totp, code, now)
        assert raised.type is CodeMismatch

    def test_whoever_guesses_hears_of_no_used_code_while_they_wait(self, user, totp, now):
        code = totp_code(totp)
        verify(user, totp, code, now)
        with pytest.raises(CodeMismatch):
            verify(user, totp, "000000", now)
        with pytest.raises(TooManyAttempts):
            verify(user, totp, code, now)

    def test_the_code_that_a_token_showed_last_says_so(self, user, hotp, now):
        first, second = (f"{oath.hotp(hotp.bin_key, counter):06d}" for counter in (0, 1))
        verify(user, hotp, first, now)
        with pytest.raises(CodeUsed):
            verify(user, hotp, first, now)
        verify(user, hotp, second, now)


class TestRecoveryCodes:
    @pytest.mark.parametrize("typed", ["abcd2345", "ABCD2345", "abcd-2345", " Abcd 2345 "])
    def test_one_is_used_up_however_it_is_spelt(self, user, totp, codes, now, typed):
        verified = verify(user, codes, typed, now)
        assert (verified.kind, verified.recovery) == ("recovery", True)
        assert codes.token_set.get().token == "efgh6723"
        with pytest.raises(CodeMismatch):
            verify(user, codes, typed, now)


class TestHotp:
    def test_its_codes_are_good_for_once_each(self, user, hotp, now):
        first, second = (f"{oath.hotp(hotp.bin_key, counter):06d}" for counter in (0, 1))
        verify(user, hotp, first, now)
        hotp.refresh_from_db()
        assert hotp.counter == 1
        with pytest.raises(CodeMismatch):
            verify(user, hotp, first, now)
        verify(user, HOTPDevice.objects.get(), second, now)


class TestCodesByMail:
    def test_a_code_is_sent_and_good_for_once(self, user, email, now):
        provider.send_code(user, method(user, email), client=CLIENT)
        email.refresh_from_db()
        (message,) = mail.outbox
        assert message.to == [user.email]
        assert email.token in message.body
        code = email.token
        assert verify(user, email, code, now).kind == "email"
        with pytest.raises(CodeMismatch):
            verify(user, email, code, now)

    def test_a_code_is_not_good_for_ever(self, user, email, now, time_machine):
        provider.send_code(user, method(user, email), client=CLIENT)
        email.refresh_from_db()
        time_machine.move_to(now + timedelta(hours=1), tick=False)
        with pytest.raises(CodeMismatch):
            verify(user, email, email.token, now)

    def test_who_asks_too_often_is_told_when_to_ask_again(self, user, email, now, settings):
        settings.OTP_EMAIL_COOLDOWN_DURATION = 60
        provider.send_code(user, method(user, email), client=CLIENT)
        with pytest.raises(TooManyAttempts) as raised:
            provider.send_code(user, method(user, email), client=CLIENT)
        assert raised.value.retry_at == now + timedelta(seconds=60)
        assert len(mail.outbox) == 1


class TestGuessing:
    def test_after_a_wrong_code_even_the_right_one_has_to_wait(self, user, totp, now, time_machine):
        with pytest.raises(CodeMismatch):
            verify(user, totp, "000000", now)
        with pytest.raises(TooManyAttempts) as raised:
            verify(user, totp, totp_code(totp), now)
        assert now < raised.value.retry_at <= now + timedelta(seconds=2)
        time_machine.move_to(raised.value.retry_at, tick=False)
        assert verify(user, totp, totp_code(totp), now)

    def test_the_wait_doubles_with_each_wrong_code(self, user, totp, now, time_machine):
        waits, at = [], now
        for _ in range(4):
            with pytest.raises(CodeMismatch):
                verify(user, totp, "000000", at)
            with pytest.raises(TooManyAttempts) as raised:
                verify(user, totp, "000000", at)
            waits.append((raised.value.retry_at - at).total_seconds())
            at = raised.value.retry_at
            time_machine.move_to(at, tick=False)
        assert waits == [1, 2, 4, 8]

    def test_what_cannot_be_a_code_does_not_count_as_a_guess(self, user, totp, now):
        with pytest.raises(CodeMismatch):
            verify(user, totp, "not a code!", now)
        assert verify(user, totp, totp_code(totp), now)


class TestWhoseFactor:
    @pytest.mark.parametrize("code", ["123456", ""])
    def test_a_factor_of_somebody_else_is_unknown(self, other_user, user, totp, now, code):
        theirs = method(user, totp)
        with pytest.raises(UnknownMethod):
            provider.verify(other_user, theirs, code, client=CLIENT, now=now)
        with pytest.raises(UnknownMethod):
            provider.send_code(other_user, theirs, client=CLIENT)

    @pytest.mark.parametrize("factor_id", ["", "nonsense", "otp_totp.totpdevice/0", "a.b/c/d"])
    def test_an_id_that_names_no_factor_is_unknown(self, user, totp, now, factor_id):
        with pytest.raises(UnknownMethod):
            provider.verify(user, MfaMethod(id=factor_id, kind="totp", label=""), "123456", client=CLIENT, now=now)

    def test_one_taken_out_of_use_meanwhile_is_unknown(self, user, totp, now):
        known = method(user, totp)
        TOTPDevice.objects.update(confirmed=False)
        with pytest.raises(UnknownMethod):
            provider.verify(user, known, totp_code(totp), client=CLIENT, now=now)


class TestFingerprints:
    def test_it_changes_with_what_makes_the_factor_and_with_nothing_else(self, totp, other_user):
        before = provider.factor_fingerprint(totp)
        totp.name, totp.last_t, totp.drift, totp.throttling_failure_count = "renamed", 9, 1, 3
        assert provider.factor_fingerprint(totp) == before
        totp.key = "00" * 20
        assert provider.factor_fingerprint(totp) not in (before, None)
        totp.refresh_from_db()
        totp.user = other_user
        assert provider.factor_fingerprint(totp) not in (before, None)

    def test_a_factor_out_of_use_and_recovery_codes_have_none(self, totp, codes):
        totp.confirmed = False
        assert provider.factor_fingerprint(totp) is None
        assert provider.factor_fingerprint(codes) is None

    def test_every_plug_in_is_watched(self):
        assert {TOTPDevice, HOTPDevice, EmailDevice, StaticDevice} <= set(provider.factor_models())
        assert set(provider.kinds()) == {"totp", "hotp", "email"}


class TestTellingDjangoOtp:
    """What its middleware makes, at the next request, of what the session was told."""

    def verified_by(self, user, factor_id, now):
        request = RequestFactory().get("/")
        request.user, request.session = user, {}
        provider.on_verified(request, user, MfaVerification(kind="totp", factor_id=factor_id, at=now))
        OTPMiddleware(lambda _: None)(request)
        return request.user.otp_device

    def test_its_session_is_verified_by_that_factor(self, user, totp, now):
        assert self.verified_by(user, totp.persistent_id, now) == totp

    @pytest.mark.parametrize("factor_id", ["", "nonsense", "otp_totp.totpdevice/0"])
    def test_a_factor_that_is_gone_verifies_nothing(self, user, now, factor_id):
        assert self.verified_by(user, factor_id, now) is None

    def test_a_factor_of_somebody_else_verifies_nothing(self, other_user, totp, now):
        assert self.verified_by(other_user, totp.persistent_id, now) is None

    def test_telling_it_costs_no_query(self, user, totp, now, django_assert_num_queries):
        request = RequestFactory().get("/")
        request.user, request.session = user, {}
        verification = MfaVerification(kind="totp", factor_id=totp.persistent_id, at=now)
        with django_assert_num_queries(0):
            provider.on_verified(request, user, verification)


class TestTheProviderOfASite:
    def test_it_is_the_one_that_the_setting_names(self):
        assert isinstance(get_provider(), OTPProvider)

    def test_without_the_setting_nobody_has_a_second_factor(self, settings):
        settings.TRUSTED_DEVICES = {}
        nobody = get_provider()
        assert isinstance(nobody, NoMfaProvider)
        assert nobody.methods(object()) == ()
        assert nobody.factor_models() == ()
        assert nobody.factor_fingerprint(object()) is None

    def test_a_class_of_another_kind_is_refused(self, settings):
        settings.TRUSTED_DEVICES = {"MFA": "builtins.dict"}
        with pytest.raises(TypeError, match="BaseMfaProvider"):
            get_provider()


def test_several_factors_of_one_sort_are_told_apart_by_their_names(user, totp, email):
    TOTPDevice.objects.create(user=user, name="tablet", confirmed=True)
    assert {found.label for found in provider.methods(user)} == {
        "Code from your authenticator app: phone",
        "Code from your authenticator app: tablet",
        "Code by e-mail",
    }
