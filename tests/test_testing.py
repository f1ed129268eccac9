"""What hosts use in their own tests, and that the contracts notice who does not keep them."""

from __future__ import annotations

import unittest
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import TestCase
from django.utils import timezone
from django_otp import oath
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.exceptions import DeviceNotFound, InvalidCredentials, InvalidPeriod
from trusted_devices.mfa.base import BaseMfaProvider
from trusted_devices.mfa.otp import OTPProvider
from trusted_devices.models import DeviceSession
from trusted_devices.owners.local import LocalOwner
from trusted_devices.owners.remote import RemoteOwner
from trusted_devices.services import devices
from trusted_devices.signin.local import LocalConversation, LocalSignIn
from trusted_devices.testing import force_mfa_login, make_device, trust_device
from trusted_devices.testing.contracts import PASSWORD, DeviceOwnerContract, MfaProviderContract, SignInContract
from trusted_devices.types import By, MfaMethod, MfaVerification, ProofState, VerifiedBy
from trusted_devices.web.session_note import read


class TestMakeDevice:
    def test_it_is_remembered_for_the_default_period(self, user, now):
        device = make_device(user, name="Laptop", now=now)
        assert device.is_remembered
        assert (device.user, device.name, device.trust_expires_at) == (user, "Laptop", now + timedelta(days=60))

    def test_it_is_remembered_for_a_period_that_the_policy_allows(self, user, now):
        assert make_device(user, period=timedelta(days=30), now=now).trust_expires_at == now + timedelta(days=30)
        with pytest.raises(InvalidPeriod):
            make_device(user, period=timedelta(days=31))

    def test_it_is_only_confirmed_where_that_is_wanted(self, user):
        assert not make_device(user, remembered=False).is_remembered

    def test_it_is_stored(self, user):
        assert devices.get(user=user, device_key=make_device(user).device_key)


class TestTrustDevice:
    def test_the_next_sign_in_takes_the_password_only(self, client, user, totp):
        trust_device(client, user)
        response = client.post("/sign-in/", {"username": "maria", "password": "correct horse"})
        assert response.url == "/"
        note = read(client.session, str(user.pk))
        assert note is not None
        assert note.verified_by is VerifiedBy.TRUSTED_DEVICE

    def test_several_users_share_a_browser(self, client, user, other_user, totp):
        TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
        trust_device(client, user)
        trust_device(client, other_user)
        for name, password in (("maria", "correct horse"), ("tom", "battery staple")):
            assert client.post("/sign-in/", {"username": name, "password": password}).url == "/"
            client.post("/sign-out/")

    def test_trusting_again_revives_the_same_device(self, client, user):
        assert trust_device(client, user).pk == trust_device(client, user).pk


class TestForceMfaLogin:
    def test_the_session_counts_as_freshly_verified(self, client, user, totp):
        force_mfa_login(client, user)
        note = read(client.session, str(user.pk))
        assert note is not None
        assert note.is_fresh(max_age=timedelta(minutes=1), now=timezone.now())

    def test_the_providers_own_stack_accepts_it(self, client, user, totp):
        force_mfa_login(client, user)
        assert client.session["otp_device_id"] == totp.persistent_id

    def test_it_works_for_a_user_without_a_factor(self, client, user):
        force_mfa_login(client, user, verified_by=VerifiedBy.PASSWORD)
        note = read(client.session, str(user.pk))
        assert note is not None
        assert not note.passed_mfa

    def test_a_session_on_a_device_ends_with_it(self, client, user):
        device = make_device(user)
        force_mfa_login(client, user, verified_by=VerifiedBy.TRUSTED_DEVICE, device=device)
        assert DeviceSession.objects.get().device == device
        devices.forget([device], by=By())
        assert "_auth_user_id" not in client.session


def _failures(contract, **members):
    """Run a contract as a site's ``TestCase`` would, with some members replaced; return which tests failed, and why."""
    case = type("Case", (contract, TestCase), {"__module__": __name__, **members})
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.testsRun > 6
    return {test.id().rpartition(".")[2]: why for test, why in (*result.failures, *result.errors)}


class _OTP(MfaProviderContract):
    provider: type[BaseMfaProvider] = OTPProvider

    def make_provider(self):
        return self.provider()

    def add_factor(self, user):
        return TOTPDevice.objects.create(user=user, name="phone", confirmed=True)

    def code(self, factor):
        return f"{oath.totp(factor.bin_key):06d}"


class _Gullible(OTPProvider):
    def verify(self, user, method, code, *, client, now):
        return MfaVerification(kind=method.kind, factor_id=method.id, at=now)


class _Replayable(OTPProvider):
    def verify(self, user, method, code, *, client, now):
        TOTPDevice.objects.filter(user=user).update(last_t=-1)
        return super().verify(user, method, code, client=client, now=now)


class _Crashing(OTPProvider):
    def verify(self, user, method, code, *, client, now):
        int(code)
        return super().verify(user, method, code, client=client, now=now)


class _Counting(OTPProvider):
    def factor_fingerprint(self, factor):
        return (factor.key, factor.throttling_failure_count, factor.last_t)


class _Everywhere(OTPProvider):
    def methods(self, user):
        return [MfaMethod(id="same", kind="a", label="A", recovery=True), MfaMethod(id="same", kind="b", label="")]


