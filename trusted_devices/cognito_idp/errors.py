"""What goes wrong, in Cognito's names and words. Clients match on both.

The word "device" must not occur in any ``ResourceNotFoundException`` but the one about devices: a client of Amazon's
takes it for that and begins again.
"""

from __future__ import annotations

from collections.abc import Iterable


class WireError(Exception):
    """An answer that is an error: ``name`` is its type, the message goes to the client as it is."""

    def __init__(self, name: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.status = status


class RefreshTokenReused(WireError):
    """A rotated refresh token came back; the sign-in that it was from has been ended."""

    def __init__(self) -> None:
        super().__init__("RefreshTokenReuseException", "Refresh Token has been used before")


def not_authorized(message: str) -> WireError:
    return WireError("NotAuthorizedException", message)


def invalid_parameter(message: str) -> WireError:
    return WireError("InvalidParameterException", message)


def not_found(message: str) -> WireError:
    return WireError("ResourceNotFoundException", message)


def incorrect() -> WireError:
    """Wrong password, signature, secret block, timestamp, or no such user."""
    return not_authorized("Incorrect username or password.")


def user_disabled() -> WireError:
    return not_authorized("User is disabled.")


def attempts_exceeded() -> WireError:
    return not_authorized("Password attempts exceeded")


def user_not_found() -> WireError:
    return WireError("UserNotFoundException", "User does not exist.")


def device_not_found() -> WireError:
    """The exact words by which clients recognise that they should forget the device and sign in without it."""
    return not_found("Device does not exist.")


def invalid_device_key() -> WireError:
    return invalid_parameter("Invalid device key given.")


def pool_not_found(pool_id: str) -> WireError:
    return not_found(f"User pool {pool_id} does not exist.")


def client_not_found(client_id: str) -> WireError:
    return not_found(f"User pool client {client_id} does not exist.")


def invalid_password(why: str) -> WireError:
    return WireError("InvalidPasswordException", f"Password did not conform with policy: {why}")


def attributes_missing(names: Iterable[str]) -> WireError:
    return invalid_parameter(", ".join(["Invalid attributes given", *(f"{name} is missing" for name in names)]))


def attributes_unfit(why: str) -> WireError:
    return invalid_parameter(f"Attributes did not conform to the schema: {why}")


def attribute_provided(name: str) -> WireError:
    return not_authorized(f"Cannot modify an already provided {name}")


def attribute_denied() -> WireError:
    return not_authorized("A client attempted to write unauthorized attribute")


def missing_parameter(name: str) -> WireError:
    return invalid_parameter(f"Missing required parameter {name}")


def invalid_session() -> WireError:
    return not_authorized("Invalid session for the user.")


def session_expired() -> WireError:
    return not_authorized("Invalid session for the user, session is expired.")


def session_used() -> WireError:
    return not_authorized("Invalid session for the user, session can only be used once.")


def session_overtaken() -> WireError:
    """The user has a second factor by now, which a sign-in that was to set up the first one has not used."""
    return not_authorized("Invalid session for the user, a second factor was set up meanwhile. Sign in again with it.")


def second_factor_unused() -> WireError:
    return not_authorized("Access Token is of a sign-in without MFA. Sign in again with your second factor.")


def second_factor_elsewhere() -> WireError:
    """The user has a second factor, and no sign-in to this pool can use it."""
    return not_authorized(
        "Access Token is of a user pool that cannot ask for your second factor. Change it where you set it up."
    )


def cannot_ask() -> WireError:
    """MFA is required, and the user's second factor is none that the pool asks for."""
    return WireError(
        "InvalidUserPoolConfigurationException",
        "MFA is required, and the user pool cannot ask for your second factor. Ask whoever runs it to switch it on.",
    )


def cannot_set_up() -> WireError:
    return WireError("InvalidUserPoolConfigurationException", "MFA is required and cannot be set up here.")


def invalid_refresh_token() -> WireError:
    return not_authorized("Invalid Refresh Token.")


def refresh_token_revoked() -> WireError:
    return not_authorized("Refresh Token has been revoked")


def too_many_requests() -> WireError:
    return WireError("TooManyRequestsException", "Too many requests")


def software_token_not_found() -> WireError:
    return WireError("SoftwareTokenMFANotFoundException", "User has not set up software token mfa")


def software_tokens_off() -> WireError:
    return WireError("SoftwareTokenMFANotFoundException", "Software token MFA is not enabled for the pool.")


def code_used() -> WireError:
    return WireError("ExpiredCodeException", "Your software token has already been used once.")


def mfa_method_not_found() -> WireError:
    return WireError("MFAMethodNotFoundException", "MFA method is not available for the user.")


def serialization(message: str) -> WireError:
    return WireError("SerializationException", message)


def unknown_operation() -> WireError:
    return WireError("UnknownOperationException", "Unknown operation.")


def internal() -> WireError:
    return WireError("InternalErrorException", "Something went wrong.", status=500)
