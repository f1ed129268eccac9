"""Pools and clients by API."""

import pytest

from tests.cognito_idp.factories import make_pool
from tests.cognito_idp.wire import App, Refused
from trusted_devices.cognito_idp.models import UserPool, UserPoolClient
from trusted_devices.models import Device


@pytest.mark.parametrize(
    "configuration",
    [
        None,
        {"ChallengeRequiredOnNewDevice": False, "DeviceOnlyRememberedOnUserPrompt": False},
        {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": False},
        {"ChallengeRequiredOnNewDevice": False, "DeviceOnlyRememberedOnUserPrompt": True},
        {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": True},
    ],
)
def test_every_device_configuration_is_read_back(admin, configuration):
    extra = {} if configuration is None else {"DeviceConfiguration": configuration}
    made = admin.call("CreateUserPool", PoolName="made", **extra)["UserPool"]
    assert made.get("DeviceConfiguration") == configuration
    assert made["MfaConfiguration"] == "OFF"
    assert made["Id"].startswith("us-east-1_")
    assert admin.call("DescribeUserPool", UserPoolId=made["Id"])["UserPool"] == made


@pytest.mark.parametrize("member", ["AliasAttributes", "UsernameAttributes"])
def test_a_pool_may_take_addresses_for_names(admin, member):
    made = admin.call("CreateUserPool", PoolName="aliases", **{member: ["email"]})["UserPool"]
    assert UserPool.objects.get().email_alias is True
    assert admin.call("DescribeUserPool", UserPoolId=made["Id"])["UserPool"]["AliasAttributes"] == ["email"]


def test_srp_works_in_a_pool_that_was_made_by_calls_alone(admin, wire, user):
    pool_id = admin.call("CreateUserPool", PoolName="made")["UserPool"]["Id"]
    made = admin.call("CreateUserPoolClient", UserPoolId=pool_id, ClientName="app")["UserPoolClient"]
    app = App(wire, UserPoolClient.objects.get(client_id=made["ClientId"]), "maria", "another one")
    user.set_password("another one")
    user.save()
    assert "AuthenticationResult" in app.srp_sign_in()


def test_an_update_changes_what_it_names(admin, pool):
    assert (
        admin.call(
            "UpdateUserPool",
            UserPoolId=pool.pool_id,
            PoolName="renamed",
            MfaConfiguration="ON",
            DeviceConfiguration={"DeviceOnlyRememberedOnUserPrompt": False},
            UserPoolAddOns={"AdvancedSecurityMode": "OFF"},
            DeletionProtection="ACTIVE",
        )
        == {}
    )
    described = admin.call("DescribeUserPool", UserPoolId=pool.pool_id)["UserPool"]
    assert (described["Name"], described["MfaConfiguration"]) == ("renamed", "ON")
    assert described["DeviceConfiguration"] == {
        "ChallengeRequiredOnNewDevice": False,
        "DeviceOnlyRememberedOnUserPrompt": False,
    }
    with pytest.raises(Refused, match="deletion protection"):
        admin.call("DeleteUserPool", UserPoolId=pool.pool_id)
    admin.call("UpdateUserPool", UserPoolId=pool.pool_id, DeletionProtection="INACTIVE")
    assert admin.raw("DeleteUserPool", {"UserPoolId": pool.pool_id}).content == b""
    assert not UserPool.objects.exists()


def test_an_update_that_names_no_device_configuration_ends_tracking(admin, pool):
    assert pool.is_tracking
    for extra in ({}, {"DeviceConfiguration": None}):
        UserPool.objects.update(tracking="always")
        admin.call("UpdateUserPool", UserPoolId=pool.pool_id, MfaConfiguration="ON", **extra)
        described = admin.call("DescribeUserPool", UserPoolId=pool.pool_id)["UserPool"]
        assert "DeviceConfiguration" not in described
    admin.call("UpdateUserPool", UserPoolId=pool.pool_id)
    assert admin.call("DescribeUserPool", UserPoolId=pool.pool_id)["UserPool"] == described | {
        "LastModifiedDate": pytest.approx(described["LastModifiedDate"], abs=60)
    }


def test_deleting_a_pool_forgets_its_devices_and_no_others(admin, app):
    app.remembered_device(None)
    key = app.device_key
    app.client = UserPoolClient.objects.create(pool=make_pool(), name="other", auth_flows=app.client.auth_flows)
    app.device_key = None
    app.remembered_device(None)
    other = app.device_key
    assert set(Device.objects.values_list("device_key", flat=True)) == {key, other}
    admin.call("DeleteUserPool", UserPoolId=app.pool.pool_id)
    assert list(Device.objects.values_list("device_key", flat=True)) == [key]


def test_mfa_is_configured_apart(admin):
    pool_id = admin.call("CreateUserPool", PoolName="made")["UserPool"]["Id"]
    with pytest.raises(Refused, match="can't turn on MFA without configuring it"):
        admin.call("SetUserPoolMfaConfig", UserPoolId=pool_id, MfaConfiguration="ON")
    assert admin.call("GetUserPoolMfaConfig", UserPoolId=pool_id)["MfaConfiguration"] == "OFF"
    wanted = {"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    assert admin.call("SetUserPoolMfaConfig", UserPoolId=pool_id, **wanted) == wanted
    more = admin.call("SetUserPoolMfaConfig", UserPoolId=pool_id, SmsMfaConfiguration={}, EmailMfaConfiguration={})
    assert more == {**wanted, "SmsMfaConfiguration": {}, "EmailMfaConfiguration": {}}


@pytest.mark.parametrize(
    "factor",
    [{"SoftwareTokenMfaConfiguration": {"Enabled": True}}, {"SmsMfaConfiguration": {}}, {"EmailMfaConfiguration": {}}],
)
def test_mfa_is_not_switched_off_together_with_a_factor(admin, pool, factor):
    UserPool.objects.update(mfa="ON", email_mfa=True, sms_mfa=True)
    ids = {"UserPoolId": pool.pool_id}
    before = admin.call("GetUserPoolMfaConfig", **ids)
    with pytest.raises(Refused, match="can't turn off MFA and configure an MFA together"):
        admin.call("SetUserPoolMfaConfig", **ids, MfaConfiguration="OFF", **factor)
    assert admin.call("GetUserPoolMfaConfig", **ids) == before
    off = {"MfaConfiguration": "OFF"}
    unused = {"SoftwareTokenMfaConfiguration": {"Enabled": False}}
    assert admin.call("SetUserPoolMfaConfig", **ids, **off, **unused) == off
    with pytest.raises(Refused, match="can't turn off MFA and configure an MFA together"):
        admin.call("SetUserPoolMfaConfig", **ids, **factor)
    # What is read can be written, and switching MFA on again brings no factor back that was not asked for.
    assert admin.call("SetUserPoolMfaConfig", **ids, **admin.call("GetUserPoolMfaConfig", **ids)) == off
    on = {"MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": {"Enabled": False}, **factor}
    assert admin.call("SetUserPoolMfaConfig", **ids, **on) == on


def test_lists_are_paged(admin):
    pools = [make_pool(name=f"pool {number}") for number in range(3)]
    first = admin.call("ListUserPools", MaxResults=2)
    rest = admin.call("ListUserPools", MaxResults=2, NextToken=first["NextToken"])
    assert [pool["Id"] for pool in first["UserPools"] + rest["UserPools"]] == [pool.pool_id for pool in pools]
    assert "NextToken" not in rest
    for number in range(3):
        admin.call("CreateUserPoolClient", UserPoolId=pools[0].pool_id, ClientName=f"client {number}")
    first = admin.call("ListUserPoolClients", UserPoolId=pools[0].pool_id, MaxResults=2)
    rest = admin.call("ListUserPoolClients", UserPoolId=pools[0].pool_id, NextToken=first["NextToken"])
    assert len(first["UserPoolClients"]) == 2
    assert len(rest["UserPoolClients"]) == 1
    with pytest.raises(Refused, match="InvalidParameterException"):
        admin.call("ListUserPoolClients", UserPoolId=pools[1].pool_id, NextToken=first["NextToken"])
    with pytest.raises(Refused, match="Member must have value less than or equal to 60"):
        admin.call("ListUserPools", MaxResults=61)


def test_a_client_is_made_as_wished_and_changed(admin, pool):
    wishes = {
        "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"],
        "AccessTokenValidity": 5,
        "IdTokenValidity": 600,
        "RefreshTokenValidity": 2,
        "TokenValidityUnits": {"AccessToken": "minutes", "IdToken": "seconds", "RefreshToken": "hours"},
        "PreventUserExistenceErrors": "LEGACY",
        "EnableTokenRevocation": False,
        "AuthSessionValidity": 15,
        "RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10},
    }
    made = admin.call("CreateUserPoolClient", UserPoolId=pool.pool_id, ClientName="made", **wishes)["UserPoolClient"]
    assert {name: made[name] for name in wishes} == wishes
    assert "ClientSecret" not in made
    ids = {"UserPoolId": pool.pool_id, "ClientId": made["ClientId"]}
    assert admin.call("DescribeUserPoolClient", **ids)["UserPoolClient"] == made
    changed = admin.call("UpdateUserPoolClient", **ids, ClientName="changed")["UserPoolClient"]
    assert {**changed, "LastModifiedDate": 0} == {**made, "ClientName": "changed", "LastModifiedDate": 0}
    with pytest.raises(Refused, match="Invalid range for token validity"):
        admin.call("UpdateUserPoolClient", **ids, AccessTokenValidity=2000)
    with pytest.raises(Refused, match="Invalid range for token validity"):
        admin.call(
            "UpdateUserPoolClient", **ids, RefreshTokenValidity=1, TokenValidityUnits={"RefreshToken": "seconds"}
        )


LEGACY = {
    "ADMIN_NO_SRP_AUTH": {"ADMIN_USER_PASSWORD_AUTH", "USER_SRP_AUTH", "REFRESH_TOKEN_AUTH"},
    "USER_PASSWORD_AUTH": {"USER_PASSWORD_AUTH", "USER_SRP_AUTH", "REFRESH_TOKEN_AUTH"},
    "CUSTOM_AUTH_FLOW_ONLY": {"REFRESH_TOKEN_AUTH"},
}


def test_legacy_names_of_flows_let_in_srp_and_refreshing_as_well(admin, pool):
    ids = {"UserPoolId": pool.pool_id}
    flows = {"ADMIN_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH", "USER_SRP_AUTH", "REFRESH_TOKEN_AUTH", "CUSTOM_AUTH"}
    for name, allowed in LEGACY.items():
        made = admin.call("CreateUserPoolClient", **ids, ClientName="old", ExplicitAuthFlows=[name])["UserPoolClient"]
        assert made["ExplicitAuthFlows"] == [name]
        client = UserPoolClient.objects.get(client_id=made["ClientId"])
        assert {flow for flow in flows if client.allows(flow)} == allowed


@pytest.mark.parametrize("legacy", LEGACY)
def test_legacy_names_of_flows_are_not_mixed_with_others(admin, app_client, legacy):
    ids = {"UserPoolId": app_client.pool.pool_id}
    mixed = {"ExplicitAuthFlows": [legacy, "ALLOW_USER_SRP_AUTH"]}
    with pytest.raises(Refused, match="InvalidParameterException: Legacy names"):
        admin.call("CreateUserPoolClient", **ids, ClientName="mixed", **mixed)
    with pytest.raises(Refused, match="InvalidParameterException: Legacy names"):
        admin.call("UpdateUserPoolClient", **ids, ClientId=app_client.client_id, **mixed)
    assert [client.auth_flows for client in UserPoolClient.objects.all()] == [app_client.auth_flows]


def test_clients_are_those_of_the_pool_named(admin, app_client):
    ids = {"UserPoolId": make_pool().pool_id, "ClientId": app_client.client_id}
    for operation in ("DescribeUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"):
        with pytest.raises(Refused, match=f"User pool client {app_client.client_id} does not exist"):
            admin.call(operation, **ids)
    assert UserPoolClient.objects.exists()


def test_no_text_about_a_missing_thing_but_a_device_names_one(admin, pool):
    for operation, extra in (
        ("DescribeUserPool", {"UserPoolId": "us-east-1_Nobody"}),
        ("DescribeUserPoolClient", {"UserPoolId": pool.pool_id, "ClientId": "nobody"}),
        ("AdminListDevices", {"UserPoolId": pool.pool_id, "Username": "nobody"}),
    ):
        with pytest.raises(Refused) as refused:
            admin.call(operation, **extra)
        assert refused.value.name == "ResourceNotFoundException"
        assert "device" not in refused.value.message.lower()
