"""Devices that somebody else owns: what becomes of the mirror when they can, and when they cannot, be told."""

import logging
from datetime import timedelta

import pytest
from django.db import Error

from tests import factories
from tests.broken_database import broken
from tests.bundled import bundled
from tests.conftest import NOW
from tests.services.owner import GivesKeys
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import AlreadyAnswered, BackendUnavailable, TrustNotAllowed
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.services import (
    comparison,
    devices,
    granting,
    registration,
    remembering,
    stamps,
    trust,
    versions,
)
from trusted_devices.types import (
    Binding,
    By,
    ClientInfo,
    DeviceCredential,
    DeviceStatus,
    NewDevice,
    Presented,
    ProofState,
    StatusReason,
    TrackingMode,
    TrustReason,
)

DAY = timedelta(days=1)


@pytest.fixture
def owner(settings):
    GivesKeys.forget_everything()
    settings.TRUSTED_DEVICES = {
        "BACKEND": "tests.services.owner.GIVES_KEYS",
        "MFA": "trusted_devices.mfa.otp.OTPProvider",
    }
    return GivesKeys


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
                credential_stamp=stamps.current(user),
            )
            for number in range(count)
        ]
        return Device.objects.bulk_create(made)

    return make_them


@pytest.fixture
def after_commit(django_capture_on_commit_callbacks):
    """Hold back what is done once a transaction has committed; ``execute`` it in the end."""
    return django_capture_on_commit_callbacks


@pytest.fixture
def grant(owner, user, verified, client_info, sixty_days):
    """Let ``user``, who presents nothing unless told otherwise, trust a device."""

    def grant_it(**changes):
        arguments = {
            "user": user,
            "period": sixty_days,
            "verification": verified,
            "presented": Presented(),
            "client": client_info,
            "now": NOW,
        }
        return granting.grant(**bundled(arguments | changes, choice=True))

    return grant_it


def unavailable(*_arguments):
    raise BackendUnavailable


def held(device, number=0):
    return DeviceCredential(
        user_id=str(device.user_id), device_key=device.device_key, secret=f"secret {number}", generation=0
    )


class TestStoppingTrust:
    def test_the_owner_is_told_of_those_that_were_remembered_alone(self, owner, make):
        first, second = make(2)
        Device.objects.filter(pk=second.pk).update(status=DeviceStatus.NOT_REMEMBERED)
        second.refresh_from_db()
        assert devices.stop_trusting([first, second], reason=StatusReason.USER_STOPPED, by=By(at=NOW)) == 1
        assert owner.told == [(first.device_key, "not_remembered")]

    def test_what_the_owner_was_told_is_written_and_the_rest_stays_and_is_reported(self, owner, make):
        made = make(3)
        owner.away.add(made[1].device_key)
        with pytest.raises(BackendUnavailable):
            devices.stop_trusting(made, reason=StatusReason.USER_STOPPED, by=By(at=NOW))
        remembered = Device.objects.order_by("pk").values_list("status", flat=True)
        assert list(remembered) == ["not_remembered", "remembered", "remembered"]

    def test_at_all_costs_it_ends_here_though_nobody_can_be_told(self, owner, make, after_commit):
        made = make(2)
        owner.away.update(device.device_key for device in made)
        with after_commit(execute=True):
            stopped = devices.stop_at_all_costs(made, reason=StatusReason.PASSWORD_CHANGED, by=By(at=NOW))
        assert stopped == 2
        assert not Device.objects.remembered().exists()

    def test_at_all_costs_the_owner_is_told_once_it_is_certain(self, owner, make, after_commit):
        first, second = make(2)
        Device.objects.filter(pk=second.pk).update(status=DeviceStatus.NOT_REMEMBERED)
        with after_commit() as waiting:
            devices.end_trust(user=first.user, reason=StatusReason.MFA_CHANGED, end_sessions=True, by=By(at=NOW))
            assert owner.told == []
        for tell in waiting:
            tell()
        assert owner.told == [(first.device_key, "not_remembered")]


