"""What this app relies on in extensions: second-factor providers, sign-ins and owners of devices.

The contracts are mixins for a test class of pytest (marked ``django_db``) or for a ``django.test.TestCase``.
"""

from __future__ import annotations

import json
import secrets
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.checks import CheckMessage
from django.db import models
from django.test import RequestFactory
from django.utils import timezone

from trusted_devices import database
from trusted_devices.exceptions import CodeMismatch, InvalidCredentials, SignInExpired, TooManyAttempts, UnknownMethod
from trusted_devices.mfa.base import BaseMfaProvider
from trusted_devices.models import Device
from trusted_devices.owners.base import Change, DeviceOwner
from trusted_devices.signin.base import Conversation, SignInBackend
from trusted_devices.testing import CLIENT, make_device
from trusted_devices.types import ClientInfo, DeviceCredential, DeviceStatus, MfaMethod, MfaVerification, ProofState

DAY = timedelta(days=1)
PASSWORD = "correct horse battery staple"  # noqa: S105 - of users who exist during a test only
MALFORMED_CODES = ("", " ", "0" * 5000, "\x00", "\ud7ff", "½", "no code", "💥")


class _Contract(ABC):
    """What the contracts need to know: users, their factors, and codes."""

    def make_user(self) -> AbstractBaseUser:
        """Return a new stored user with the password ``PASSWORD`` and without a second factor."""
        model: Any = get_user_model()
        unique = uuid.uuid4().hex
        name = f"{unique}@example.com" if model.get_email_field_name() == model.USERNAME_FIELD else unique
        user: AbstractBaseUser = model._default_manager.create_user(**{model.USERNAME_FIELD: name}, password=PASSWORD)
        return user

    @abstractmethod
    def add_factor(self, user: AbstractBaseUser) -> Any:
        """Set up a second factor for ``user`` that earns trust, and return it."""

    @abstractmethod
    def code(self, factor: Any) -> str:
        """Return a code that ``factor`` accepts now."""

    def make_client(self) -> ClientInfo:
        """Return who is at the other end, with a request that authentication backends may look at."""
        return replace(CLIENT, request=RequestFactory().post("/"))

    def wrong_code(self, factor: Any) -> str:
        """Return a well-formed code that ``factor`` does not accept; by default the right one with another end."""
        right = self.code(factor)
        return right[:-1] + ("0" if right[-1] != "0" else "1")


class MfaProviderContract(_Contract):
    """What every second-factor provider must do."""

    @abstractmethod
    def make_provider(self) -> BaseMfaProvider:
        """Return the provider."""

    def test_a_user_without_a_factor_has_no_methods(self) -> None:
        assert list(self.make_provider().methods(self.make_user())) == []

    def test_methods_have_distinct_ids_labels_and_put_recovery_last(self) -> None:
        _, methods = self._user_with_methods()
        assert methods
        assert len({method.id for method in methods}) == len(methods)
        assert all(method.id and method.kind and str(method.label) for method in methods)
        assert [method.recovery for method in methods] == sorted(method.recovery for method in methods)

    def test_the_right_code_is_verified_with_its_factor_and_time(self) -> None:
        user, factor, method = self._user_with_factor()
        now = timezone.now()
        verified = self.make_provider().verify(user, method, self.code(factor), client=self.make_client(), now=now)
        assert verified == MfaVerification(kind=method.kind, factor_id=method.id, at=now, recovery=method.recovery)

    def test_a_wrong_code_is_a_mismatch(self) -> None:
        user, factor, method = self._user_with_factor()
        assert isinstance(self._refusal(user, method, self.wrong_code(factor)), CodeMismatch)

    def test_anything_that_cannot_be_a_code_is_refused_like_a_wrong_one(self) -> None:
        user, _, method = self._user_with_factor()
        for code in MALFORMED_CODES:
            assert isinstance(self._refusal(user, method, code), CodeMismatch | TooManyAttempts)

    def test_a_code_is_good_for_once(self) -> None:
        user, factor, method = self._user_with_factor()
        code = self.code(factor)
        self.make_provider().verify(user, method, code, client=self.make_client(), now=timezone.now())
        assert isinstance(self._refusal(user, method, code), CodeMismatch | TooManyAttempts)

    def test_nobody_uses_the_factor_of_somebody_else(self) -> None:
        _, factor, method = self._user_with_factor()
        stranger = self.make_user()
        assert isinstance(self._refusal(stranger, method, self.code(factor)), CodeMismatch | UnknownMethod)

    def test_an_unknown_method_is_refused(self) -> None:
        user, _, method = self._user_with_factor()
        unknown = MfaMethod(id=f"{method.id}0", kind=method.kind, label="?")
        assert isinstance(self._refusal(user, unknown, "123456"), CodeMismatch | UnknownMethod)

    def test_a_factor_is_known_by_its_fingerprint_and_verifying_does_not_change_it(self) -> None:
        user, factor, method = self._user_with_factor()
        before = self._fingerprints(user)
        if not before:
            return  # no factors in this database
        assert any(fingerprint is not None for fingerprint in before.values())
        self._refusal(user, method, self.wrong_code(factor))
        assert self._fingerprints(user) == before
        another, factor, method = self._user_with_factor()
        before = self._fingerprints(another)
        self.make_provider().verify(another, method, self.code(factor), client=self.make_client(), now=timezone.now())
        assert self._fingerprints(another) == before

    def test_factors_are_models_that_know_their_user(self) -> None:
        for model in self.make_provider().factor_models():
            assert issubclass(model, models.Model)
            assert model._meta.get_field("user").is_relation

    def _user_with_methods(self) -> tuple[AbstractBaseUser, list[MfaMethod]]:
        user = self.make_user()
        self.add_factor(user)
        return user, list(self.make_provider().methods(user))

    def _user_with_factor(self) -> tuple[AbstractBaseUser, Any, MfaMethod]:
        user = self.make_user()
        factor = self.add_factor(user)
        return user, factor, next(iter(self.make_provider().methods(user)))

    def _refusal(self, user: AbstractBaseUser, method: MfaMethod, code: str) -> Exception:
        return _raised(
            lambda: self.make_provider().verify(user, method, code, client=self.make_client(), now=timezone.now()),
            (CodeMismatch, TooManyAttempts, UnknownMethod),
        )

    def _fingerprints(self, user: AbstractBaseUser) -> dict[tuple[str, Any], str | None]:
        provider = self.make_provider()
        return {
            (model._meta.label, factor.pk): provider.factor_fingerprint(factor)
            for model in provider.factor_models()
            for factor in model._default_manager.filter(user=user)
        }


