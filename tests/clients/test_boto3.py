"""boto3, unmodified, through the whole life of a device. It has no SRP of its own, so ours does that half."""

from datetime import UTC, datetime

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from trusted_devices.crypto.encoding import format_timestamp
from trusted_devices.crypto.srp import ClientSession, device_identity
from trusted_devices.crypto.verifier import make_device_secret

pytestmark = [pytest.mark.clients, pytest.mark.django_db(transaction=True)]


def sign_in(site, idp, device_key=None, **extra):
    parameters = {"USERNAME": site.username, "PASSWORD": site.password, **extra}
    if device_key:
        parameters["DEVICE_KEY"] = device_key
    return idp.initiate_auth(ClientId=site.client.client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)


def answer_mfa(site, idp, answer):
    assert answer["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert answer["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"] == "app"
    return idp.respond_to_auth_challenge(
        ClientId=site.client.client_id,
        ChallengeName="SOFTWARE_TOKEN_MFA",
        Session=answer["Session"],
        ChallengeResponses={"USERNAME": site.username, "SOFTWARE_TOKEN_MFA_CODE": site.code()},
    )


def prove_device(site, idp, answer, device_key, group_key, secret):
    assert answer["ChallengeName"] == "DEVICE_SRP_AUTH"
    session = ClientSession.start()
    answer = idp.respond_to_auth_challenge(
        ClientId=site.client.client_id,
        ChallengeName="DEVICE_SRP_AUTH",
        Session=answer["Session"],
        ChallengeResponses={"USERNAME": site.username, "DEVICE_KEY": device_key, "SRP_A": session.srp_a},
    )
    challenge = answer["ChallengeParameters"]
    timestamp = format_timestamp(datetime.now(UTC))
    signature = session.sign(
        identity=device_identity(device_group_key=group_key, device_key=device_key),
        password=secret.password,
        salt=challenge["SALT"],
        srp_b=challenge["SRP_B"],
        secret_block=challenge["SECRET_BLOCK"],
        timestamp=timestamp,
    )
    return idp.respond_to_auth_challenge(
        ClientId=site.client.client_id,
        ChallengeName="DEVICE_PASSWORD_VERIFIER",
        ChallengeResponses={
            "USERNAME": site.username,
            "DEVICE_KEY": device_key,
            "PASSWORD_CLAIM_SECRET_BLOCK": challenge["SECRET_BLOCK"],
            "PASSWORD_CLAIM_SIGNATURE": signature,
            "TIMESTAMP": timestamp,
        },
    )


def test_boto3_goes_through_the_whole_life_of_a_device(site):
    idp = site.boto3()
    result = answer_mfa(site, idp, sign_in(site, idp))["AuthenticationResult"]
    key = result["NewDeviceMetadata"]["DeviceKey"]
    group = result["NewDeviceMetadata"]["DeviceGroupKey"]
    secret = make_device_secret(device_group_key=group, device_key=key)
    token = result["AccessToken"]

    config = {
        "Salt": secret.verifier.to_config()["Salt"],
        "PasswordVerifier": secret.verifier.to_config()["PasswordVerifier"],
    }
    confirmed = idp.confirm_device(
        AccessToken=token, DeviceKey=key, DeviceName="my-host", DeviceSecretVerifierConfig=config
    )
    assert confirmed["UserConfirmationNecessary"] is True
    idp.update_device_status(AccessToken=token, DeviceKey=key, DeviceRememberedStatus="remembered")
    (listed,) = idp.list_devices(AccessToken=token, Limit=60)["Devices"]
    assert listed["DeviceKey"] == key
    assert [attribute["Name"] for attribute in listed["DeviceAttributes"]] == [
        "device_status",
        "device_name",
        "last_ip_used",
    ]
    assert listed["DeviceLastAuthenticatedDate"].microsecond == 0

    again = prove_device(site, idp, sign_in(site, idp, key), key, group, secret)["AuthenticationResult"]
    assert "NewDeviceMetadata" not in again
    token = again["AccessToken"]

    admin = site.boto3(signed=True)
    names = {"UserPoolId": site.pool.pool_id, "Username": site.username}
    admin.admin_update_device_status(**names, DeviceKey=key, DeviceRememberedStatus="not_remembered")
    device = admin.admin_get_device(**names, DeviceKey=key)["Device"]
    attributes = {attribute["Name"]: attribute["Value"] for attribute in device["DeviceAttributes"]}
    assert attributes["dev:device_remembered_status"] == "not_remembered"
    assert len(attributes) == 7
    assert idp.list_devices(AccessToken=token)["Devices"] == []
    answer = answer_mfa(site, idp, sign_in(site, idp, key))
    token = prove_device(site, idp, answer, key, group, secret)["AuthenticationResult"]["AccessToken"]
    idp.update_device_status(AccessToken=token, DeviceKey=key, DeviceRememberedStatus="remembered")
    result = prove_device(site, idp, sign_in(site, idp, key), key, group, secret)["AuthenticationResult"]

    refreshed = idp.initiate_auth(
        ClientId=site.client.client_id,
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": result["RefreshToken"], "DEVICE_KEY": key},
    )["AuthenticationResult"]
    assert "RefreshToken" not in refreshed
    assert "NewDeviceMetadata" not in refreshed

    idp.forget_device(AccessToken=refreshed["AccessToken"], DeviceKey=key)
    assert admin.admin_list_devices(**names)["Devices"] == []
    with pytest.raises(idp.exceptions.ResourceNotFoundException, match="Device does not exist\\."):
        sign_in(site, idp, key)
    with pytest.raises(idp.exceptions.NotAuthorizedException, match="Invalid Refresh Token\\."):
        idp.get_tokens_from_refresh_token(
            ClientId=site.client.client_id, RefreshToken=result["RefreshToken"], DeviceKey=key
        )
    result = answer_mfa(site, idp, sign_in(site, idp))["AuthenticationResult"]
    idp.revoke_token(ClientId=site.client.client_id, Token=result["RefreshToken"])
    with pytest.raises(idp.exceptions.NotAuthorizedException, match="Access Token has been revoked"):
        idp.get_user(AccessToken=result["AccessToken"])
    result = answer_mfa(site, idp, sign_in(site, idp))["AuthenticationResult"]
    idp.global_sign_out(AccessToken=result["AccessToken"])
    with pytest.raises(idp.exceptions.NotAuthorizedException):
        idp.get_user(AccessToken=result["AccessToken"])


def test_admin_calls_without_a_signature_or_with_a_wrong_one_are_refused(site):
    names = {"UserPoolId": site.pool.pool_id, "Username": site.username}
    with pytest.raises(ClientError) as refused:
        site.boto3(config=Config(signature_version=UNSIGNED)).admin_list_devices(**names)
    assert refused.value.response["Error"]["Code"] == "MissingAuthenticationTokenException"
    forged = site.boto3(aws_access_key_id=site.key.access_key_id, aws_secret_access_key="guessed")
    with pytest.raises(ClientError) as refused:
        forged.admin_list_devices(**names)
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_both_spellings_of_the_endpoint_work(site):
    for endpoint in (site.endpoint, site.endpoint + "/"):
        client = site.boto3(signed=True, endpoint_url=endpoint)
        assert client.describe_user_pool(UserPoolId=site.pool.pool_id)["UserPool"]["Id"] == site.pool.pool_id


def test_pools_and_clients_are_made_and_read_back_by_boto3(site):
    admin = site.boto3(signed=True)
    pool = admin.create_user_pool(
        PoolName="made by boto3",
        MfaConfiguration="OPTIONAL",
        DeviceConfiguration={"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": False},
    )["UserPool"]
    client = admin.create_user_pool_client(
        UserPoolId=pool["Id"],
        ClientName="made by boto3",
        GenerateSecret=True,
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        AccessTokenValidity=10,
        TokenValidityUnits={"AccessToken": "minutes"},
    )["UserPoolClient"]
    assert client["AccessTokenValidity"] == 10
    described = admin.describe_user_pool_client(UserPoolId=pool["Id"], ClientId=client["ClientId"])["UserPoolClient"]
    assert described["ClientSecret"] == client["ClientSecret"]
    assert pool["DeviceConfiguration"] == {
        "ChallengeRequiredOnNewDevice": True,
        "DeviceOnlyRememberedOnUserPrompt": False,
    }
    listed = admin.list_user_pools(MaxResults=60)["UserPools"]
    assert {site.pool.pool_id, pool["Id"]} == {summary["Id"] for summary in listed}
    admin.delete_user_pool_client(UserPoolId=pool["Id"], ClientId=client["ClientId"])
    assert admin.list_user_pool_clients(UserPoolId=pool["Id"])["UserPoolClients"] == []
    admin.delete_user_pool(UserPoolId=pool["Id"])
    with pytest.raises(admin.exceptions.ResourceNotFoundException):
        admin.describe_user_pool(UserPoolId=pool["Id"])