@pytest.mark.django_db
class TestProviderContract:
    def test_it_runs_in_djangos_test_case(self):
        assert _failures(_OTP) == {}

    @pytest.mark.parametrize(
        ("provider", "expected"),
        [
            (_Gullible, "test_a_wrong_code_is_a_mismatch"),
            (_Gullible, "test_nobody_uses_the_factor_of_somebody_else"),
            (_Gullible, "test_an_unknown_method_is_refused"),
            (_Replayable, "test_a_code_is_good_for_once"),
            (_Crashing, "test_anything_that_cannot_be_a_code_is_refused_like_a_wrong_one"),
            (_Counting, "test_a_factor_is_known_by_its_fingerprint_and_verifying_does_not_change_it"),
            (_Everywhere, "test_a_user_without_a_factor_has_no_methods"),
            (_Everywhere, "test_methods_have_distinct_ids_labels_and_put_recovery_last"),
        ],
    )
    def test_it_notices_a_provider_that_does_not_keep_it(self, provider, expected):
        assert expected in _failures(_OTP, provider=provider)

    def test_a_provider_without_models_of_its_own_keeps_it(self):
        class Elsewhere(OTPProvider):
            def factor_models(self):
                return ()

        assert _failures(_OTP, provider=Elsewhere) == {}


class _SignIn(SignInContract):
    sign_in: type[LocalSignIn] = LocalSignIn

    def make_sign_in(self):
        return self.sign_in()

    add_factor, code = _OTP.add_factor, _OTP.code


def _conversing(**members):
    """Return a sign-in whose conversations have other members."""
    conversation = type("Conversation", (LocalConversation,), members)
    return type("SignIn", (LocalSignIn,), {"conversation_class": conversation})


def _any_code(self, method, code):
    return MfaVerification(kind=method.kind, factor_id=method.id, at=timezone.now())


class _Telling(LocalSignIn):
    def begin(self, credentials, *, client, recall):
        try:
            return super().begin(credentials, client=client, recall=recall)
        except InvalidCredentials:
            raise InvalidCredentials(f"{credentials['username']} has another password") from None


class _Forgetful(LocalSignIn):
    def resume(self, user, state, *, client, credential=None):
        return super().resume(get_user_model()(), state, client=client)


class _Reluctant(LocalSignIn):
    verifies_anytime = False


_Leaking = _conversing(state={"typed": PASSWORD})
_Lenient = _conversing(proof=ProofState.PASSED, methods=lambda self: ())
_Trusting = _conversing(answer_code=_any_code)
_Obliging = _conversing(set_new_password=lambda self, password, attributes: self)
_Revealing = _conversing(session_data=lambda self, device_key: {"password": PASSWORD})
_Homeless = _conversing(owner=None)


@pytest.mark.django_db
class TestSignInContract:
    def test_it_runs_in_djangos_test_case(self):
        assert _failures(_SignIn) == {}

    @pytest.mark.parametrize(
        ("sign_in", "expected"),
        [
            (_Leaking, "test_its_state_can_be_stored_and_holds_no_password"),
            (_Telling, "test_a_wrong_password_and_an_unknown_user_are_refused_alike"),
            (_Lenient, "test_without_a_recalled_device_a_factor_is_due_and_no_proof_has_passed"),
            (_Lenient, "test_a_recalled_device_proves_itself_where_the_backend_asks_for_that"),
            (_Trusting, "test_a_wrong_code_is_a_mismatch"),
            (_Forgetful, "test_a_conversation_goes_on_where_it_was_left"),
            (_Reluctant, "test_signed_in_users_verify_again_only_where_it_says_so"),
            (_Obliging, "test_a_new_password_is_taken_only_where_it_was_asked_for"),
            (_Revealing, "test_what_it_leaves_in_the_session_can_be_stored_and_holds_no_password"),
            (_Homeless, "test_it_reaches_the_owner_of_the_devices"),
        ],
    )
    def test_it_notices_a_sign_in_that_does_not_keep_it(self, sign_in, expected):
        assert expected in _failures(_SignIn, sign_in=sign_in)


class _Owner(DeviceOwnerContract):
    owner = LocalOwner

    def make_owner(self):
        return self.owner()

    add_factor, code = _OTP.add_factor, _OTP.code


class _Remote(RemoteOwner):
    """Does nothing, and well."""

    name = "remote"

    def confirm_device(self, device):
        pass

    def update_device_status(self, device, status):
        pass

    def forget_device(self, device):
        pass


class _Touchy(_Remote):
    gone: set[str] = set()

    def forget_device(self, device):
        if device.device_key in self.gone:
            raise DeviceNotFound
        self.gone.add(device.device_key)


class _Hasty(LocalOwner):
    @contextmanager
    def changing(self, devices, change):
        yield devices


class _Lazy(LocalOwner):
    def expire_due(self, write, *, now, batch_size):
        yield 1


@pytest.mark.django_db
class TestOwnerContract:
    @pytest.mark.parametrize("owner", [LocalOwner, _Remote])
    def test_it_runs_in_djangos_test_case(self, owner):
        assert _failures(_Owner, owner=owner) == {}

    @pytest.mark.parametrize(
        ("owner", "expected"),
        [
            (_Touchy, "test_forgetting_twice_is_no_error"),
            (_Hasty, "test_every_change_is_written_in_a_transaction"),
            (_Lazy, "test_the_sweep_writes_what_is_due"),
        ],
    )
    def test_it_notices_an_owner_that_does_not_keep_it(self, owner, expected):
        assert expected in _failures(_Owner, owner=owner)


def test_the_users_of_the_contracts_have_a_known_password_and_differ(db):
    users = [_OTP().make_user() for _ in range(2)]
    assert all(user.check_password(PASSWORD) for user in users)
    assert users[0] != users[1]
