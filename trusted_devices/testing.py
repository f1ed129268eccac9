"""For the tests of sites and extensions: trusted devices and verified sessions without the way there, and contracts.

The contracts are mixins for a test class of pytest (marked ``django_db``) or for a ``django.test.TestCase``. They say
what this app relies on in a second-factor provider and in a backend.
"""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage
from django.db import connection, models
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone

from trusted_devices import cookies
from trusted_devices.backends.base import BaseDeviceBackend, FirstFactor
from trusted_devices.exceptions import CodeMismatch, InvalidCredentials, SignInExpired, TooManyAttempts, UnknownMethod
from trusted_devices.mfa import get_provider
from trusted_devices.mfa.base import BaseMfaProvider
from trusted_devices.models import Device
from trusted_devices.owners.base import Change, DeviceOwner
from trusted_devices.services import granting, registration, sessions, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import (
    By,
    ClientInfo,
    DeviceCredential,
    DeviceStatus,
    MfaMethod,
    MfaVerification,
    Presented,
    ProofState,
    VerifiedBy,
)
from trusted_devices.web import logins

CLIENT = ClientInfo(ip_address="192.0.2.1", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")
"""Whom the helpers take to be at the other end: Firefox at an address that documentation uses."""
DAY = timedelta(days=1)
PASSWORD = "correct horse battery staple"  # noqa: S105 - of users who exist during a test only
MALFORMED_CODES = ("", " ", "0" * 5000, "\x00", "\ud7ff", "½", "no code", "💥")


def make_device(
    user: Any,
    *,
    remembered: bool = True,
    period: timedelta | None = None,
    name: str = "",
    client: ClientInfo = CLIENT,
    now: datetime | None = None,
) -> Device:
    """Return a new device of ``user``, remembered for ``period`` (the policy's default) or only confirmed.

    Raises ``InvalidPeriod`` and ``TrustNotAllowed`` as the site's policy says.
    """
    if remembered:
        return _grant(user, Presented(), period, name, client, now).device
    return registration.confirm(user=user, name=name, by=By(client=client, at=now or timezone.now()))[0]


def trust_device(
    client: Client, user: Any, *, period: timedelta | None = None, name: str = "", now: datetime | None = None
) -> Device:
    """Let ``user`` trust the browser that ``client`` stands for; its next sign-in takes the password only.

    Raises ``InvalidPeriod`` and ``TrustNotAllowed`` as the site's policy says.
    """
    held = client.cookies.get(cookies.name())
    cookie = cookies.load(held.value if held else None)
    granted = _grant(user, cookie.present(str(user.pk)), period, name, CLIENT, now)
    client.cookies[cookies.name()] = cookies.dump(cookie.put(granted.credential))
    return granted.device


def force_mfa_login(
    client: Client, user: Any, *, by: VerifiedBy = VerifiedBy.MFA, device: Device | None = None
) -> None:
    """Sign ``user`` in as if they had just passed a second factor, or whatever ``by`` says, on ``device`` if given."""
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    request.user = user
    session_key = logins.note_verification(request, user, by=by, device=device)
    if device is not None:
        sessions.attach(device=device, session_key=session_key, now=timezone.now())
    provider = get_provider()
    method = next(iter(provider.methods(user)), None)
    if by is VerifiedBy.MFA and method is not None:
        provider.on_verified(request, user, _verification(method, timezone.now()))
    request.session.save()


def _grant(
    user: Any, presented: Presented, period: timedelta | None, name: str, client: ClientInfo, now: datetime | None
) -> granting.Grant:
    verification = MfaVerification(kind="testing", factor_id="testing", at=now or timezone.now())
    if period is None:
        offer = trust.offer(user=user, verification=verification, client=client)
        period = offer.default if offer else timedelta(days=60)
    return granting.grant(
        user=user,
        verification=verification,
        presented=presented,
        choice=TrustChoice(period=period, name=name),
        by=By(client=client, at=now or timezone.now()),
    )


def _verification(method: MfaMethod, now: datetime) -> MfaVerification:
    return MfaVerification(kind=method.kind, factor_id=method.id, at=now, recovery=method.recovery)


class _Contract(ABC):
    """What both contracts need to know."""

    def make_user(self) -> Any:
        """Return a new stored user with the password ``PASSWORD`` and without a second factor."""
        model: Any = get_user_model()
        unique = uuid.uuid4().hex
        name = f"{unique}@example.com" if model.get_email_field_name() == model.USERNAME_FIELD else unique
        return model._default_manager.create_user(**{model.USERNAME_FIELD: name}, password=PASSWORD)

    @abstractmethod
    def add_factor(self, user: Any) -> Any:
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
        assert verified == _verification(method, now)

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
            return  # nothing that this database could tell of
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

    def _user_with_methods(self) -> tuple[Any, list[MfaMethod]]:
        user = self.make_user()
        self.add_factor(user)
        return user, list(self.make_provider().methods(user))

    def _user_with_factor(self) -> tuple[Any, Any, MfaMethod]:
        user = self.make_user()
        factor = self.add_factor(user)
        return user, factor, next(iter(self.make_provider().methods(user)))

    def _refusal(self, user: Any, method: MfaMethod, code: str) -> Exception:
        return _raised(
            lambda: self.make_provider().verify(user, method, code, client=self.make_client(), now=timezone.now()),
            (CodeMismatch, TooManyAttempts, UnknownMethod),
        )

    def _fingerprints(self, user: Any) -> dict[tuple[str, Any], tuple[object, ...] | None]:
        provider = self.make_provider()
        return {
            (model._meta.label, factor.pk): provider.factor_fingerprint(factor)
            for model in provider.factor_models()
            for factor in model._default_manager.filter(user=user)
        }


class DeviceBackendContract(_Contract):
    """What every backend must do."""

    @abstractmethod
    def make_backend(self) -> BaseDeviceBackend:
        """Return the backend."""

    def credentials(self, user: Any, password: str = PASSWORD) -> Mapping[str, str]:
        """Return what ``user`` types to sign in."""
        return {"username": user.get_username(), "password": password}

    def make_device(self, user: Any) -> Device:
        """Return a confirmed device of ``user``, who has the factor of :meth:`add_factor`; override it for a backend
        that confirms devices only within a sign-in."""
        return make_device(user, remembered=False)

    def make_trusted_device(self, user: Any) -> DeviceCredential | None:
        """Return what a trusted device of ``user`` holds; ``None`` for a backend that asks for no proof of it."""
        return None

    def test_it_has_a_name(self) -> None:
        assert self.make_backend().name

    def test_a_user_without_a_factor_is_asked_for_none(self) -> None:
        user = self.make_user()
        first = self._first_factor(user)
        assert first.user == user
        assert not first.methods
        assert not first.mfa_active
        assert not self.make_backend().methods(user)

    def test_without_a_recalled_device_a_factor_is_due_and_no_proof_has_passed(self) -> None:
        user = self.make_user()
        self.add_factor(user)
        first = self._first_factor(user)
        assert first.user == user
        assert first.mfa_active
        assert first.methods
        assert first.proof is not ProofState.PASSED

    def test_a_recalled_device_proves_itself_where_the_backend_asks_for_that(self) -> None:
        user = self.make_user()
        self.add_factor(user)
        held = self.make_trusted_device(user)
        first = self._first_factor(user, held)
        assert first.mfa_active
        assert (first.proof, bool(first.methods)) == (
            (ProofState.NOT_NEEDED, True) if held is None else (ProofState.PASSED, False)
        )

    def test_a_wrong_password_and_an_unknown_user_are_refused_alike(self) -> None:
        user = self.make_user()
        unknown = {**self.credentials(user), "username": uuid.uuid4().hex}
        for credentials in (self.credentials(user, "wrong"), unknown):
            sign_in = partial(
                self.make_backend().first_factor,
                credentials=credentials,
                client=self.make_client(),
                recall=lambda _: None,
            )
            assert str(_raised(sign_in, (InvalidCredentials,))) == ""

    def test_its_state_can_be_stored_and_holds_no_password(self) -> None:
        user = self.make_user()
        self.add_factor(user)
        assert PASSWORD not in json.dumps(dict(self._first_factor(user).state))

    def test_the_right_code_is_verified(self) -> None:
        user = self.make_user()
        factor = self.add_factor(user)
        first = self._first_factor(user)
        method = first.methods[0]
        backend = self.make_backend()
        verified = backend.second_factor(user, method, self.code(factor), state=first.state, client=self.make_client())
        assert (verified.kind, verified.factor_id, verified.recovery) == (method.kind, method.id, method.recovery)
        assert abs(timezone.now() - verified.at) < timedelta(minutes=1)

    def test_a_wrong_code_is_a_mismatch(self) -> None:
        user = self.make_user()
        factor = self.add_factor(user)
        first = self._first_factor(user)
        _raised(
            lambda: self.make_backend().second_factor(
                user, first.methods[0], self.wrong_code(factor), state=first.state, client=self.make_client()
            ),
            (CodeMismatch,),
        )

    def test_a_new_password_is_taken_only_where_it_was_asked_for(self) -> None:
        user = self.make_user()
        self.add_factor(user)
        state = self._first_factor(user).state
        backend = self.make_backend().during(state)
        assert backend.asks_new_password() is None
        new_password = partial(
            backend.new_password,
            user,
            "another " + PASSWORD,
            {},
            state=state,
            client=self.make_client(),
        )
        _raised(new_password, (SignInExpired,))

    def _first_factor(self, user: Any, held: DeviceCredential | None = None) -> FirstFactor:
        return self.make_backend().first_factor(
            credentials=self.credentials(user), client=self.make_client(), recall=lambda _: held
        )


class DeviceOwnerContract(_Contract):
    """What every owner of devices must do."""

    @abstractmethod
    def make_owner(self) -> DeviceOwner:
        """Return the owner."""

    def make_device(self, user: Any) -> Device:
        """Return a registered device of ``user``, who has the factor of :meth:`add_factor`; override it for an owner
        that registers devices only within a sign-in."""
        return make_device(user, remembered=False)

    def test_it_has_a_name(self) -> None:
        assert self.make_owner().name

    def test_every_change_is_written_in_a_transaction(self) -> None:
        device = self._device()
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
        due = {"status": DeviceStatus.REMEMBERED, "trust_granted_at": now - DAY, "trust_expires_at": now}

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


def _raised(call: Any, expected: tuple[type[Exception], ...]) -> Exception:
    try:
        call()
    except expected as error:
        return error
    raise AssertionError(f"None of {[kind.__name__ for kind in expected]} was raised.")
