"""User pools: making, describing, changing and deleting them. What the site does not do is left out of the answers."""

from __future__ import annotations

from typing import Any

from trusted_devices.cognito_idp import conf, errors, housekeeping, signing, sigv4
from trusted_devices.cognito_idp.models import MfaConfiguration, UserPool
from trusted_devices.cognito_idp.operations.admin import pool_of
from trusted_devices.cognito_idp.pages import OLDEST_FIRST, next_token, place_in
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.types import By, TrackingMode

PARTLY = "Name, MFA, devices, aliases by e-mail, threat protection and deletion protection; the rest is ignored."


@operation("CreateUserPool", Access.SIGNED, differs=PARTLY)
def create_user_pool(call: Call) -> Answer:
    assert call.key is not None  # the registry says SIGNED
    sigv4.require_pool(call.key, call.operation, None)
    pool = UserPool(software_token_mfa=False, threat_protection=False)
    _apply(pool, {"DeviceConfiguration": None, "MfaConfiguration": "OFF", **call.params})
    aliases = [*call.params.get("AliasAttributes", []), *call.params.get("UsernameAttributes", [])]
    pool.email_alias = "email" in aliases
    pool.save()
    signing.ensure_keys(pool, now=call.now)
    return {"UserPool": _described(pool)}


@operation("DescribeUserPool", Access.SIGNED, differs=PARTLY)
def describe_user_pool(call: Call) -> Answer:
    return {"UserPool": _described(pool_of(call))}


@operation(
    "UpdateUserPool",
    Access.SIGNED,
    differs=PARTLY + " Without DeviceConfiguration devices are tracked no longer, as on Cognito; other members that are"
    " left out stay as they are.",
)
def update_user_pool(call: Call) -> Answer:
    pool = pool_of(call)
    _apply(pool, {"DeviceConfiguration": None, **call.params})
    pool.save()
    return {}


@operation("DeleteUserPool", Access.SIGNED, differs="The users are the site's and stay; the devices are forgotten.")
def delete_user_pool(call: Call) -> Answer:
    pool = pool_of(call)
    if pool.deletion_protection:
        raise errors.invalid_parameter("The user pool cannot be deleted because deletion protection is activated.")
    housekeeping.delete_pool(pool, by=By(at=call.now))
    return None


@operation("ListUserPools", Access.SIGNED)
def list_user_pools(call: Call) -> Answer:
    assert call.key is not None  # the registry says SIGNED
    place = place_in("pools", call.params.get("NextToken"))
    page = OLDEST_FIRST.page(sigv4.pools_of(call.key), place, size=call.params["MaxResults"])
    return {"UserPools": [_summary(pool) for pool in page.rows], **next_token("pools", "NextToken", page)}


@operation(
    "SetUserPoolMfaConfig",
    Access.SIGNED,
    differs="Texts of messages are the site's. Members left out stay as they are, but OFF takes all factors away.",
)
def set_user_pool_mfa_config(call: Call) -> Answer:
    pool = pool_of(call)
    params = call.params
    software_token = params.get("SoftwareTokenMfaConfiguration", {}).get("Enabled", False)
    pool.mfa = params.get("MfaConfiguration", pool.mfa)
    if pool.mfa == MfaConfiguration.OFF:
        if software_token or "SmsMfaConfiguration" in params or "EmailMfaConfiguration" in params:
            raise errors.invalid_parameter(
                "Invalid MFA configuration given, can't turn off MFA and configure an MFA together."
            )
        pool.software_token_mfa = pool.sms_mfa = pool.email_mfa = False
    if "SoftwareTokenMfaConfiguration" in params:
        pool.software_token_mfa = software_token
    if "SmsMfaConfiguration" in params:
        pool.sms_mfa = True
    if "EmailMfaConfiguration" in params:
        pool.email_mfa = True
    if pool.mfa != MfaConfiguration.OFF and not (pool.software_token_mfa or pool.sms_mfa or pool.email_mfa):
        raise errors.invalid_parameter("Invalid MFA configuration given, can't turn on MFA without configuring it.")
    pool.save()
    return _mfa_config(pool)


@operation("GetUserPoolMfaConfig", Access.SIGNED)
def get_user_pool_mfa_config(call: Call) -> Answer:
    return _mfa_config(pool_of(call))


def _apply(pool: UserPool, params: dict[str, Any]) -> None:
    pool.name = params.get("PoolName", pool.name)
    if "MfaConfiguration" in params:
        pool.mfa = params["MfaConfiguration"]
        if pool.mfa != MfaConfiguration.OFF and not (pool.sms_mfa or pool.email_mfa):
            pool.software_token_mfa = True
    if "DeviceConfiguration" in params:
        wanted = params["DeviceConfiguration"]
        pool.tracking = TrackingMode.OFF
        if wanted is not None:
            prompt = wanted.get("DeviceOnlyRememberedOnUserPrompt", False)
            pool.tracking = TrackingMode.OPT_IN if prompt else TrackingMode.ALWAYS
            pool.challenge_required_on_new_device = wanted.get("ChallengeRequiredOnNewDevice", False)
    if "UserPoolAddOns" in params:
        pool.threat_protection = params["UserPoolAddOns"]["AdvancedSecurityMode"] != "OFF"
    if "DeletionProtection" in params:
        pool.deletion_protection = params["DeletionProtection"] == "ACTIVE"


def _described(pool: UserPool) -> dict[str, Any]:
    described = {
        **_summary(pool),
        "Arn": f"arn:aws:cognito-idp:{pool.region}:{conf.get_options().ACCOUNT_ID}:userpool/{pool.pool_id}",
        "MfaConfiguration": pool.mfa,
        "DeletionProtection": "ACTIVE" if pool.deletion_protection else "INACTIVE",
        "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT" if pool.threat_protection else "OFF"},
    }
    if pool.is_tracking:
        described["DeviceConfiguration"] = {
            "ChallengeRequiredOnNewDevice": pool.challenge_required_on_new_device,
            "DeviceOnlyRememberedOnUserPrompt": pool.tracking == TrackingMode.OPT_IN,
        }
    if pool.email_alias:
        described["AliasAttributes"] = ["email"]
    return described


def _summary(pool: UserPool) -> dict[str, Any]:
    return {
        "Id": pool.pool_id,
        "Name": pool.name,
        "LastModifiedDate": round(pool.modified_at.timestamp(), 3),
        "CreationDate": round(pool.created_at.timestamp(), 3),
    }


def _mfa_config(pool: UserPool) -> dict[str, Any]:
    config: dict[str, Any] = {"MfaConfiguration": pool.mfa}
    if pool.mfa == MfaConfiguration.OFF:
        return config  # what is answered here can be set again, and OFF goes with no factor
    config["SoftwareTokenMfaConfiguration"] = {"Enabled": pool.software_token_mfa}
    if pool.sms_mfa:
        config["SmsMfaConfiguration"] = {}
    if pool.email_mfa:
        config["EmailMfaConfiguration"] = {}
    return config
