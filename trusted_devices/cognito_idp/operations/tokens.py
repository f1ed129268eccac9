"""Tokens: refreshing them, revoking them, signing out everywhere."""

from __future__ import annotations

from trusted_devices.cognito_idp import accounts, errors, tokens
from trusted_devices.cognito_idp.operations.auth import find_app_client
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation


@operation(
    "GetTokensFromRefreshToken",
    Access.PUBLIC,
    differs="All tokens of a sign-in end when the user's password or second factors on the site change.",
)
def get_tokens_from_refresh_token(call: Call) -> Answer:
    params = call.params
    app_client = find_app_client(params["ClientId"])
    accounts.require_secret(app_client, params.get("ClientSecret"))
    if not app_client.allows("REFRESH_TOKEN_AUTH") and not app_client.rotate_refresh_tokens:
        raise errors.invalid_parameter("REFRESH_TOKEN_AUTH is not enabled for the client.")
    result = tokens.refresh(
        app_client=app_client, token=params["RefreshToken"], device_key=params.get("DeviceKey"), now=call.now
    )
    return {"AuthenticationResult": result}


@operation("RevokeToken", Access.PUBLIC)
def revoke_token(call: Call) -> Answer:
    params = call.params
    try:
        app_client = find_app_client(params["ClientId"])
        accounts.require_secret(app_client, params.get("ClientSecret"))
    except errors.WireError as error:
        # The operation declares neither NotAuthorizedException nor ResourceNotFoundException.
        raise errors.WireError("UnauthorizedException", error.message) from None
    if not app_client.enable_token_revocation:
        raise errors.WireError("UnsupportedOperationException", "Token revocation is not enabled for the client.")
    tokens.revoke(app_client=app_client, token=params["Token"], now=call.now)
    return {}


@operation("GlobalSignOut", Access.TOKEN)
def global_sign_out(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    tokens.revoke_all(user=bearer.user, pool=bearer.pool, now=call.now)
    return {}