class TestForgetting:
    def test_what_the_owner_forgot_is_gone_and_the_rest_stays_and_is_reported(self, owner, make):
        made = make(3)
        owner.away.add(made[2].device_key)
        with pytest.raises(BackendUnavailable):
            devices.forget(made, by=By(at=NOW))
        assert list(Device.objects.all()) == [made[2]]
        assert DeviceEvent.objects.filter(action="forgotten").count() == 2

    def test_more_than_a_handful_wait_for_their_turn_in_the_background(self, owner, make):
        made = make(11)
        devices.forget(made[:5], by=By(at=NOW))
        assert owner.turns == []
        devices.forget(made[5:], by=By(at=NOW))
        assert owner.turns == [made[0].user_id] * 6
        assert len(owner.told) == 11

    def test_a_device_unknown_to_its_owner_is_lost_here_too(self, owner, make, user):
        [device] = make(1)
        trust.lose(user=user, credential=held(device, 1), by=By(client=ClientInfo(), at=NOW))
        assert Device.objects.exists()
        trust.lose(user=user, credential=held(device), by=By(client=ClientInfo(), at=NOW))
        assert not Device.objects.exists()
        assert DeviceEvent.objects.get(action="forgotten").note == "unknown to its backend"

    def test_a_device_unknown_to_its_owner_keeps_nobody_out_when_they_are_away(self, owner, make, user, caplog):
        [device] = make(1)
        owner.away.add(device.device_key)
        trust.lose(user=user, credential=held(device), by=By(client=ClientInfo(), at=NOW))
        assert f"Device {device.device_key} is unknown to its backend and could not be forgotten." in caplog.text
        assert Device.objects.exists()


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
            user=user, presented=presented, mfa_active=True, proof=proof, by=By(client=ClientInfo(), at=NOW)
        )
        assert checked.decision.reason is reason

    def test_is_begun_with_what_a_device_in_good_standing_holds(self, make, user):
        [device] = make(1)

        def recalled(secret=0, now=NOW):
            presented = Presented(credential=held(device, secret))
            return trust.recall(user=user, presented=presented, by=By(client=ClientInfo(), at=now))

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
            assert trust.recall(user=user, presented=presented, by=By(client=ClientInfo(), at=NOW)) is None
        assert "A device could not be recalled" in caplog.text


class TestTrustingAgain:
    @pytest.fixture
    def again(self, grant):
        return lambda device: grant(presented=Presented(credential=held(device)))

    def test_a_device_with_another_key_takes_the_name_of_its_former_self(self, owner, make, again):
        [device] = make(1)
        Device.objects.update(name="Work laptop")
        granted = again(device)
        assert list(Device.objects.all()) == [granted.device]
        assert granted.device.name == "Work laptop"
        assert (device.device_key, "forgotten") in owner.told

    def test_a_device_from_before_they_owned_it_takes_part_in_that_as_well(self, owner, make, again):
        [device] = make(1)
        Device.objects.update(name="Work laptop", binding=Binding.COOKIE)
        granted = again(device)
        assert list(Device.objects.all()) == [granted.device]
        assert (granted.device.name, granted.device.binding) == ("Work laptop", Binding.SRP)

    def test_the_trust_stands_though_the_former_self_cannot_be_forgotten(self, owner, make, again, caplog):
        [device] = make(1)
        owner.away.add(device.device_key)
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
            with versions.unchanged(device, lambda version: True) as stored:
                return remembering.remember(stored, period=30 * DAY, verification=verified, by=By(actor=user, at=NOW))

        return remember_it

    def test_the_owner_is_told_while_no_transaction_is_open(self, owner, make, remember):
        [device] = make(1)
        Device.objects.update(status=DeviceStatus.NOT_REMEMBERED)
        assert remember(device).trust_expires_at == NOW + 30 * DAY
        assert owner.told == [(device.device_key, "remembered")]
        with versions.unchanged(device, lambda version: True) as stored:
            devices.forget([stored], by=By(at=NOW))
        assert owner.told[1:] == [(device.device_key, "forgotten")]

    def test_an_owner_who_cannot_be_told_leaves_the_mirror_alone(self, owner, make, remember):
        [device] = make(1)
        Device.objects.update(status=DeviceStatus.NOT_REMEMBERED)
        owner.away.add(device.device_key)
        with pytest.raises(BackendUnavailable):
            remember(device)
        assert not Device.objects.remembered().exists()

    def test_a_copy_that_is_noticed_meanwhile_is_told_to_the_owner_again(self, owner, make, remember):
        [device] = make(1)
        compromised = {"status_reason": StatusReason.COMPROMISED, "status": DeviceStatus.NOT_REMEMBERED}
        owner.meanwhile.append(lambda: Device.objects.update(**compromised))
        with pytest.raises(TrustNotAllowed):
            remember(device)
        assert [what for _key, what in owner.told] == ["remembered", "not_remembered"]
        assert not Device.objects.remembered().exists()

    def test_what_the_database_refuses_is_taken_back_from_the_owner(self, owner, make, remember):
        [device] = make(1)
        Device.objects.update(status=DeviceStatus.NOT_REMEMBERED)
        with broken("^INSERT INTO .trusted_devices_deviceevent"), pytest.raises(Error):
            remember(device)
        assert [what for _key, what in owner.told] == ["remembered", "not_remembered"]
        assert not Device.objects.remembered().exists()


