"""A user who is signed in with a remembered device, and for each operation a request that goes through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.signed import Admin
from tests.cognito_idp.wire import App, Wire, body_of, totp_code
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import PoolUser, UserPool
from trusted_devices.cognito_idp.operations.events import feedback_token
from trusted_devices.cognito_idp.registry import Access, operations
from trusted_devices.crypto.srp import ClientSession
from trusted_devices.crypto.verifier import make_device_secret
from trusted_devices.models import DeviceEvent


@dataclass
class Scene:
    """Made as far as a request needs it. ``app`` is of a user with a software token, ``admin`` may call everything."""

    wire: Wire
    admin: Admin
    app: App
    totp: TOTPDevice

    def call(self, operation, params):
        """The answer; raises Refused for an error."""
        signed = operations()[operation].access is Access.SIGNED
        return self.admin.call(operation, **params) if signed else self.wire.call(operation, **params)

    def raw(self, operation, params):
        """The response."""
        signed = operations()[operation].access is Access.SIGNED
        return self.admin.raw(operation, params) if signed else self.wire.raw(operation, body_of(params))

    @property
    def pool(self):
        return self.app.pool

    @cached_property
    def token(self):
        """An access token of a sign-in with MFA and a remembered device."""
        return self.app.remembered_device(self.totp).access_token

    @property
    def device(self):
        return {"AccessToken": self.token, "DeviceKey": self.app.device_key}

    @property
    def client(self):
        return {"ClientId": self.app.client.client_id}

    @property
    def pool_user(self):
        return {"UserPoolId": self.pool.pool_id, "Username": self.app.username}

    @property
    def pool_user_device(self):
        return {"DeviceKey": self.device["DeviceKey"], **self.pool_user}

    @property
    def pool_client(self):
        return {"UserPoolId": self.pool.pool_id, **self.client}

    def password(self, **more):
        return {"USERNAME": self.app.username, "PASSWORD": self.app.password, **more}

    def code(self):
        """A first factor passed, and the code that is due."""
        self.app.device_key = None
        return {
            **self.client,
            "ChallengeName": "SOFTWARE_TOKEN_MFA",
            "Session": self.app.password_sign_in()["Session"],
            "ChallengeResponses": {"USERNAME": self.app.username, "SOFTWARE_TOKEN_MFA_CODE": totp_code(self.totp)},
        }

    def unconfirmed(self):
        """A device key that its sign-in was just given."""
        metadata = self.app.sign_in(self.totp)["NewDeviceMetadata"]
        key, group = metadata["DeviceKey"], metadata["DeviceGroupKey"]
        secret = make_device_secret(device_group_key=group, device_key=key)
        config = secret.verifier.to_config()
        return {"AccessToken": self.app.access_token, "DeviceKey": key, "DeviceSecretVerifierConfig": config}

    def event(self):
        """A sign-in of the user's."""
        self.token  # noqa: B018 - signs in
        event = self.admin.call("AdminListUserAuthEvents", **self.pool_user)["AuthEvents"][0]
        return {**self.pool_user, "EventId": event["EventId"], "FeedbackValue": "Valid"}

    def feedback(self):
        """The same, with the token that the user was sent."""
        params = self.event()
        token = feedback_token(self.pool, DeviceEvent.objects.filter(action="signed_in").latest("pk"))
        return {**params, "FeedbackToken": token}

    def new_software_token(self):
        """A software token that is being set up, and its first code."""
        self.wire.call("AssociateSoftwareToken", AccessToken=self.token)
        return {"AccessToken": self.token, "UserCode": totp_code(TOTPDevice.objects.get(confirmed=False))}

    def params(self, operation):
        """What ``operation`` answers without an error."""
        return GOOD[operation](self)


