"""Every operation and every error that is declared for it: provoked here with its text, or not raised for a reason."""

from dataclasses import replace
from itertools import product

import pytest
from django.contrib.auth import get_user_model
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.scene import new_password, srp_answer, srp_begin
from tests.cognito_idp.wire import Refused, declared, decoded
from trusted_devices.cognito_idp import endpoint
from trusted_devices.cognito_idp.coverage import NEVER_RAISED
from trusted_devices.cognito_idp.models import PoolUser, UserPool, UserPoolClient
from trusted_devices.cognito_idp.protocol import service_model
from trusted_devices.cognito_idp.registry import Access, operations
from trusted_devices.models import DeviceEvent

INCORRECT = "Incorrect username or password."
NO_DEVICE = "Device does not exist."
NO_SUCH_KEY = "us-east-1_00000000-0000-0000-0000-000000000000"
ADMIN_SIGN_IN = ("AdminInitiateAuth", "AdminRespondToAuthChallenge")

MINIMAL = {
    "AccessToken": "garbage",
    "AuthFlow": "USER_PASSWORD_AUTH",
    "ChallengeName": "SMS_MFA",
    "ClientId": "nobody",
    "ClientName": "new",
    "DeviceKey": "us-east-1_0",
    "EventId": "none",
    "FeedbackToken": "garbage",
    "FeedbackValue": "Valid",
    "MaxResults": 1,
    "PoolName": "new",
    "RefreshToken": "garbage",
    "Token": "garbage",
    "UserCode": "123456",
    "UserPoolId": "us-east-1_Nobody",
    "Username": "nobody",
}


def members(operation):
    return set(service_model().operation_model(operation).input_shape.members)


def minimal(operation):
    """A request that is well formed and means nothing to this site."""
    required = set(service_model().operation_model(operation).input_shape.required_members)
    return {name: MINIMAL[name] for name in required | (members(operation) & {"AccessToken"})}


# What a provocation does: prepares the site and returns the request that is then refused.
ROWS = []


def row(operation, error, message, provoke):
    ROWS.append((operation, error, message, provoke))


def twins(operation, error, message, provoke):
    """The same for InitiateAuth or RespondToAuthChallenge and for its Admin twin."""
    row(operation, error, message, provoke)
    row(f"Admin{operation}", error, message, lambda s: {"UserPoolId": s.pool.pool_id, **provoke(s)})


def unusable(operation):
    return lambda _s: minimal(operation)


def changed(operation, **changes):
    return lambda s: {**s.params(operation), **changes}


# Whatever names a client, a pool, a user, a device or a token that is not there

for name, known in operations().items():
    if known.access in (Access.TOKEN, Access.SESSION):
        row(name, "NotAuthorizedException", "Invalid Access Token", unusable(name))
    elif known.access is Access.SIGNED and "UserPoolId" in members(name):
        row(name, "ResourceNotFoundException", "User pool us-east-1_Nobody does not exist.", unusable(name))
    elif known.access is Access.PUBLIC:
        error = "UnauthorizedException" if name == "RevokeToken" else "ResourceNotFoundException"
        row(name, error, "User pool client nobody does not exist.", unusable(name))
    if known.access is Access.SIGNED and "DeviceKey" in members(name):
        row(name, "ResourceNotFoundException", NO_DEVICE, lambda s: {**s.pool_user, "DeviceKey": NO_SUCH_KEY})
    elif known.access is Access.TOKEN and "DeviceKey" in members(name) and name != "ConfirmDevice":
        row(name, "ResourceNotFoundException", NO_DEVICE, lambda s: {"AccessToken": s.token, "DeviceKey": NO_SUCH_KEY})
    if known.access is Access.SIGNED and "Username" in members(name):
        error = "UserNotFoundException" if "UserNotFoundException" in declared(name) else "ResourceNotFoundException"
        row(
            name,
            error,
            "User does not exist.",
            lambda s, name=name: {**minimal(name), "UserPoolId": s.pool.pool_id},
        )
    if known.access is Access.SIGNED and "ClientId" in members(name):
        row(
            name,
            "ResourceNotFoundException",
            "User pool client nobody does not exist.",
            lambda s, name=name: {**minimal(name), "UserPoolId": s.pool.pool_id},
        )

# Beginning to sign in


