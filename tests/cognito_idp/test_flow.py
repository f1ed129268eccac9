"""Signing in over the wire, step by step."""

from __future__ import annotations

from typing import Any

import pytest
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.wire import App, Refused
from trusted_devices.models import Device, DeviceEvent


def test_a_user_without_mfa_signs_in_with_password_and_is_given_a_device_key(app: App) -> None:
    answer = app.password_sign_in()
    assert answer["ChallengeParameters"] == {}
    result = answer["AuthenticationResult"]
    assert set(result) == {"AccessToken", "IdToken", "RefreshToken", "ExpiresIn", "TokenType", "NewDeviceMetadata"}
    assert result["NewDeviceMetadata"]["DeviceGroupKey"] == app.pool.device_group_key


def test_the_whole_life_of_a_device(mfa_app: App, totp: TOTPDevice, srp_user: Any) -> None:
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