class SignInContract(_Contract):
    """What every sign-in must do, and the conversations that it begins."""

    @abstractmethod
    def make_sign_in(self) -> SignInBackend:
        """Return the sign-in."""

    def credentials(self, user: AbstractBaseUser, password: str = PASSWORD) -> Mapping[str, str]:
        """Return what ``user`` types to sign in."""
        return {"username": user.get_username(), "password": password}

    def make_trusted_device(self, user: AbstractBaseUser) -> DeviceCredential | None:
        """Return what a trusted device of ``user`` holds; ``None`` for a backend that asks for no proof of it."""
        return None

    def test_a_user_without_a_factor_is_asked_for_none(self) -> None:
        user = self.make_user()
        conversation = self._begin(user)
        assert conversation.user == user
        assert not conversation.methods()
        assert not conversation.mfa_active
        assert not self.make_sign_in().methods(user)

    def test_without_a_recalled_device_a_factor_is_due_and_no_proof_has_passed(self) -> None:
        user, _ = self._user_with_factor()
        conversation = self._begin(user)
        assert conversation.user == user
        assert conversation.mfa_active
        assert conversation.methods()
        assert conversation.proof is not ProofState.PASSED
        assert self.make_sign_in().methods(user)

    def test_a_recalled_device_proves_itself_where_the_backend_asks_for_that(self) -> None:
        user, _ = self._user_with_factor()
        held = self.make_trusted_device(user)
        conversation = self._begin(user, held)
        assert conversation.mfa_active
        assert not conversation.device_lost
        assert (conversation.proof, bool(conversation.methods())) == (
            (ProofState.NOT_NEEDED, True) if held is None else (ProofState.PASSED, False)
        )

    def test_a_wrong_password_and_an_unknown_user_are_refused_alike(self) -> None:
        user = self.make_user()
        unknown = {**self.credentials(user), "username": uuid.uuid4().hex}
        for credentials in (self.credentials(user, "wrong"), unknown):
            begin = partial(self.make_sign_in().begin, credentials, client=self.make_client(), recall=lambda _: None)
            assert str(_raised(begin, (InvalidCredentials,))) == ""

    def test_its_state_can_be_stored_and_holds_no_password(self) -> None:
        user, _ = self._user_with_factor()
        assert PASSWORD not in json.dumps(dict(self._begin(user).state))

    def test_a_conversation_goes_on_where_it_was_left(self) -> None:
        user, _ = self._user_with_factor()
        begun = self._begin(user)
        resumed = self._resume(begun)
        assert resumed.user == user
        assert resumed.mfa_active
        assert resumed.methods() == begun.methods()
        assert resumed.new_password is begun.new_password is None

    def test_signed_in_users_verify_again_only_where_it_says_so(self) -> None:
        user, _ = self._user_with_factor()
        sign_in = self.make_sign_in()
        again = partial(sign_in.resume, user, {}, client=self.make_client())
        if sign_in.verifies_anytime:
            assert again().methods()
        else:
            _raised(again, (SignInExpired,))

    def test_the_right_code_is_verified(self) -> None:
        user, factor = self._user_with_factor()
        conversation = self._resume(self._begin(user))
        method = conversation.methods()[0]
        verified = conversation.answer_code(method, self.code(factor))
        assert (verified.kind, verified.factor_id, verified.recovery) == (method.kind, method.id, method.recovery)
        assert abs(timezone.now() - verified.at) < timedelta(minutes=1)

    def test_a_wrong_code_is_a_mismatch(self) -> None:
        user, factor = self._user_with_factor()
        conversation = self._resume(self._begin(user))
        method, code = conversation.methods()[0], self.wrong_code(factor)
        _raised(lambda: conversation.answer_code(method, code), (CodeMismatch,))

    def test_a_new_password_is_taken_only_where_it_was_asked_for(self) -> None:
        user, _ = self._user_with_factor()
        conversation = self._resume(self._begin(user))
        assert conversation.new_password is None
        _raised(lambda: conversation.set_new_password("another " + PASSWORD, {}), (SignInExpired,))

    def test_what_it_leaves_in_the_session_can_be_stored_and_holds_no_password(self) -> None:
        user, factor = self._user_with_factor()
        conversation = self._resume(self._begin(user))
        conversation.answer_code(conversation.methods()[0], self.code(factor))
        assert PASSWORD not in json.dumps(dict(conversation.session_data("")))

    def test_it_reaches_the_owner_of_the_devices(self) -> None:
        user, _ = self._user_with_factor()
        assert isinstance(self._begin(user).owner, DeviceOwner)

    def _begin(self, user: AbstractBaseUser, held: DeviceCredential | None = None) -> Conversation:
        return self.make_sign_in().begin(self.credentials(user), client=self.make_client(), recall=lambda _: held)

    def _resume(self, conversation: Conversation) -> Conversation:
        """Return the conversation as the next request has it."""
        state = json.loads(json.dumps(dict(conversation.state)))
        return self.make_sign_in().resume(conversation.user, state, client=self.make_client())

    def _user_with_factor(self) -> tuple[AbstractBaseUser, Any]:
        user = self.make_user()
        return user, self.add_factor(user)


