"""awscli 1, run as a program. It has no SRP, so it signs in by password and our client half proves the device."""

import json
import os
import subprocess
import sys

import pytest

from tests.clients.test_boto3 import prove_device
from tests.cognito_idp.factories import KEY_SECRET
from trusted_devices.crypto.verifier import make_device_secret

pytestmark = [pytest.mark.clients, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def aws(site):
    """Run ``aws cognito-idp`` with arguments; return what it prints."""
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": site.key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": KEY_SECRET,
        "AWS_DEFAULT_REGION": site.region,
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": site.endpoint,
        "AWS_PAGER": "",
    }

    def run(operation, *arguments, fails=""):
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "cognito-idp", operation, *arguments, "--output", "json"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if fails:
            assert done.returncode == 255
            assert fails in done.stderr
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    return run


def test_awscli_goes_through_the_whole_life_of_a_device(site, aws):
    client = ("--client-id", site.client.client_id)
    password = f"USERNAME={site.username},PASSWORD={site.password}"

    def sign_in_with_code():
        challenge = aws("initiate-auth", "--auth-flow", "USER_PASSWORD_AUTH", *client, "--auth-parameters", password)
        return aws(
            *("respond-to-auth-challenge", *client, "--challenge-name", challenge["ChallengeName"]),
            *("--session", challenge["Session"], "--challenge-responses"),
            f"USERNAME={site.username},SOFTWARE_TOKEN_MFA_CODE={site.code()}",
        )["AuthenticationResult"]

    answered = sign_in_with_code()
    key, group = answered["NewDeviceMetadata"]["DeviceKey"], answered["NewDeviceMetadata"]["DeviceGroupKey"]
    secret = make_device_secret(device_group_key=group, device_key=key)
    token = ("--access-token", answered["AccessToken"])
    confirmed = aws(
        *("confirm-device", *token, "--device-key", key, "--device-name", "cli"),
        *("--device-secret-verifier-config", json.dumps(secret.verifier.to_config())),
    )
    assert confirmed == {"UserConfirmationNecessary": True}
    remembered = ("--device-remembered-status", "remembered")
    aws("update-device-status", *token, "--device-key", key, *remembered)
    assert [device["DeviceKey"] for device in aws("list-devices", *token)["Devices"]] == [key]

    with_device = f"{password},DEVICE_KEY={key}"
    idp = site.boto3()
    challenge = aws("initiate-auth", "--auth-flow", "USER_PASSWORD_AUTH", *client, "--auth-parameters", with_device)
    result = prove_device(site, idp, challenge, key, group, secret)["AuthenticationResult"]
    token = ("--access-token", result["AccessToken"])

    staff = ("--user-pool-id", site.pool.pool_id, "--username", site.username)
    stopped = ("--device-remembered-status", "not_remembered")
    aws("admin-update-device-status", *staff, "--device-key", key, *stopped)
    challenge = aws("initiate-auth", "--auth-flow", "USER_PASSWORD_AUTH", *client, "--auth-parameters", with_device)
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert len(aws("admin-list-devices", *staff)["Devices"]) == 1

    refreshed = aws(
        *("get-tokens-from-refresh-token", *client, "--device-key", key),
        *("--refresh-token", result["RefreshToken"]),
    )["AuthenticationResult"]
    aws("get-device", "--access-token", refreshed["AccessToken"], "--device-key", key)
    aws("forget-device", *token, "--device-key", key)
    aws(
        *("initiate-auth", "--auth-flow", "USER_PASSWORD_AUTH", *client, "--auth-parameters", with_device),
        fails="(ResourceNotFoundException) when calling the InitiateAuth operation: Device does not exist.",
    )
    aws("get-user", *token, fails="Access Token has been revoked")
    # The program keeps no device, so recovering is leaving the key out.
    recovered = sign_in_with_code()
    assert recovered["NewDeviceMetadata"]["DeviceKey"] != key
    token = ("--access-token", recovered["AccessToken"])
    events = aws("admin-list-user-auth-events", *staff)["AuthEvents"]
    assert [event["EventResponse"] for event in events] == ["Pass", "Pass", "Pass"]
    aws("global-sign-out", *token)
    aws("get-user", *token, fails="(NotAuthorizedException)")
