"""Signing in: InitiateAuth, RespondToAuthChallenge and their Admin twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trusted_devices.cognito_idp import callers, errors, factors, sigv4, srp_names, tokens
from trusted_devices.cognito_idp.models import UserPoolClient
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.cognito_idp.signin import challenges, device_proof, new_password, password
from trusted_devices.cognito_idp.signin.request import SignInRequest
from trusted_devices.types import By

NO_CUSTOM = "No custom authentication, passkeys or choice-based sign-in."
NO_OTHERS = NO_CUSTOM + " Along with a new password only attributes that were asked for."

_PUBLIC_FLOWS = ("USER_SRP_AUTH", "USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH")
_ADMIN_FLOWS = ("USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH", "USER_PASSWORD_AUTH")
_OLD_NAMES = {"REFRESH_TOKEN": "REFRESH_TOKEN_AUTH", "ADMIN_NO_SRP_AUTH": "ADMIN_USER_PASSWORD_AUTH"}


@operation("InitiateAuth", Access.PUBLIC, differs=NO_CUSTOM)
def initiate_auth(call: Call) -> Answer:
    return _initiate(call, find_app_client(call.params["ClientId"]), _PUBLIC_FLOWS)


@operation("AdminInitiateAuth", Access.SIGNED, differs=NO_CUSTOM)
def admin_initiate_auth(call: Call) -> Answer:
    return _initiate(call, _app_client_of_pool(call), _ADMIN_FLOWS)


@operation("RespondToAuthChallenge", Access.PUBLIC, differs=NO_OTHERS)
def respond_to_auth_challenge(call: Call) -> Answer:
    return _respond(call, find_app_client(call.params["ClientId"]))


@operation("AdminRespondToAuthChallenge", Access.SIGNED, differs=NO_OTHERS)
def admin_respond_to_auth_challenge(call: Call) -> Answer:
    return _respond(call, _app_client_of_pool(call))


def find_app_client(client_id: str) -> UserPoolClient:
    """Return the client with that id, of whatever pool. Raises ``WireError`` (ResourceNotFoundException)."""
    app_client = UserPoolClient.objects.select_related("pool").filter(client_id=client_id).first()
    if app_client is None:
        raise errors.client_not_found(client_id)
    return app_client


def _app_client_of_pool(call: Call) -> UserPoolClient:
    assert call.key is not None  # the registry says SIGNED
    pool = sigv4.require_pool(call.key, call.operation, call.params["UserPoolId"])
    app_client = find_app_client(call.params["ClientId"])
    if pool is None or app_client.pool_id != pool.pk:
        raise errors.client_not_found(call.params["ClientId"])
    return app_client


def _request(call: Call, app_client: UserPoolClient, step: str, member: str) -> SignInRequest:
    given = call.params.get(member, {})
    client = callers.client_info(call, app_client, username=given.get("USERNAME") or "")
    return SignInRequest(
        step=step,
        app_client=app_client,
        by=By(client=client, at=call.now),
        answers={name: value for name, value in given.items() if value is not None},
        session_text=call.params.get("Session") or "",
        key_withdrawn="DEVICE_KEY" in given and given["DEVICE_KEY"] is None,
    )


def _initiate(call: Call, app_client: UserPoolClient, known: tuple[str, ...]) -> dict[str, Any]:
    asked = call.params["AuthFlow"]
    flow = _OLD_NAMES.get(asked, asked)
    if flow not in known:
        raise errors.invalid_parameter(f"{asked} is not supported.")
    # A client that rotates its refresh tokens has GetTokensFromRefreshToken alone, as on Cognito.
    rotated = flow == "REFRESH_TOKEN_AUTH" and app_client.rotate_refresh_tokens
    if rotated or not app_client.allows(flow):
        if flow == "USER_PASSWORD_AUTH":
            raise errors.invalid_parameter("USER_PASSWORD_AUTH flow not enabled for this client")
        raise errors.invalid_parameter(f"{asked} is not enabled for the client.")
    return _FLOWS[flow](_request(call, app_client, flow, "AuthParameters"))


def _respond(call: Call, app_client: UserPoolClient) -> dict[str, Any]:
    challenge = call.params["ChallengeName"]
    if challenge not in _CHALLENGES:
        raise errors.invalid_parameter(f"{challenge} is not supported.")
    return _CHALLENGES[challenge](_request(call, app_client, challenge, "ChallengeResponses"))


def _refresh(request: SignInRequest) -> dict[str, Any]:
    token = request.require("REFRESH_TOKEN")
    if request.app_client.has_secret:
        pool_user = tokens.owner(app_client=request.app_client, token=token)
        made_up = srp_names.of_user(request.pool, pool_user.user_id)
        request.require_secret_hash(pool_user.user.get_username(), str(pool_user.sub), made_up)
    device_key = request.answers.get("DEVICE_KEY")
    try:
        result = tokens.refresh(app_client=request.app_client, token=token, device_key=device_key, now=request.now)
    except errors.RefreshTokenReused:
        # Declared for GetTokensFromRefreshToken alone.
        raise errors.refresh_token_revoked() from None
    return {"ChallengeParameters": {}, "AuthenticationResult": result}


_FLOWS: dict[str, Callable[[SignInRequest], dict[str, Any]]] = {
    "USER_PASSWORD_AUTH": password.begin_with_password,
    "ADMIN_USER_PASSWORD_AUTH": password.begin_with_password,
    "USER_SRP_AUTH": password.begin_with_srp,
    "REFRESH_TOKEN_AUTH": _refresh,
}
_CHALLENGES: dict[str, Callable[[SignInRequest], dict[str, Any]]] = {
    "PASSWORD_VERIFIER": password.answer_verifier,
    **dict.fromkeys(factors.CODE_MEMBER, challenges.answer_code),
    "SELECT_MFA_TYPE": challenges.answer_choice,
    "MFA_SETUP": challenges.answer_setup,
    new_password.CHALLENGE: new_password.answer,
    "DEVICE_SRP_AUTH": device_proof.begin,
    "DEVICE_PASSWORD_VERIFIER": device_proof.answer,
}