class TestGranting:
    @pytest.fixture
    def unwilling(self, owner, monkeypatch):
        """They confirm, and do not answer any more when it comes to remembering."""
        monkeypatch.setattr(owner, "update_device_status", unavailable)

    def test_the_owner_confirms_and_remembers_before_the_mirror_says_so(self, owner, grant, monkeypatch):
        asked, seen = owner._asked, []

        def look(self, about):
            asked(self, about)
            seen.append(Device.objects.count())

        monkeypatch.setattr(owner, "_asked", look)
        device = grant().device
        assert owner.told == [(device.device_key, "confirmed"), (device.device_key, "remembered")]
        assert seen == [0, 0]
        assert Device.objects.get().is_remembered

    def test_a_device_that_is_not_remembered_there_is_forgotten_there(self, owner, grant, unwilling, user):
        with pytest.raises(BackendUnavailable):
            grant()
        assert [what for _key, what in owner.told] == ["confirmed", "forgotten"]
        assert (Device.objects.count(), DeviceEvent.objects.count(), owner.owned[user.pk]) == (0, 0, {})

    def test_one_that_cannot_be_forgotten_there_either_is_named_in_the_log(
        self, owner, grant, unwilling, monkeypatch, caplog
    ):
        monkeypatch.setattr(owner, "forget_device", unavailable)
        owner.keys.append("eu-central-1_the-sign-in")
        with pytest.raises(BackendUnavailable):
            grant()
        assert not Device.objects.exists()
        assert "Device eu-central-1_the-sign-in is left over at its owner" in caplog.text

    @pytest.mark.parametrize("pattern", ["^INSERT", "^INSERT INTO .trusted_devices_deviceevent"])
    def test_a_device_that_cannot_be_written_is_forgotten_there(self, owner, grant, user, pattern):
        with broken(pattern), pytest.raises(Exception, match=r"no_such_table|nothing"):
            grant()
        assert [what for _key, what in owner.told] == ["confirmed", "remembered", "forgotten"]
        assert (Device.objects.count(), owner.owned[user.pk]) == (0, {})

    def test_a_question_that_was_answered_is_not_put_to_the_owner(self, owner, grant):
        grant(grant_id="one")
        before = list(owner.told)
        with pytest.raises(AlreadyAnswered):
            grant(grant_id="one")
        assert owner.told == before

    def test_of_two_answers_at_once_the_later_takes_back_its_own_device_alone(self, owner, grant, user):
        owner.meanwhile.append(lambda: grant(grant_id="one"))
        with pytest.raises(AlreadyAnswered):
            grant(grant_id="one")
        device = Device.objects.get()
        assert device.is_remembered
        assert list(owner.owned[user.pk]) == [device.device_key]

    @pytest.mark.parametrize("confirms_again", [False, True])
    def test_of_two_answers_with_one_key_the_later_takes_nothing_back(
        self, owner, grant, user, monkeypatch, confirms_again
    ):
        if confirms_again:
            monkeypatch.setattr(owner, "confirm_device", lambda self, device: self._asked(device.device_key))
        owner.keys += ["eu-central-1_the-sign-in"] * 2
        owner.meanwhile.append(lambda: grant(grant_id="one"))
        with pytest.raises(AlreadyAnswered):
            grant(grant_id="one")
        assert Device.objects.get().is_remembered
        assert "forgotten" not in [what for _key, what in owner.told]


