"""Signing in over the wire, step by step."""

import pytest

from tests.cognito_idp.factories import SECRET
from tests.cognito_idp.wire import App, Refused
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.crypto.srp import ClientSession
from trusted_devices.models import Device, DeviceEvent


def test_a_user_without_mfa_signs_in_and_is_given_a_device_key(app):
    answer = app.password_sign_in()
    assert answer["ChallengeParameters"] == {}
    result = answer["AuthenticationResult"]
    assert set(result) == {"AccessToken", "IdToken", "RefreshToken", "ExpiresIn", "TokenType", "NewDeviceMetadata"}
    assert result["NewDeviceMetadata"]["DeviceGroupKey"] == app.pool.device_group_key


def test_a_sign_in_by_an_alias_goes_on_under_the_name_of_the_device(wire, secret_client, user, totp):
    UserPool.objects.update(email_alias=True)
    accounts.keep_verifier(accounts.get_pool_user(UserPool.objects.get(), user), "correct horse")
    app = App(wire, secret_client, "maria@example.com", "correct horse", secret=SECRET)
    session = ClientSession.start()
    answer = app.initiate("USER_SRP_AUTH", USERNAME=app.username, SRP_A=session.srp_a)
    challenge = answer["ChallengeParameters"]
    assert challenge["USERNAME"] == challenge["USER_ID_FOR_SRP"] != app.username
    # The SECRET_HASH of the first step was over the alias; from here on it is over the name that the challenge gave.
    app.username = challenge["USERNAME"]
    answer = app.respond("PASSWORD_VERIFIER", **app.claim(session, challenge))
    app.tokens = app.answer_mfa(answer, totp)["AuthenticationResult"]
    app.confirm()
    app.set_status("remembered")
    token = {"REFRESH_TOKEN": app.tokens["RefreshToken"], "DEVICE_KEY": app.device_key}
    assert "AuthenticationResult" in app.initiate("REFRESH_TOKEN_AUTH", **token)
    app.username = "MARIA@example.com"
    assert app.password_sign_in()["ChallengeName"] == "DEVICE_SRP_AUTH"


def test_an_address_that_two_users_have_is_nobodys_alias(app, user, other_user):
    UserPool.objects.update(email_alias=True)
    type(user).objects.update(email="shared@example.com")
    app.username = "shared@example.com"
    with pytest.raises(Refused, match="Incorrect username or password"):
        app.password_sign_in()


def test_the_whole_life_of_a_device(mfa_app, totp, srp_user):
    app = mfa_app
    answer = app.srp_sign_in()
    app.tokens = app.answer_mfa(answer, totp)["AuthenticationResult"]
    assert app.confirm() is True
    assert app.wire.call("ListDevices", AccessToken=app.access_token) == {"Devices": []}
    app.set_status("remembered")
    assert [
        device["DeviceKey"] for device in app.wire.call("ListDevices", AccessToken=app.access_token)["Devices"]
    ] == [app.device_key]
    result = app.prove_device(app.srp_sign_in())["AuthenticationResult"]
    assert "NewDeviceMetadata" not in result
    app.tokens = result
    app.set_status("not_remembered")
    answer = app.answer_mfa(app.srp_sign_in(), totp)
    assert "NewDeviceMetadata" not in app.prove_device(answer)["AuthenticationResult"]
    app.wire.call("ForgetDevice", AccessToken=app.access_token, DeviceKey=app.device_key)
    assert not Device.objects.exists()
    with pytest.raises(Refused, match="ResourceNotFoundException: Device does not exist\\."):
        app.srp_sign_in()
    assert [event.action for event in DeviceEvent.objects.order_by("pk")] == [
        "signed_in",
        "confirmed",
        "remembered",
        "signed_in",
        "not_remembered",
        "trust_refused",
        "signed_in",
        "forgotten",
    ]


def test_a_clients_name_for_its_device_is_kept_as_far_as_shown(app):
    app.sign_in()
    app.confirm("\u202e  Pixel\r\n\t9 " + "x" * 1000)
    assert Device.objects.get().name == "Pixel 9 " + "x" * 1000