def begin(scene, **parameters):
    """By password, or by SRP if there is no password among ``parameters``."""
    return {**scene.client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": scene.password(**parameters)}


def telling(scene):
    """A client that may tell who exists."""
    UserPoolClient.objects.update(prevent_user_existence_errors=False)
    return scene


def without_any_factor(scene):
    """Everybody has to have a factor, and nobody can set one up."""
    scene.totp.delete()
    return with_a_factor_elsewhere(scene)


def with_a_factor_elsewhere(scene):
    """Everybody has to have a factor, and the pool cannot ask for the user's."""
    UserPool.objects.update(mfa="ON", software_token_mfa=False)
    return scene


def mailed_just_now(scene):
    """A code has just been mailed; the next one has to wait."""
    TOTPDevice.objects.all().delete()
    UserPool.objects.update(email_mfa=True)
    scene.totp.user.emaildevice_set.create(name="mail", confirmed=True)
    scene.wire.call("InitiateAuth", **begin(scene))
    return scene


CANNOT_ASK = (
    "MFA is required, and the user pool cannot ask for your second factor. Ask whoever runs it to switch it on."
)
CANNOT_SET_UP = "MFA is required and cannot be set up here."
twins("InitiateAuth", "NotAuthorizedException", INCORRECT, lambda s: begin(s, PASSWORD="wrong"))
twins("InitiateAuth", "UserNotFoundException", "User does not exist.", lambda s: begin(telling(s), USERNAME="nobody"))
twins(
    "InitiateAuth",
    "PasswordResetRequiredException",
    "Password reset required for the user",
    lambda s: srp_begin(telling(s)),
)
twins("InitiateAuth", "TooManyRequestsException", "Too many requests", lambda s: begin(mailed_just_now(s)))
twins("InitiateAuth", "InvalidUserPoolConfigurationException", CANNOT_SET_UP, lambda s: begin(without_any_factor(s)))
twins("InitiateAuth", "InvalidUserPoolConfigurationException", CANNOT_ASK, lambda s: begin(with_a_factor_elsewhere(s)))

# Answering challenges


def with_verifier(scene):
    """The pool keeps the user's verifier since they signed in by password."""
    scene.app.password_sign_in()
    return scene


def used(scene):
    params = scene.code()
    scene.wire.call("RespondToAuthChallenge", **params)
    return params


def used_code(scene):
    """A sign-in is asked for the code that another one has just used."""
    params = scene.code()
    session = scene.app.password_sign_in()["Session"]
    scene.wire.call("RespondToAuthChallenge", **params)
    return {**params, "Session": session}


def wrong_code(scene):
    params = scene.code()
    params["ChallengeResponses"]["SOFTWARE_TOKEN_MFA_CODE"] = "000000"
    return params


def guessed_too_often(scene):
    """django-otp makes the next guess wait."""
    params = wrong_code(scene)
    with pytest.raises(Refused):
        scene.wire.call("RespondToAuthChallenge", **params)
    return params


def token_turned_off(scene):
    params = scene.code()
    PoolUser.objects.update(mfa_enabled={"SOFTWARE_TOKEN_MFA": False})
    return params


def choice_of_nothing(scene):
    UserPool.objects.update(email_mfa=True)
    EmailDevice.objects.create(user=scene.totp.user, name="mail", confirmed=True)
    session = scene.app.password_sign_in()["Session"]
    responses = {"USERNAME": scene.app.username, "ANSWER": "SMS_MFA"}
    return {**scene.client, "ChallengeName": "SELECT_MFA_TYPE", "Session": session, "ChallengeResponses": responses}


def proved_without_any_factor(scene):
    params = srp_answer(with_verifier(scene))
    without_any_factor(scene)
    return params


def common_password(scene):
    params = new_password(scene)
    params["ChallengeResponses"]["NEW_PASSWORD"] = "password"
    return params


def without_the_name(scene):
    params = new_password(scene)
    params["ChallengeResponses"]["userAttributes.given_name"] = ""
    return params


def with_an_address(scene):
    params = new_password(scene)
    params["ChallengeResponses"]["userAttributes.email"] = "another@example.com"
    return params


def address_of_another(scene):
    users = get_user_model().objects
    users.update(email="")
    users.create_user("tom", "tom@example.com", "battery staple")
    params = new_password(scene)
    UserPool.objects.update(email_alias=True, required_attributes=["email"])
    responses = {"USERNAME": scene.app.username, "NEW_PASSWORD": "a much better staple"}
    return {**params, "ChallengeResponses": {**responses, "userAttributes.email": "tom@example.com"}}


TOO_COMMON = "Password did not conform with policy: This password is too common."
ONCE = "Invalid session for the user, session can only be used once."
USED = "Your software token has already been used once."
NO_TOKEN = "User has not set up software token mfa"
twins("RespondToAuthChallenge", "NotAuthorizedException", ONCE, used)
twins("RespondToAuthChallenge", "CodeMismatchException", "Invalid code received for user", wrong_code)
twins("RespondToAuthChallenge", "ExpiredCodeException", USED, used_code)
twins("RespondToAuthChallenge", "TooManyRequestsException", "Too many requests", guessed_too_often)
twins("RespondToAuthChallenge", "SoftwareTokenMFANotFoundException", NO_TOKEN, token_turned_off)
twins(
    "RespondToAuthChallenge",
    "MFAMethodNotFoundException",
    "MFA method is not available for the user.",
    choice_of_nothing,
)
twins("RespondToAuthChallenge", "InvalidPasswordException", TOO_COMMON, common_password)
twins(
    "RespondToAuthChallenge",
    "InvalidParameterException",
    "Invalid attributes given, given_name is missing",
    without_the_name,
)
twins("RespondToAuthChallenge", "NotAuthorizedException", "Cannot modify an already provided email", with_an_address)
twins(
    "RespondToAuthChallenge",
    "AliasExistsException",
    "An account with the given email already exists.",
    address_of_another,
)
twins("RespondToAuthChallenge", "InvalidUserPoolConfigurationException", CANNOT_SET_UP, proved_without_any_factor)

# Tokens


def rotated(scene):
    UserPoolClient.objects.update(rotate_refresh_tokens=True)
    params = scene.params("GetTokensFromRefreshToken")
    scene.wire.call("GetTokensFromRefreshToken", **params)
    return params


def not_revocable(scene):
    UserPoolClient.objects.update(enable_token_revocation=False)
    return scene.params("RevokeToken")


row(
    "GetTokensFromRefreshToken",
    "NotAuthorizedException",
    "Invalid Refresh Token.",
    changed("GetTokensFromRefreshToken", DeviceKey=NO_SUCH_KEY),
)
row("GetTokensFromRefreshToken", "RefreshTokenReuseException", "Refresh Token has been used before", rotated)
row(
    "RevokeToken",
    "UnsupportedOperationException",
    "Token revocation is not enabled for the client.",
    not_revocable,
)
row(
    "RevokeToken",
    "UnsupportedTokenTypeException",
    "Only refresh tokens can be revoked",
    lambda s: {**s.client, "Token": s.token},
)

# Devices and software tokens


def confirmed_before(scene):
    params = scene.unconfirmed()
    scene.wire.call("ConfirmDevice", **params)
    return params


def without_software_tokens(scene):
    scene.totp.delete()
    UserPool.objects.update(software_token_mfa=False, mfa="OFF")
    return {"AccessToken": scene.app.sign_in()["AccessToken"]}


row("ConfirmDevice", "DeviceKeyExistsException", "The key has been confirmed before.", confirmed_before)
row(
    "ConfirmDevice",
    "InvalidParameterException",
    "Invalid device key given.",
    lambda s: {**s.unconfirmed(), "DeviceKey": NO_SUCH_KEY},
)
row(
    "SetUserMFAPreference",
    "InvalidParameterException",
    "User does not have delivery config set to turn on SMS_MFA",
    changed("SetUserMFAPreference", SMSMfaSettings={"Enabled": True}),
)
row(
    "AssociateSoftwareToken",
    "SoftwareTokenMFANotFoundException",
    "Software token MFA is not enabled for the pool.",
    without_software_tokens,
)
row(
    "VerifySoftwareToken",
    "SoftwareTokenMFANotFoundException",
    NO_TOKEN,
    lambda s: {"AccessToken": s.token, "UserCode": "123456"},
)
row(
    "VerifySoftwareToken",
    "EnableSoftwareTokenMFAException",
    "Code mismatch",
    changed("VerifySoftwareToken", UserCode="000000"),
)

# Events


def without_events(operation):
    def provoke(scene):
        params = scene.params(operation)
        UserPool.objects.update(threat_protection=False)
        return params

    return provoke


def pruned(scene):
    params = scene.feedback()
    DeviceEvent.objects.all().delete()
    return params


NO_EVENTS = "Threat protection is not enabled for the pool."
for name in ("AdminListUserAuthEvents", "AdminUpdateAuthEventFeedback", "UpdateAuthEventFeedback"):
    row(name, "UserPoolAddOnNotEnabledException", NO_EVENTS, without_events(name))
row("UpdateAuthEventFeedback", "NotAuthorizedException", "Invalid feedback token", unusable("UpdateAuthEventFeedback"))
row("UpdateAuthEventFeedback", "ResourceNotFoundException", "The event does not exist.", pruned)
row(
    "UpdateAuthEventFeedback",
    "UserNotFoundException",
    "User does not exist.",
    changed("UpdateAuthEventFeedback", Username="nobody"),
)
row(
    "AdminUpdateAuthEventFeedback",
    "ResourceNotFoundException",
    "The event does not exist.",
    changed("AdminUpdateAuthEventFeedback", EventId="none"),
)

# Why an operation does not raise an error that others do

BOUND = "what a token or session names is there, or else the token or session is not good"
ELSEWHERE = {
    "NotAuthorizedException": "whoever may not use an access key for it hears AccessDeniedException",
    "ResourceNotFoundException": BOUND,
    "UserNotFoundException": BOUND,
    "PasswordResetRequiredException": "it is the answer to SRP for a user without a verifier",
    "TooManyRequestsException": "how many requests come in is for the site's own server to limit",
    "InvalidUserPoolConfigurationException": "what is told is that a second factor is due which nobody can have",
    "CodeMismatchException": "a wrong first code of a software token is told as EnableSoftwareTokenMFAException",
    "MFAMethodNotFoundException": "it is the answer to a choice, which no beginning is",
    "InvalidPasswordException": "a device's password never comes here, only its verifier",
    "UnsupportedOperationException": "a flow that is not enabled is told as InvalidParameterException",
}
EVERYWHERE = ("InternalErrorException", "InvalidParameterException")

DECLARED = {(name, error) for name in operations() for error in declared(name)}
PROVOKED = {(name, error) for name, error, _message, _provoke in ROWS} | set(product(operations(), EVERYWHERE))


def test_every_declared_error_is_provoked_or_not_raised_for_a_reason():
    assert set(NEVER_RAISED) | set(ELSEWHERE) <= {error for _name, error in DECLARED}
    unexplained = {
        (name, error) for name, error in DECLARED - PROVOKED if error not in NEVER_RAISED and error not in ELSEWHERE
    }
    assert unexplained == set()
    assert PROVOKED <= DECLARED
    assert not {error for _name, error in PROVOKED} & set(NEVER_RAISED)


def refused(scene, operation, params):
    """Return status, name and message of the error."""
    with pytest.raises(Refused) as refused:
        scene.call(operation, params)
    return refused.value.status, refused.value.name, refused.value.message


@pytest.mark.parametrize(
    ("operation", "error", "message", "provoke"),
    ROWS,
    ids=[f"{name}-{error}-{position}" for position, (name, error, _message, _provoke) in enumerate(ROWS)],
)
def test_a_declared_error_has_its_name_and_text(scene, operation, error, message, provoke, settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 3600 if error == "TooManyRequestsException" else 0
    settings.OTP_EMAIL_COOLDOWN_DURATION = 3600
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    ]
    params = provoke(scene)
    assert refused(scene, operation, params) == (400, error, message)


def test_every_operation_names_what_is_missing(scene):
    for operation in operations():
        failures = [
            f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
            for name in service_model().operation_model(operation).input_shape.required_members
        ]
        params = {}
        if not failures:
            params = {"Session": "short"}
            failures = [
                "Value at 'session' failed to satisfy constraint: Member must have length greater than or equal to 20"
            ]
        errors = "error" if len(failures) == 1 else "errors"
        message = f"{len(failures)} validation {errors} detected: {'; '.join(failures)}"
        assert refused(scene, operation, params) == (400, "InvalidParameterException", message), operation


def test_a_failure_of_the_site_is_its_own_and_tells_nothing(scene, monkeypatch):
    def fail(_call):
        raise RuntimeError("secret details")

    failing = {name: replace(operation, handler=fail) for name, operation in operations().items()}
    monkeypatch.setattr(endpoint, "operations", lambda: failing)
    for name in failing:
        response = scene.raw(name, minimal(name))
        assert response.status_code == 500, name
        assert decoded(response) == {"__type": "InternalErrorException", "message": "Something went wrong."}


def test_a_key_that_may_not_hears_so_before_anything_else(scene):
    scene.admin.key.operations = ["AdminNothing"]
    scene.admin.key.save()
    for name, operation in operations().items():
        if operation.access is Access.SIGNED:
            denied = f"is not authorized to perform: cognito-idp:{name} on resource: *"
            message = f"Access key {scene.admin.key} {denied}"
            assert refused(scene, name, {}) == (400, "AccessDeniedException", message)
