"""App clients of a user pool."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from trusted_devices.cognito_idp import accounts, errors
from trusted_devices.cognito_idp.models import LEGACY_FLOWS, UserPool, UserPoolClient, default_auth_flows
from trusted_devices.cognito_idp.operations.admin import pool_of
from trusted_devices.cognito_idp.pages import OLDEST_FIRST, next_token, place_in
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation

PARTLY = "Flows, lifetimes, rotation, revocation and existence errors; nothing about OAuth and hosted pages."
SAFER = " PreventUserExistenceErrors is ENABLED unless LEGACY is asked for."
PAGE = 60
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
LIFETIMES = {
    "AccessToken": ("access_token_validity", "hours", timedelta(minutes=5), timedelta(days=1)),
    "IdToken": ("id_token_validity", "hours", timedelta(minutes=5), timedelta(days=1)),
    "RefreshToken": ("refresh_token_validity", "days", timedelta(hours=1), timedelta(days=3650)),
}


@operation("CreateUserPoolClient", Access.SIGNED, differs=PARTLY + SAFER)
def create_user_pool_client(call: Call) -> Answer:
    pool = pool_of(call)
    app_client = UserPoolClient(pool=pool, auth_flows=default_auth_flows())
    secret = call.params.get("ClientSecret") or (secrets.token_hex(26) if call.params.get("GenerateSecret") else "")
    if secret:
        accounts.set_client_secret(app_client, secret)
    _apply(app_client, call.params)
    app_client.save()
    return {"UserPoolClient": _described(app_client)}


@operation("DescribeUserPoolClient", Access.SIGNED, differs=PARTLY)
def describe_user_pool_client(call: Call) -> Answer:
    return {"UserPoolClient": _described(_app_client(call, pool_of(call)))}


@operation("UpdateUserPoolClient", Access.SIGNED, differs=PARTLY + " Members left out stay as they are.")
def update_user_pool_client(call: Call) -> Answer:
    app_client = _app_client(call, pool_of(call))
    _apply(app_client, call.params)
    app_client.save()
    return {"UserPoolClient": _described(app_client)}


@operation("DeleteUserPoolClient", Access.SIGNED)
def delete_user_pool_client(call: Call) -> Answer:
    _app_client(call, pool_of(call)).delete()
    return None


@operation("ListUserPoolClients", Access.SIGNED)
def list_user_pool_clients(call: Call) -> Answer:
    pool = pool_of(call)
    name, size = f"clients of {pool.pool_id}", call.params.get("MaxResults") or PAGE
    page = OLDEST_FIRST.page(pool.clients.all(), place_in(name, call.params.get("NextToken")), size=size)
    return {
        "UserPoolClients": [
            {"ClientId": app_client.client_id, "UserPoolId": pool.pool_id, "ClientName": app_client.name}
            for app_client in page.rows
        ],
        **next_token(name, "NextToken", page),
    }


def _app_client(call: Call, pool: UserPool) -> UserPoolClient:
    app_client = UserPoolClient.objects.filter(pool=pool, client_id=call.params["ClientId"]).first()
    if app_client is None:
        raise errors.client_not_found(call.params["ClientId"])
    return app_client


def _apply(app_client: UserPoolClient, params: dict[str, Any]) -> None:
    app_client.name = params.get("ClientName", app_client.name)
    app_client.auth_flows = params.get("ExplicitAuthFlows", app_client.auth_flows)
    if len({flow in LEGACY_FLOWS for flow in app_client.auth_flows}) > 1:
        raise errors.invalid_parameter("Legacy names of ExplicitAuthFlows cannot be mixed with those in ALLOW_.")
    app_client.auth_session_validity = params.get("AuthSessionValidity", app_client.auth_session_validity)
    app_client.enable_token_revocation = params.get("EnableTokenRevocation", app_client.enable_token_revocation)
    app_client.propagate_context = params.get("EnablePropagateAdditionalUserContextData", app_client.propagate_context)
    if "PreventUserExistenceErrors" in params:
        app_client.prevent_user_existence_errors = params["PreventUserExistenceErrors"] == "ENABLED"
    if "RefreshTokenRotation" in params:
        app_client.rotate_refresh_tokens = params["RefreshTokenRotation"].get("Feature") == "ENABLED"
        app_client.rotation_grace = params["RefreshTokenRotation"].get("RetryGracePeriodSeconds", 0)
    app_client.token_units = params.get("TokenValidityUnits", app_client.token_units)
    for name, (field, default_unit, shortest, longest) in LIFETIMES.items():
        given = params.get(f"{name}Validity")
        if not given:
            continue
        lifetime = timedelta(seconds=given * UNITS[app_client.token_units.get(name, default_unit)])
        if not shortest <= lifetime <= longest:
            raise errors.invalid_parameter(
                f"Invalid range for token validity: {name} must last {shortest} to {longest}."
            )
        setattr(app_client, field, lifetime)


def _described(app_client: UserPoolClient) -> dict[str, Any]:
    described: dict[str, Any] = {
        "UserPoolId": app_client.pool.pool_id,
        "ClientName": app_client.name,
        "ClientId": app_client.client_id,
        "LastModifiedDate": round(app_client.modified_at.timestamp(), 3),
        "CreationDate": round(app_client.created_at.timestamp(), 3),
        "ExplicitAuthFlows": app_client.auth_flows,
        "PreventUserExistenceErrors": "ENABLED" if app_client.prevent_user_existence_errors else "LEGACY",
        "EnableTokenRevocation": app_client.enable_token_revocation,
        "EnablePropagateAdditionalUserContextData": app_client.propagate_context,
        "AuthSessionValidity": app_client.auth_session_validity,
    }
    if app_client.token_units:
        described["TokenValidityUnits"] = app_client.token_units
    if app_client.rotate_refresh_tokens:
        described["RefreshTokenRotation"] = {
            "Feature": "ENABLED",
            "RetryGracePeriodSeconds": app_client.rotation_grace,
        }
    for name, (field, default_unit, _shortest, _longest) in LIFETIMES.items():
        unit = UNITS[app_client.token_units.get(name, default_unit)]
        described[f"{name}Validity"] = int(getattr(app_client, field).total_seconds()) // unit
    if app_client.has_secret:
        described["ClientSecret"] = accounts.client_secret(app_client)
    return described
