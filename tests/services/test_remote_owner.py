"""Devices that somebody else owns: what becomes of the mirror when they can, and when they cannot, be told."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.db import connection

from tests import factories
from tests.broken_database import broken
from tests.conftest import NOW
from trusted_devices.backends.base import NewDevice
from trusted_devices.backends.local import LocalBackend
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import BackendUnavailable, TrustNotAllowed
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, editing, remembering, trust
from trusted_devices.types import (
    Binding,
    ClientInfo,
    DeviceCredential,
    DeviceStatus,
    Presented,
    ProofState,
    StatusReason,
    TrustReason,
)

DAY = timedelta(days=1)


class Owner(LocalBackend):
    """Somebody elsewhere, who notes what they are told and cannot be reached about the devices in ``unreachable``."""

    is_remote = True
    told: list[tuple[str, str]]
    unreachable: set[str]
    transactions: list[int]

    def _note(self, device, what):
        if device.device_key in self.unreachable:
            raise BackendUnavailable
        self.transactions.append(len(connection.savepoint_ids))
        self.told.append((device.device_key, what))

    def new_device(self):
        return NewDevice(
            device_key=devices.new_device_key(),
            group_key="-ABCDEFGH",
            secret=device_secret.new_secret(),
            binding=Binding.SRP,
        )

    def update_device_status(self, device, status):
        self._note(device, str(status))

    def forget_device(self, device):
        self._note(device, "forgotten")


@pytest.fixture
def owner(settings):
    Owner.told, Owner.unreachable, Owner.transactions = [], set(), []
    settings.TRUSTED_DEVICES = {
        "BACKEND": f"{__name__}.Owner",
        "MFA": "trusted_devices.mfa.otp.OTPProvider",
    }
    return Owner


@pytest.fixture
def make(owner, user):
    """Store devices of ``user`` that prove themselves by SRP, with the credentials that they hold."""

    def make_them(count):
        made = [
            factories.remembered(
                user,
                expires_at=NOW + 60 * DAY,
                binding=Binding.SRP,
                device_group_key="-ABCDEFGH",
                secret_digest=device_secret.digest(f"secret {number}"),
                password_stamp=trust.password_stamp(user),
            )
            for number in range(count)
        ]
        return Device.objects.bulk_create(made)

    return make_them


def held(device, number=0):
    return DeviceCredential(
        user_id=str(device.user_id), device_key=device.device_key, secret=f"secret {number}", generation=0
    )


class TestStoppingTrust:
    def test_the_owner_is_told_of_those_that_were_remembered_alone(self, owner, make):
        first, second = make(2)
        Device.objects.filter(pk=second.pk).update(status=DeviceStatus.NOT_REMEMBERED)
        second.refresh_from_db()
        assert devices.stop_trusting([first, second], reason=StatusReason.USER_STOPPED, now=NOW) == 1
        assert owner.told == [(first.device_key, "not_remembered")]

    def test_what_the_owner_was_told_is_written_and_the_rest_stays_and_is_reported(self, owner, make):
        made = make(3)
        owner.unreachable = {made[1].device_key}
        with pytest.raises(BackendUnavailable):
            devices.stop_trusting(made, reason=StatusReason.USER_STOPPED, now=NOW)
        remembered = Device.objects.order_by("pk").values_list("status", flat=True)
        assert list(remembered) == ["not_remembered", "remembered", "remembered"]

    def test_at_all_costs_it_ends_here_though_nobody_can_be_told(self, owner, make):
        made = make(2)
        owner.unreachable = {device.device_key for device in made}
        stopped = devices.stop_trusting(made, reason=StatusReason.PASSWORD_CHANGED, at_all_costs=True, now=NOW)
        assert stopped == 2
        assert not Device.objects.remembered().exists()


class TestForgetting:
    def test_what_the_owner_forgot_is_gone_and_the_rest_stays_and_is_reported(self, owner, make):
        made = make(3)
        owner.unreachable = {made[2].device_key}
        with pytest.raises(BackendUnavailable):
            devices.forget(made, now=NOW)
        assert list(Device.objects.all()) == [made[2]]
        assert DeviceEvent.objects.filter(action="forgotten").count() == 2

    def test_more_than_a_handful_wait_for_their_turn_in_the_background(self, owner, make, monkeypatch):
        turns = []

        def in_background(self, act, *, user_id):
            turns.append(user_id)
            act()

        monkeypatch.setattr(owner, "in_background", in_background)
        made = make(11)
        devices.forget(made[:5], now=NOW)
        assert turns == []
        devices.forget(made[5:], now=NOW)
        assert turns == [made[0].user_id] * 6
        assert len(owner.told) == 11

    def test_a_device_unknown_to_its_owner_is_lost_here_too(self, owner, make, user):
        [device] = make(1)
        trust.lose(user=user, credential=held(device, 1), client=ClientInfo(), now=NOW)
        assert Device.objects.exists()
        trust.lose(user=user, credential=held(device), client=ClientInfo(), now=NOW)
        assert not Device.objects.exists()
        assert DeviceEvent.objects.get(action="forgotten").note == "unknown to its backend"


class TestTheProofOfADevice:
    @pytest.mark.parametrize(
        ("proof", "reason"),
        [
            (ProofState.NOT_NEEDED, TrustReason.PROOF_MISSING),
            (ProofState.MISSING, TrustReason.PROOF_MISSING),
            (ProofState.FAILED, TrustReason.PROOF_FAILED),
            (ProofState.PASSED, TrustReason.TRUSTED),
        ],
    )
    def test_is_demanded_of_one_that_is_to_give_it(self, make, user, proof, reason):
        [device] = make(1)
        presented = Presented(credential=held(device))
        checked = trust.check(
            user=user, presented=presented, client=ClientInfo(), mfa_active=True, proof=proof, now=NOW
        )
        assert checked.decision.reason is reason

    def test_is_begun_with_what_a_device_in_good_standing_holds(self, make, user):
        [device] = make(1)

        def recalled(secret=0, now=NOW):
            presented = Presented(credential=held(device, secret))
            return trust.recall(user=user, presented=presented, client=ClientInfo(), now=now)

        assert recalled() == held(device)
        assert recalled(secret=1) is None
        assert recalled(now=NOW + 60 * DAY) is None
        Device.objects.update(binding=Binding.COOKIE)
        assert recalled() is None
        assert not DeviceEvent.objects.exists()

    def test_is_not_begun_when_the_database_fails(self, make, user, caplog):
        [device] = make(1)
        presented = Presented(credential=held(device))
        with broken("FROM .trusted_devices_device."):
            assert trust.recall(user=user, presented=presented, client=ClientInfo(), now=NOW) is None
        assert "A device could not be recalled" in caplog.text


class TestTrustingAgain:
    @pytest.fixture
    def again(self, user, verified, client_info, sixty_days):
        def grant(device):
            return trust.grant(
                user=user,
                period=sixty_days,
                verification=verified,
                presented=Presented(credential=held(device)),
                client=client_info,
                now=NOW,
            )

        return grant

    def test_a_device_that_is_given_another_key_takes_the_place_and_the_name_of_its_former_self(
        self, owner, make, again
    ):
        [device] = make(1)
        Device.objects.update(name="Work laptop")
        granted = again(device)
        assert list(Device.objects.all()) == [granted.device]
        assert granted.device.name == "Work laptop"
        assert (device.device_key, "forgotten") in owner.told

    def test_the_trust_stands_though_the_former_self_cannot_be_forgotten(self, owner, make, again, caplog):
        [device] = make(1)
        owner.unreachable = {device.device_key}
        with caplog.at_level(logging.WARNING):
            granted = again(device)
        assert Device.objects.get(pk=granted.device.pk).is_remembered
        assert Device.objects.filter(pk=device.pk).exists()
        assert "could not be forgotten" in caplog.text


class TestEditing:
    """As the API does it: under a condition on what its caller has seen."""

    @pytest.fixture
    def remember(self, totp, verified, user):
        def remember_it(device):
            with editing.unchanged(device, lambda version: True) as stored:
                return remembering.remember(stored, period=30 * DAY, verification=verified, actor=user, now=NOW)

        return remember_it

    def test_the_owner_is_told_while_no_transaction_is_open(self, owner, make, remember):
        [device] = make(1)
        Device.objects.update(status=DeviceStatus.NOT_REMEMBERED)
        assert remember(device).trust_expires_at == NOW + 30 * DAY
        assert owner.told == [(device.device_key, "remembered")]
        with editing.unchanged(device, lambda version: True) as stored:
            devices.forget([stored], now=NOW)
        assert owner.told[1:] == [(device.device_key, "forgotten")]
        assert owner.transactions == [0, 0]

    def test_an_owner_who_cannot_be_told_leaves_the_mirror_alone(self, owner, make, remember):
        [device] = make(1)
        Device.objects.update(status=DeviceStatus.NOT_REMEMBERED)
        owner.unreachable = {device.device_key}
        with pytest.raises(BackendUnavailable):
            remember(device)
        assert not Device.objects.remembered().exists()

    def test_a_copy_that_is_noticed_meanwhile_is_told_to_the_owner_again(self, owner, make, remember, monkeypatch):
        [device] = make(1)
        note = owner._note

        def notice(self, device, what):
            note(self, device, what)
            Device.objects.update(status_reason=StatusReason.COMPROMISED, status=DeviceStatus.NOT_REMEMBERED)

        monkeypatch.setattr(owner, "_note", notice)
        with pytest.raises(TrustNotAllowed):
            remember(device)
        assert [what for _key, what in owner.told] == ["remembered", "not_remembered"]
        assert not Device.objects.remembered().exists()
