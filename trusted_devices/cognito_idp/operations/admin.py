"""What a program with an access key does to users and their devices."""

from __future__ import annotations

import dataclasses

from trusted_devices.cognito_idp import accounts, devicelists, errors, factors, pool_devices, sigv4, tokens
from trusted_devices.cognito_idp.models import PoolUser, UserPool
from trusted_devices.cognito_idp.operations.devices import change_status
from trusted_devices.cognito_idp.operations.users import attributes, mfa_settings, preferences
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.services import devices


def pool_of(call: Call) -> UserPool:
    """Return the pool that the call names, if its key is good for it. Raises ``WireError``."""
    assert call.key is not None  # the registry says SIGNED
    pool = sigv4.require_pool(call.key, call.operation, call.params["UserPoolId"])
    assert pool is not None  # an id was given
    return pool


def pool_user_of(call: Call) -> PoolUser:
    """Return the user whom the call names. Raises ``WireError`` (UserNotFoundException)."""
    return accounts.require_for_admin(pool_of(call), call.params["Username"])


@operation("AdminListDevices", Access.SIGNED)
def admin_list_devices(call: Call) -> Answer:
    pool_user = _pool_user_or_missing(call)
    limit, token = call.params.get("Limit", 0), call.params.get("PaginationToken")
    return devicelists.full_page(pool_user, limit=limit, token=token, now=call.now)


@operation("AdminGetDevice", Access.SIGNED)
def admin_get_device(call: Call) -> Answer:
    pool_user = _pool_user_or_missing(call)
    return {"Device": devicelists.full(pool_user, pool_devices.find(pool_user, call.params["DeviceKey"]), now=call.now)}


@operation(
    "AdminUpdateDeviceStatus",
    Access.SIGNED,
    differs="A device that never went through MFA is remembered, and still asked for MFA once.",
)
def admin_update_device_status(call: Call) -> Answer:
    pool_user = pool_user_of(call)
    device = pool_devices.find(pool_user, call.params["DeviceKey"])
    change_status(call, device, pool_user.pool, verification=None, by=call.by)
    return {}


@operation("AdminForgetDevice", Access.SIGNED)
def admin_forget_device(call: Call) -> Answer:
    device = pool_devices.find(pool_user_of(call), call.params["DeviceKey"])
    note = f"access key {call.key.access_key_id}" if call.key else ""
    devices.forget([device], by=dataclasses.replace(call.by, note=note))
    return None


@operation("AdminGetUser", Access.SIGNED)
def admin_get_user(call: Call) -> Answer:
    pool_user = pool_user_of(call)
    user = pool_user.user
    joined = getattr(user, "date_joined", None) or pool_user.pool.created_at
    modified = max(joined, pool_user.modified_at or joined)
    return {
        **attributes(pool_user),
        **mfa_settings(pool_user),
        "UserCreateDate": round(joined.timestamp(), 3),
        "UserLastModifiedDate": round(modified.timestamp(), 3),
        "Enabled": user.is_active,
        "UserStatus": "FORCE_CHANGE_PASSWORD" if pool_user.must_change_password else "CONFIRMED",
    }


@operation("AdminUserGlobalSignOut", Access.SIGNED)
def admin_user_global_sign_out(call: Call) -> Answer:
    pool_user = pool_user_of(call)
    tokens.revoke_all(user=pool_user.user, pool=pool_user.pool, now=call.now)
    return {}


@operation("AdminSetUserMFAPreference", Access.SIGNED, differs="Changes end the trust in the user's devices.")
def admin_set_user_mfa_preference(call: Call) -> Answer:
    factors.set_preference(pool_user_of(call), preferences(call.params))
    return {}


def _pool_user_or_missing(call: Call) -> PoolUser:
    """Return the user whom the call names, where UserNotFoundException is not declared."""
    pool_user = accounts.find_for_admin(pool_of(call), call.params["Username"])
    if pool_user is None:
        raise errors.not_found("User does not exist.")
    return pool_user
