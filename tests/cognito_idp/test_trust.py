"""What devices earn over the wire, by the same policy and expiry as behind every other door."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.factories import make_client, make_pool
from tests.cognito_idp.wire import App, Refused, Wire
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.crypto.verifier import make_device_secret
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.policy import TrustPolicy
from trusted_devices.services import devices, expiry, standings
from trusted_devices.types import By, StatusReason

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROOF, CODE = "DEVICE_SRP_AUTH", "SOFTWARE_TOKEN_MFA"


class Risky(TrustPolicy):
    """Sees a risk in one network."""

    def at_risk(self, user, device, client):
        return client.ip_address == "198.51.100.9"


class Unsure(TrustPolicy):
    """Cannot tell."""

    def at_risk(self, user, device, client):
        raise ConnectionError


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as travelling:
        yield travelling


def asked(app):
    """What a sign-in by password is asked for next."""
    return app.password_sign_in()["ChallengeName"]


def app_of(wire, user, **pool):
    return App(wire, make_client(make_pool(**pool)), user.get_username(), "correct horse")


@pytest.mark.parametrize(
    ("tracking", "skip", "necessary", "remembered_at_once", "then"),
    [
        ("always", False, False, True, CODE),
        ("always", True, False, True, PROOF),
        ("opt_in", False, True, False, CODE),
        ("opt_in", True, True, False, PROOF),
    ],
)
def test_the_four_rows_of_device_configuration(
    wire,
    user,
    totp,
    tracking,
    skip,
    necessary,
    remembered_at_once,
    then,
):
    app = app_of(wire, user, tracking=tracking, challenge_required_on_new_device=skip)
    app.sign_in(totp)
    assert app.confirm() is necessary
    assert Device.objects.get().is_remembered is remembered_at_once
    app.set_status("remembered")
    assert asked(app) == then


def test_trust_counts_from_the_mfa_and_ends_after_the_pools_period(wire, user, totp, clock):
    app = app_of(wire, user, trust_period=timedelta(days=7)).remembered_device(totp)
    device = Device.objects.get()
    assert device.trust_expires_at == START + timedelta(days=7)
    assert device.credential_stamp
    clock.move_to(START + timedelta(days=7, seconds=-1))
    assert asked(app) == PROOF
    clock.move_to(START + timedelta(days=7))
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == CODE
    app.tokens = app.prove_device(app.answer_mfa(answer, totp))["AuthenticationResult"]
    assert asked(app) == CODE, "the user was not asked again"
    app.set_status("remembered")
    assert asked(app) == PROOF
    assert Device.objects.get().trust_expires_at == START + timedelta(days=14)


def test_the_default_period_is_the_sites_and_the_sites_maximum_holds(wire, user, totp, clock):
    app_of(wire, user).remembered_device(totp)
    assert Device.objects.get().trust_expires_at == START + timedelta(days=60)
    Device.objects.all().delete()
    app_of(wire, user, trust_period=timedelta(days=300)).remembered_device(totp)
    assert Device.objects.get().trust_expires_at == START + timedelta(days=90)


def test_shortening_the_pools_period_shortens_trust_already_given(wire, user, totp, clock):
    app = app_of(wire, user).remembered_device(totp)
    clock.shift(timedelta(days=8))
    assert asked(app) == PROOF
    UserPool.objects.update(trust_period=timedelta(days=7))
    assert asked(app) == CODE


def test_expiry_is_seen_in_lists_before_and_after_the_sweep(wire, user, totp, clock, admin):
    app = app_of(wire, user).remembered_device(totp)
    clock.shift(timedelta(days=60))
    names = {"UserPoolId": app.pool.pool_id, "Username": "maria"}
    for _sweep in range(2):
        (device,) = admin.call("AdminListDevices", **names)["Devices"]
        assert {"Name": "dev:device_remembered_status", "Value": "not_remembered"} in device["DeviceAttributes"]
        assert sum(expiry.expire_due(now=START + timedelta(days=60))) == 1 - _sweep
    assert Device.objects.get().status_reason == StatusReason.EXPIRED
    assert asked(app) == CODE


def test_where_every_device_is_remembered_an_mfa_renews_an_ended_trust(wire, user, totp, clock):
    app = app_of(wire, user, tracking="always")
    app.sign_in(totp)
    app.confirm()
    clock.shift(timedelta(days=60))
    sum(expiry.expire_due(now=START + timedelta(days=60)))
    app.sign_in(totp)
    assert asked(app) == PROOF
    app.sign_in()
    app.set_status("not_remembered")
    app.sign_in(totp)
    assert asked(app) == CODE, "the user does not want it remembered"


def test_a_device_remembered_without_mfa_does_not_skip_the_first_one(wire, user, clock):
    app = app_of(wire, user).remembered_device(None)
    assert Device.objects.get().trust_expires_at is None
    assert app.wire.call("ListDevices", AccessToken=app.access_token)["Devices"]
    factor = TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    Device.objects.update(status="remembered")
    assert asked(app) == CODE
    app.sign_in(factor)
    app.set_status("remembered")
    assert asked(app) == PROOF


def test_a_session_without_mfa_cannot_take_up_trust_again(wire, user, totp, clock):
    app = app_of(wire, user).remembered_device(totp)
    app.sign_in()
    app.set_status("remembered")
    assert asked(app) == PROOF
    app.set_status("not_remembered")
    app.set_status("remembered")
    assert asked(app) == CODE


def test_remembering_another_device_than_the_one_in_hand_earns_it_no_trust(wire, user, totp, clock):
    stolen = app_of(wire, user)
    stolen.sign_in(totp)
    stolen.confirm()
    mine = App(wire, stolen.client, "maria", "correct horse")
    mine.sign_in(totp)
    mine.set_status("remembered", stolen.device_key or "")
    assert asked(stolen) == CODE


def test_what_ends_trust_elsewhere_ends_it_here(wire, user, totp):
    app = app_of(wire, user).remembered_device(totp)
    user.set_password("another one")
    user.save()
    app.password = "another one"
    assert asked(app) == CODE
    app.sign_in(totp)
    app.set_status("remembered")
    assert asked(app) == PROOF
    totp.key = "00" * 20
    totp.save()
    assert asked(app) == CODE


def test_the_sites_policy_can_only_be_tightened(wire, user, totp, settings):
    app = app_of(wire, user).remembered_device(totp)
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "CHALLENGE_REQUIRED_ON_NEW_DEVICE": False}
    assert asked(app) == CODE


def test_a_device_of_the_wire_stands_with_the_users_others(wire, user, totp):
    app_of(wire, user).remembered_device(totp)
    (standing,) = standings.standings(user=user)
    assert standing.device.name == "phone"
    assert standing.decision.allowed
    assert standing.trusted_until is not None


def test_staff_forgetting_a_device_anywhere_ends_its_tokens(wire, user, totp):
    app = app_of(wire, user).remembered_device(totp)
    devices.forget(list(Device.objects.all()), by=By())
    response = wire.raw("GetUser", f'{{"AccessToken": "{app.access_token}"}}'.encode())
    assert b"Access Token has been revoked" in response.content


def test_the_longest_unused_device_makes_room(wire, user, totp, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAX_DEVICES_PER_USER": 2}
    app = app_of(wire, user)
    keys = []
    for _device in range(3):
        app.device_key = None
        keys.append(app.remembered_device(totp).device_key)
    assert sorted(Device.objects.values_list("device_key", flat=True)) == sorted(keys[1:])


def test_devices_of_a_pool_without_mfa_push_out_none_of_elsewhere(wire, user, totp, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAX_DEVICES_PER_USER": 2}
    with_mfa, without = app_of(wire, user), app_of(wire, user, mfa="OFF")
    earned = with_mfa.remembered_device(totp).device_key
    with_mfa.device_key = None
    with_mfa.sign_in(totp)
    with_mfa.confirm()  # not remembered yet
    elsewhere = {earned, with_mfa.device_key}
    for _device in range(3):
        without.device_key = None
        newest = without.remembered_device(None).device_key
        assert set(Device.objects.values_list("device_key", flat=True)) == {*elsewhere, newest}
    assert with_mfa.wire.call("GetUser", AccessToken=with_mfa.access_token)["Username"] == "maria"
    Device.objects.update(created_at=datetime(2026, 1, 6, tzinfo=UTC))
    with_mfa.device_key = None
    last = with_mfa.remembered_device(totp).device_key
    assert set(Device.objects.values_list("device_key", flat=True)) == {earned, last}


def test_a_pool_that_no_longer_asks_for_mfa_keeps_what_earned_trust(wire, user, totp, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAX_DEVICES_PER_USER": 1}
    app = app_of(wire, user)
    earned = app.remembered_device(totp).device_key
    UserPool.objects.update(mfa="OFF")
    for _device in range(2):
        app.device_key = None
        newest = app.remembered_device(None).device_key
        assert set(Device.objects.values_list("device_key", flat=True)) == {earned, newest}


@pytest.mark.parametrize("policy", [Risky, Unsure])
def test_a_sign_in_at_risk_or_of_unknown_risk_is_asked_for_mfa(wire, user, totp, settings, policy):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "STORED_IP": "full"}
    app = app_of(wire, user).remembered_device(totp)
    assert asked(app) == PROOF
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "POLICY": f"{__name__}.{policy.__name__}"}
    app.wire = Wire(Client(REMOTE_ADDR="198.51.100.9"))
    assert asked(app) == CODE
    refused = DeviceEvent.objects.get(action="trust_refused")
    assert (refused.reason, refused.ip_address) == ("risk", "198.51.100.9")
    assert refused.device == Device.objects.get()


def test_a_risk_that_shows_once_the_device_has_proved_itself_asks_for_mfa(wire, user, totp, settings):
    app = app_of(wire, user).remembered_device(totp)
    answer = app.password_sign_in()
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "POLICY": f"{__name__}.Unsure"}
    assert app.prove_device(answer)["ChallengeName"] == CODE


def test_a_proof_that_fails_is_logged_with_where_it_came_from(wire, user, totp, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "STORED_IP": "full"}
    app = app_of(wire, user).remembered_device(totp)
    app.wire = Wire(Client(REMOTE_ADDR="198.51.100.9", HTTP_USER_AGENT="Phone/1.0"))
    app.device = make_device_secret(device_group_key=app.group_key, device_key=app.device_key)
    with pytest.raises(Refused, match=r"Incorrect username or password\."):
        app.prove_device(app.password_sign_in())
    refused = DeviceEvent.objects.get(action="trust_refused")
    assert (refused.reason, refused.ip_address, refused.user_agent) == ("proof_failed", "198.51.100.9", "Phone/1.0")


def test_a_sign_in_from_a_trusted_device_is_logged_as_such(wire, user, totp):
    app = app_of(wire, user).remembered_device(totp)
    app.sign_in()
    assert [event.reason for event in user.trusted_device_events.filter(action="signed_in").order_by("pk")] == [
        "mfa",
        "trusted_device",
    ]
    assert Device.objects.get().events.filter(action="signed_in").count() == 1


def test_devices_of_a_pool_without_mfa_prove_themselves_all_the_same(wire, user, totp):
    app = app_of(wire, user, mfa="OFF").remembered_device(None)
    assert asked(app) == PROOF
    assert "AccessToken" in app.sign_in()
