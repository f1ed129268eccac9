"""What changes on the site while a sign-in is under way, and what a site forgets with its SECRET_KEY."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from tests.broken_database import interrupted
from tests.cognito_idp.factories import SECRET, make_client
from tests.cognito_idp.scene import device_answer, device_begin, srp_answer
from tests.cognito_idp.wire import App, Refused, Wire, body_of, decoded, totp_code
from trusted_devices.cognito_idp.models import FailedAttempts, RefreshToken, UserPool
from trusted_devices.crypto import modexp
from trusted_devices.crypto.srp import ClientSession
from trusted_devices.models import Device
from trusted_devices.services import devices
from trusted_devices.types import By, StatusReason

INCORRECT = ("NotAuthorizedException", "Incorrect username or password.")
NO_DEVICE = ("ResourceNotFoundException", "Device does not exist.")


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


def refusal(scene, params):
    """What the answer to a challenge is refused with."""
    with pytest.raises(Refused) as refused:
        scene.call("RespondToAuthChallenge", params)
    assert refused.value.status == 400
    return refused.value.name, refused.value.message


def respond(scene, params):
    """The answer to the answer of a challenge."""
    return scene.call("RespondToAuthChallenge", params)


# The device's steps


def test_nobody_is_told_from_somebody_without_a_first_factor(scene):
    params = device_begin(scene)
    del params["Session"]
    params["ChallengeResponses"]["USERNAME"] = "nobody"
    assert refusal(scene, params) == INCORRECT


@pytest.mark.parametrize("step", [device_begin, device_answer])
def test_a_device_proves_nothing_where_devices_are_no_longer_tracked(scene, step):
    params = step(scene)
    UserPool.objects.update(tracking="off")
    assert refusal(scene, params) == INCORRECT


@pytest.mark.parametrize("step", [device_begin, device_answer])
def test_a_new_password_ends_a_sign_in_that_waits_for_its_device(scene, step):
    params = step(scene)
    user = scene.totp.user
    user.set_password("another one")
    user.save()
    assert refusal(scene, params) == INCORRECT


@pytest.mark.parametrize("step", [device_begin, device_answer])
def test_a_device_that_is_forgotten_meanwhile_does_not_exist(scene, step):
    params = step(scene)
    devices.forget(list(Device.objects.all()), by=By())
    assert refusal(scene, params) == NO_DEVICE


def test_a_device_forgotten_while_its_proof_is_noted_does_not_exist(scene):
    params = device_answer(scene)
    signed_in = RefreshToken.objects.count()
    # The proof is verified with the device at hand; the next statement that touches it finds it gone.
    with interrupted("^INSERT INTO .trusted_devices_cognito_idp_spenttoken", Device.objects.all().delete):
        assert refusal(scene, params) == NO_DEVICE
    assert RefreshToken.objects.count() == signed_in


def test_a_device_that_loses_its_trust_before_its_proof_leaves_mfa_due(scene):
    params = device_answer(scene)
    devices.stop_trusting(list(Device.objects.all()), reason=StatusReason.STAFF_STOPPED, by=By())
    answer = respond(scene, params)
    assert answer["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    answer = scene.app.prove_device(scene.app.answer_mfa(answer, scene.totp))
    assert "AccessToken" in answer["AuthenticationResult"]


# The second factor's


def test_a_user_who_is_disabled_meanwhile_hears_so(scene):
    params = scene.code()
    type(scene.totp.user).objects.update(is_active=False)
    assert refusal(scene, params) == ("NotAuthorizedException", "User is disabled.")


def test_setting_up_a_factor_takes_minutes_at_most(scene):
    scene.totp.delete()
    UserPool.objects.update(mfa="ON")
    with time_machine.travel(datetime(2026, 1, 6, tzinfo=UTC), tick=False) as clock:
        session = scene.app.password_sign_in()["Session"]
        clock.shift(timedelta(minutes=3))
        with pytest.raises(Refused, match=r"Invalid session for the user, session is expired\."):
            scene.wire.call("AssociateSoftwareToken", Session=session)
        session = scene.app.password_sign_in()["Session"]
        assert scene.wire.call("AssociateSoftwareToken", Session=session)["SecretCode"]
        with pytest.raises(Refused, match=r"session can only be used once\."):
            scene.wire.call("AssociateSoftwareToken", Session=session)
        session = scene.app.password_sign_in()["Session"]
        responses = {"USERNAME": scene.app.username}
        with pytest.raises(Refused, match=r"InvalidParameterException: The software token has not been verified\."):
            scene.wire.call(
                "RespondToAuthChallenge",
                **scene.client,
                ChallengeName="MFA_SETUP",
                Session=session,
                ChallengeResponses=responses,
            )


# Guessing


def test_wrong_guesses_are_counted_anew_after_the_longest_wait(scene):
    password, scene.app.password = scene.app.password, "wrong"
    with time_machine.travel(datetime(2026, 1, 6, tzinfo=UTC), tick=False) as clock:
        for expected in (1, 2, 3, 4, 5):
            with pytest.raises(Refused):
                scene.app.password_sign_in()
            assert FailedAttempts.objects.get().failures == expected
        clock.shift(timedelta(minutes=15))
        with pytest.raises(Refused):
            scene.app.password_sign_in()
        assert FailedAttempts.objects.get().failures == 1
        scene.app.password = password
        scene.app.password_sign_in()
        assert not FailedAttempts.objects.exists()


def test_srp_costs_the_same_for_known_and_unknown_users(scene, other_user, monkeypatch):
    scene.app.password_sign_in()
    counted = []

    def count(base, exponent, modulus, /):
        counted.append(exponent.bit_length())
        return pow(base, exponent, modulus)

    def costs(username):
        scene.app.username, scene.app.password = username, "wrong"
        params = srp_answer(scene)
        with monkeypatch.context() as patched:
            patched.setattr(modexp, "implementation", lambda: "python")
            patched.setattr(modexp, "python_powmod", count)
            counted.clear()
            assert refusal(scene, params) == INCORRECT
            assert max(counted) <= 256
        return len(counted)

    assert costs("maria") == costs("nobody") == costs("tom") == 2


def test_a_megabyte_of_srp_a_is_refused_before_anything_is_computed(scene, monkeypatch):
    def never(*_arguments):
        raise AssertionError("it was exponentiated")

    monkeypatch.setattr(modexp, "implementation", lambda: "python")
    monkeypatch.setattr(modexp, "python_powmod", never)
    for digits, status, name in (
        (1_000_000, 413, "RequestEntityTooLargeException"),
        (100_000, 400, "InvalidParameterException"),
        (769, 400, "InvalidParameterException"),
    ):
        parameters = {"USERNAME": "maria", "SRP_A": "f" * digits}
        params = {**scene.client, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": parameters}
        response = scene.wire.raw("InitiateAuth", body_of(params))
        assert (response.status_code, decoded(response)["__type"]) == (status, name)


# What was sealed under a SECRET_KEY that is no more


def test_what_can_no_longer_be_read_is_made_anew_or_refused(wire, admin, app, srp_user, settings):
    confidential = App(wire, make_client(app.pool, secret=SECRET), "maria", "correct horse", secret=SECRET)
    confidential.sign_in()
    settings.SECRET_KEY = "another-key-" + "y" * 40
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(Refused, match="Incorrect username or password"):
        app.srp_sign_in()
    with pytest.raises(Refused, match="UnrecognizedClientException: This access key can no longer be read"):
        admin.call("ListUserPools", MaxResults=1)
    with pytest.raises(Refused, match="InternalErrorException: Something went wrong"):
        confidential.password_sign_in()


def test_a_key_that_was_replaced_is_read_on_as_a_fallback(wire, admin, app, srp_user, settings):
    confidential = App(wire, make_client(app.pool, secret=SECRET), "maria", "correct horse", secret=SECRET)
    before = confidential.sign_in()["AccessToken"]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" + "y" * 40
    assert "AuthenticationResult" in app.srp_sign_in()
    assert admin.call("ListUserPools", MaxResults=1)["UserPools"]
    assert "AuthenticationResult" in confidential.password_sign_in()
    assert wire.call("GetUser", AccessToken=before)["Username"] == "maria"


# Changes of status


@pytest.mark.parametrize("operation", ["UpdateDeviceStatus", "AdminUpdateDeviceStatus"])
def test_a_device_forgotten_while_it_is_being_remembered_does_not_exist(scene, operation):
    params = {**scene.params(operation), "DeviceRememberedStatus": "remembered"}
    Device.objects.update(status="not_remembered")
    with (
        interrupted("^SAVEPOINT", Device.objects.all().delete),
        pytest.raises(Refused, match="ResourceNotFoundException: Device does not exist\\."),
    ):
        scene.call(operation, params)


# Whose first factor a device's proof goes on


def begins_proof(scene, address, session=None):
    """Whether the holder of the device gets to prove its password from there."""
    holder = replace(scene.app, wire=Wire(Client(REMOTE_ADDR=address)))
    step = {"DEVICE_KEY": holder.device_key, "SRP_A": ClientSession.start().srp_a}
    try:
        return holder.respond("DEVICE_SRP_AUTH", session, **step)["ChallengeName"] == "DEVICE_PASSWORD_VERIFIER"
    except Refused:
        return False


@pytest.mark.parametrize(
    ("owner", "beside", "elsewhere"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100.8"),
        ("2001:db8:1:1::7", "2001:db8:1:1:f::1", "2001:db8:1:2::7"),
        ("", "", "198.51.100.7"),
    ],
)
def test_without_its_session_a_first_factor_serves_where_it_was_passed(scene, owner, beside, elsewhere):
    scene.app.remembered_device(scene.totp)
    scene.app.wire = Wire(Client(REMOTE_ADDR=owner))
    scene.app.password_sign_in()
    assert not begins_proof(scene, elsewhere)
    assert begins_proof(scene, beside)
    assert not begins_proof(scene, beside)


def test_with_its_session_a_first_factor_serves_anywhere_and_no_other_does(scene):
    scene.app.remembered_device(scene.totp)
    earlier, later = (scene.app.password_sign_in()["Session"] for _sign_in in range(2))
    assert begins_proof(scene, "198.51.100.8", earlier)
    assert not begins_proof(scene, "127.0.0.1", earlier)
    assert begins_proof(scene, "198.51.100.8", later)


def test_the_session_of_the_code_names_the_sign_in_that_it_was_of(scene):
    UserPool.objects.update(challenge_required_on_new_device=False)
    scene.app.remembered_device(scene.totp)
    session = scene.app.password_sign_in()["Session"]
    code = {"SOFTWARE_TOKEN_MFA_CODE": totp_code(scene.totp)}
    assert scene.app.respond("SOFTWARE_TOKEN_MFA", session, **code)["ChallengeName"] == "DEVICE_SRP_AUTH"
    assert begins_proof(scene, "198.51.100.8", session)