GOOD = {
    "InitiateAuth": lambda s: {**s.client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": s.password()},
    "RespondToAuthChallenge": Scene.code,
    "GetTokensFromRefreshToken": lambda s: {
        **s.client,
        "DeviceKey": s.device["DeviceKey"],
        "RefreshToken": s.app.tokens["RefreshToken"],
    },
    "RevokeToken": lambda s: {**s.client, "Token": s.token and s.app.tokens["RefreshToken"]},
    "ConfirmDevice": Scene.unconfirmed,
    "UpdateDeviceStatus": lambda s: {**s.device, "DeviceRememberedStatus": "not_remembered"},
    "ListDevices": lambda s: {"AccessToken": s.token, "Limit": 10},
    "GetDevice": lambda s: s.device,
    "ForgetDevice": lambda s: s.device,
    "GetUser": lambda s: {"AccessToken": s.token},
    "GlobalSignOut": lambda s: {"AccessToken": s.token},
    "AssociateSoftwareToken": lambda s: {"AccessToken": s.token},
    "VerifySoftwareToken": Scene.new_software_token,
    "SetUserMFAPreference": lambda s: {"AccessToken": s.token, "SoftwareTokenMfaSettings": {"PreferredMfa": True}},
    "GetUserAuthFactors": lambda s: {"AccessToken": s.token},
    "UpdateAuthEventFeedback": Scene.feedback,
    "AdminInitiateAuth": lambda s: {
        **s.pool_client,
        "AuthFlow": "ADMIN_NO_SRP_AUTH",
        "AuthParameters": s.password(),
    },
    "AdminRespondToAuthChallenge": lambda s: {"UserPoolId": s.pool.pool_id, **s.code()},
    "AdminListDevices": lambda s: {**s.pool_user, "Limit": 10},
    "AdminGetDevice": lambda s: s.pool_user_device,
    "AdminUpdateDeviceStatus": lambda s: {**s.pool_user_device, "DeviceRememberedStatus": "not_remembered"},
    "AdminForgetDevice": lambda s: s.pool_user_device,
    "AdminGetUser": lambda s: s.pool_user,
    "AdminUserGlobalSignOut": lambda s: s.pool_user,
    "AdminSetUserMFAPreference": lambda s: {**s.pool_user, "SoftwareTokenMfaSettings": {"PreferredMfa": True}},
    "AdminListUserAuthEvents": lambda s: {**s.pool_user, "MaxResults": 10},
    "AdminUpdateAuthEventFeedback": Scene.event,
    "CreateUserPool": lambda _s: {"PoolName": "new"},
    "DescribeUserPool": lambda s: {"UserPoolId": s.pool.pool_id},
    "UpdateUserPool": lambda s: {"UserPoolId": s.pool.pool_id, "MfaConfiguration": "ON"},
    "DeleteUserPool": lambda s: {"UserPoolId": s.pool.pool_id},
    "ListUserPools": lambda _s: {"MaxResults": 10},
    "CreateUserPoolClient": lambda s: {"UserPoolId": s.pool.pool_id, "ClientName": "new"},
    "DescribeUserPoolClient": lambda s: s.pool_client,
    "UpdateUserPoolClient": lambda s: {**s.pool_client, "AuthSessionValidity": 5},
    "DeleteUserPoolClient": lambda s: s.pool_client,
    "ListUserPoolClients": lambda s: {"UserPoolId": s.pool.pool_id, "MaxResults": 10},
    "SetUserPoolMfaConfig": lambda s: {"UserPoolId": s.pool.pool_id, "MfaConfiguration": "OPTIONAL"},
    "GetUserPoolMfaConfig": lambda s: {"UserPoolId": s.pool.pool_id},
}


def new_password(scene):
    """NEW_PASSWORD_REQUIRED, of a user who lacks a name that the pool requires."""
    UserPool.objects.update(required_attributes=["given_name"])
    user = scene.totp.user
    user.refresh_from_db()
    user.first_name = ""
    user.set_password(scene.app.password)
    user.save()
    accounts.get_pool_user(scene.pool, user)
    PoolUser.objects.update(must_change_password=True)
    session = scene.app.password_sign_in()["Session"]
    responses = {
        "USERNAME": scene.app.username,
        "NEW_PASSWORD": "a much better staple",
        "userAttributes.given_name": "Maria",
    }
    return {
        **scene.client,
        "ChallengeName": "NEW_PASSWORD_REQUIRED",
        "Session": session,
        "ChallengeResponses": responses,
    }


def srp_begin(scene):
    """USER_SRP_AUTH."""
    parameters = {"USERNAME": scene.app.username, "SRP_A": ClientSession.start().srp_a}
    return {**scene.client, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": parameters}


def srp_answer(scene):
    """PASSWORD_VERIFIER."""
    session = ClientSession.start()
    parameters = {"USERNAME": scene.app.username, "SRP_A": session.srp_a}
    challenge = scene.app.initiate("USER_SRP_AUTH", **parameters)["ChallengeParameters"]
    responses = {"USERNAME": scene.app.username, **scene.app.claim(session, challenge)}
    return {**scene.client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": responses}


def device_begin(scene):
    """DEVICE_SRP_AUTH."""
    if scene.app.device_key is None:
        scene.app.remembered_device(scene.totp)
    session = scene.app.password_sign_in()["Session"]
    responses = {
        "USERNAME": scene.app.username,
        "DEVICE_KEY": scene.app.device_key,
        "SRP_A": ClientSession.start().srp_a,
    }
    return {**scene.client, "ChallengeName": "DEVICE_SRP_AUTH", "Session": session, "ChallengeResponses": responses}


def device_answer(scene):
    """DEVICE_PASSWORD_VERIFIER."""
    params, session = device_begin(scene), ClientSession.start()
    params["ChallengeResponses"]["SRP_A"] = session.srp_a
    challenge = scene.wire.call("RespondToAuthChallenge", **params)["ChallengeParameters"]
    responses = {"USERNAME": scene.app.username, **scene.app.device_claim(session, challenge)}
    return {**scene.client, "ChallengeName": "DEVICE_PASSWORD_VERIFIER", "ChallengeResponses": responses}