class TestTheLimit:
    @pytest.fixture(autouse=True)
    def _three(self, owner, settings):
        settings.TRUSTED_DEVICES |= {"MAX_DEVICES_PER_USER": 3}

    def test_the_longest_unused_is_forgotten_there_and_here(self, owner, make, grant):
        made = make(3)
        Device.objects.filter(pk=made[1].pk).update(last_authenticated_at=None)
        device = grant().device
        assert owner.told[2:] == [(made[1].device_key, "forgotten")]
        assert set(Device.objects.all()) == {made[0], made[2], device}

    def test_a_device_that_is_only_confirmed_is_not_itself_too_many(self, make, user, client_info):
        make(3)
        Device.objects.update(created_at=NOW - DAY)
        device, _credential = registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert Device.objects.filter(pk=device.pk).exists()
        assert Device.objects.count() == 3

    def test_nobody_has_to_go_for_a_device_that_is_not_to_be(self, owner, make, grant):
        made = make(3)
        owner.away.add("eu-central-1_the-sign-in")
        owner.keys.append("eu-central-1_the-sign-in")
        with pytest.raises(BackendUnavailable):
            grant()
        assert (list(Device.objects.order_by("pk")), owner.told) == (made, [])

    @pytest.mark.parametrize(("away", "pattern"), [(True, "^nothing"), (False, "^DELETE")], ids=["owner", "database"])
    def test_what_keeps_a_device_from_being_forgotten_keeps_none_from_being_trusted(
        self, owner, make, grant, caplog, away, pattern
    ):
        made = make(3)
        owner.away.update(device.device_key for device in made if away)
        with broken(pattern):
            assert grant().device.is_remembered
        assert Device.objects.count() == 4
        assert f"User {made[0].user_id} has too many devices until there is another" in caplog.text
        owner.away.clear()
        grant(now=NOW + DAY)
        assert Device.objects.count() == 3


class TestTheAlarm:
    def test_the_owner_is_told_once_it_is_raised(self, owner, make, after_commit):
        [device] = make(1)
        for _ in range(2):
            with after_commit(execute=True):
                devices.mark_compromised(device, by=By(client=ClientInfo(), at=NOW))
        assert owner.told == [(device.device_key, "not_remembered")]

    def test_an_owner_who_could_not_be_told_is_told_by_comparing(self, owner, make, user, after_commit):
        CognitoUser.objects.create(user=user, sub="sub-maria")
        [device] = make(1)
        Device.objects.update(binding=Binding.COOKIE)
        owner.has(device)
        owner.away.add(device.device_key)
        with after_commit(execute=True):
            devices.mark_compromised(device, by=By(client=ClientInfo(), at=NOW))
        assert Device.objects.get().status_reason == StatusReason.COMPROMISED
        owner.away.clear()
        [compared] = comparison.compare(since=NOW, now=NOW + DAY)
        assert compared.drift == {device.device_key: comparison.Drift.REMEMBERED_THERE_ONLY}
        assert owner.told == [(device.device_key, "not_remembered")]


class TestAPoolOfTheSite:
    """Devices that prove a password to this site, while another owns them."""

    POOL = UserPool(tracking=TrackingMode.ALWAYS)

    @pytest.fixture
    def confirm(self, user, verified, client_info):
        def confirm_it(tracking):
            return registration.confirm_as(
                NewDevice(
                    device_key="eu-central-1_the-sign-in",
                    group_key="-ABCDEFGH",
                    binding=Binding.SRP,
                    srp_salt=b"\x05",
                    srp_verifier=b"\x07",
                ),
                user=user,
                name="Pixel 9",
                verification=verified,
                policy=PoolPolicy(UserPool(tracking=tracking)),
                by=By(client=client_info, at=NOW),
            )

        return confirm_it

    @pytest.fixture
    def common(self, user, verified, client_info):
        by = By(actor=user, client=client_info, at=NOW)
        return {"verification": verified, "policy": PoolPolicy(self.POOL), "by": by}

    def test_they_are_told_of_a_device_that_is_confirmed_and_remembered_at_once(self, owner, confirm):
        device = confirm(TrackingMode.ALWAYS)
        assert [what for _key, what in owner.told] == ["confirmed", "remembered"]
        assert Device.objects.get().trust_expires_at == device.trust_expires_at > NOW

    def test_they_are_told_of_a_device_that_is_remembered_later(self, owner, confirm, common):
        device = confirm(TrackingMode.OPT_IN)
        remembering.update_status(device, DeviceStatus.REMEMBERED, **common)
        remembering.renew(device, **common)
        assert [what for _key, what in owner.told] == ["confirmed", "remembered", "remembered"]

    def test_a_device_that_may_not_be_remembered_there_is_not_here(self, owner, confirm, common):
        device = confirm(TrackingMode.OPT_IN)
        owner.away.add(device.device_key)
        with pytest.raises(BackendUnavailable):
            remembering.update_status(device, DeviceStatus.REMEMBERED, **common)
        with pytest.raises(BackendUnavailable):
            remembering.renew(device, **common)
        assert not Device.objects.remembered().exists()