class DeviceOwnerContract(_Contract):
    """What every owner of devices must do."""

    @abstractmethod
    def make_owner(self) -> DeviceOwner:
        """Return the owner."""

    def make_device(self, user: AbstractBaseUser) -> Device:
        """Return a registered device of ``user``, who has the factor of :meth:`add_factor`; override it for an owner
        that registers devices only within a sign-in."""
        return make_device(user, remembered=False)

    def test_it_has_a_name(self) -> None:
        assert self.make_owner().name

    def test_every_change_is_written_in_a_transaction(self) -> None:
        device = self._device()
        connection = database.connection()
        depth = len(connection.atomic_blocks)
        for change in Change:
            with self.make_owner().changing([device], change) as notified:
                assert len(connection.atomic_blocks) > depth
                assert set(notified) <= {device}

    def test_forgetting_twice_is_no_error(self) -> None:
        device = self._device()
        for _time in range(2):
            with self.make_owner().changing([device], Change.FORGOTTEN) as notified:
                assert list(notified) == [device]

    def test_what_fails_in_the_block_is_passed_on(self) -> None:
        device = self._device()

        def fail() -> None:
            with self.make_owner().changing([device], Change.REMEMBERED):
                raise CodeMismatch

        _raised(fail, (CodeMismatch,))

    def test_a_device_is_held_as_it_is_stored(self) -> None:
        device = self._device()
        with self.make_owner().holding(device) as stored:
            assert stored == device
        with self.make_owner().holding(Device(pk=0)) as stored:
            assert stored is None

    def test_the_sweep_writes_what_is_due(self) -> None:
        device, now = self._device(), timezone.now()
        written: list[Device] = []
        assert not list(self.make_owner().expire_due(written.extend, now=now, batch_size=10))
        # A moment of its own: sweeps claim a device by its key and date, in a cache that may outlive the test.
        ended = now - timedelta(seconds=secrets.randbelow(10**8))
        due = {"status": DeviceStatus.REMEMBERED, "trust_granted_at": ended - DAY, "trust_expires_at": ended}

        def write(devices: Sequence[Device]) -> None:
            written.extend(devices)
            Device.objects.filter(pk=device.pk).update(status=DeviceStatus.NOT_REMEMBERED)

        Device.objects.filter(pk=device.pk).update(**due)
        assert list(self.make_owner().expire_due(write, now=now, batch_size=10)) == [1]
        assert written == [device]

    def test_its_check_tells_of_its_options(self) -> None:
        assert all(isinstance(message, CheckMessage) for message in self.make_owner().check())

    def _device(self) -> Device:
        user = self.make_user()
        self.add_factor(user)
        return self.make_device(user)


def _raised(call: Callable[[], object], expected: tuple[type[Exception], ...]) -> Exception:
    try:
        call()
    except expected as error:
        return error
    raise AssertionError(f"None of {[kind.__name__ for kind in expected]} was raised.")
