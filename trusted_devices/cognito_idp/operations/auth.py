"""Signing in: InitiateAuth, RespondToAuthChallenge and their Admin twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trusted_devices.cognito_idp import errors, flow, sigv4, tokens
from trusted_devices.cognito_idp.flow import Step
from trusted_devices.cognito_idp.models import UserPoolClient
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.types import ClientInfo

NO_CUSTOM = "No custom authentication, passkeys or choice-based sign-in."
NO_OTHERS = NO_CUSTOM + " Along with a new password only attributes that were asked for."

_PUBLIC_FLOWS = ("USER_SRP_AUTH", "USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH")
_ADMIN_FLOWS = ("USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH", "USER_PASSWORD_AUTH")
_OLD_NAMES = {"REFRESH_TOKEN": "REFRESH_TOKEN_AUTH", "ADMIN_NO_SRP_AUTH": "ADMIN_USER_PASSWORD_AUTH"}


@operation("InitiateAuth", Access.PUBLIC, differs=NO_CUSTOM)
def initiate_auth(call: Call) -> Answer:
    app_client = find_app_client(call.params["ClientId"])
    return _initiate(_step(call, app_client, "AuthParameters"), call.params["AuthFlow"], _PUBLIC_FLOWS)


@operation("AdminInitiateAuth", Access.SIGNED, differs=NO_CUSTOM)
def admin_initiate_auth(call: Call) -> Answer:
    app_client = _app_client_of_pool(call)
    return _initiate(_step(call, app_client, "AuthParameters"), call.params["AuthFlow"], _ADMIN_FLOWS)


@operation("RespondToAuthChallenge", Access.PUBLIC, differs=NO_OTHERS)
def respond_to_auth_challenge(call: Call) -> Answer:
    app_client = find_app_client(call.params["ClientId"])
    return _respond(_step(call, app_client, "ChallengeResponses"), call)


@operation("AdminRespondToAuthChallenge", Access.SIGNED, differs=NO_OTHERS)
def admin_respond_to_auth_challenge(call: Call) -> Answer:
    app_client = _app_client_of_pool(call)
    return _respond(_step(call, app_client, "ChallengeResponses"), call)


def find_app_client(client_id: str) -> UserPoolClient:
    """Return the client with that id, of whatever pool. Raises ``WireError`` (ResourceNotFoundException)."""
    app_client = UserPoolClient.objects.select_related("pool").filter(client_id=client_id).first()
    if app_client is None:
        raise errors.client_not_found(client_id)
    return app_client


def client_info(call: Call, app_client: UserPoolClient) -> ClientInfo:
    """Return who is at the other end: what a trusted server says of its user, or else the connection."""
    if call.key is not None:
        return _told_by_server(call)
    told = call.params.get("UserContextData", {}).get("IpAddress")
    if app_client.propagate_context and app_client.has_secret:
        return flow.with_address(call.client_info, told)
    return call.client_info


def _told_by_server(call: Call) -> ClientInfo:
    context: dict[str, Any] = call.params.get("ContextData", {})
    agents = [
        header.get("headerValue", "")
        for header in context.get("HttpHeaders", [])
        if header.get("headerName", "").lower() == "user-agent"
    ]
    return flow.with_address(call.client_info, context.get("IpAddress"), agents[0] if agents else None)


def _app_client_of_pool(call: Call) -> UserPoolClient:
    assert call.key is not None  # the registry says SIGNED
    pool = sigv4.require_pool(call.key, call.operation, call.params["UserPoolId"])
    app_client = find_app_client(call.params["ClientId"])
    if pool is None or app_client.pool_id != pool.pk:
        raise errors.client_not_found(call.params["ClientId"])
    return app_client


def _step(call: Call, app_client: UserPoolClient, member: str) -> Step:
    given = call.params.get(member, {})
    return Step(
        app_client=app_client,
        client_info=client_info(call, app_client),
        now=call.now,
        answers={name: value for name, value in given.items() if value is not None},
        key_withdrawn="DEVICE_KEY" in given and given["DEVICE_KEY"] is None,
    )


def _initiate(step: Step, asked: str, known: tuple[str, ...]) -> dict[str, Any]:
    name = _OLD_NAMES.get(asked, asked)
    if name not in known:
        raise errors.invalid_parameter(f"{asked} is not supported.")
    if not step.app_client.allows(name) and not (asked == "ADMIN_NO_SRP_AUTH" and step.app_client.allows(asked)):
        if name == "USER_PASSWORD_AUTH":
            raise errors.invalid_parameter("USER_PASSWORD_AUTH flow not enabled for this client")
        raise errors.invalid_parameter(f"{asked} is not enabled for the client.")
    if name == "REFRESH_TOKEN_AUTH":
        return _refresh(step)
    if name == "USER_SRP_AUTH":
        return flow.begin_with_srp(step)
    return flow.begin_with_password(step)


def _refresh(step: Step) -> dict[str, Any]:
    token = step.require("REFRESH_TOKEN")
    if step.app_client.has_secret:
        pool_user = tokens.owner(app_client=step.app_client, token=token)
        step.require_secret_hash(pool_user.user.get_username(), str(pool_user.sub))
    device_key = step.answers.get("DEVICE_KEY")
    try:
        result = tokens.refresh(app_client=step.app_client, token=token, device_key=device_key, now=step.now)
    except errors.RefreshTokenReused:
        # Declared for GetTokensFromRefreshToken alone.
        raise errors.refresh_token_revoked() from None
    return {"ChallengeParameters": {}, "AuthenticationResult": result}


def _respond(step: Step, call: Call) -> dict[str, Any]:
    session: str | None = call.params.get("Session")
    handlers: dict[str, Callable[[], dict[str, Any]]] = {
        "PASSWORD_VERIFIER": lambda: flow.answer_password_verifier(step),
        "SMS_MFA": lambda: flow.answer_code(step, "SMS_MFA", session),
        "SOFTWARE_TOKEN_MFA": lambda: flow.answer_code(step, "SOFTWARE_TOKEN_MFA", session),
        "EMAIL_OTP": lambda: flow.answer_code(step, "EMAIL_OTP", session),
        "SELECT_MFA_TYPE": lambda: flow.answer_choice(step, session),
        "NEW_PASSWORD_REQUIRED": lambda: flow.answer_new_password(step, session),
        "MFA_SETUP": lambda: flow.answer_setup(step, session),
        "DEVICE_SRP_AUTH": lambda: flow.begin_device_proof(step, session),
        "DEVICE_PASSWORD_VERIFIER": lambda: flow.answer_device_verifier(step),
    }
    name = call.params["ChallengeName"]
    if name not in handlers:
        raise errors.invalid_parameter(f"{name} is not supported.")
    return handlers[name]()
