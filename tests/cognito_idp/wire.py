"""A small client of the endpoint for tests, with our own client half of SRP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.cognito_idp.models import UserPoolClient
from trusted_devices.cognito_idp.protocol import service_model
from trusted_devices.crypto.encoding import format_timestamp
from trusted_devices.crypto.srp import ClientSession, device_identity, user_identity
from trusted_devices.crypto.verifier import DeviceSecret, make_device_secret

PATH = "/cognito-idp"
JSON = "application/x-amz-json-1.1"
PROTOCOL_ERRORS = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "RequestEntityTooLargeException",
        "SerializationException",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
)
"""What any operation may answer: the protocol's and the signature's errors are declared for none."""


class Refused(AssertionError):
    """The endpoint answered with an error."""

    def __init__(self, status, name, message):
        super().__init__(f"{status} {name}: {message}")
        self.status, self.name, self.message = status, name, message


def decoded(response):
    """The members of a response, whatever its content type."""
    return json.loads(response.content)


def body_of(params):
    """The body of a request."""
    return json.dumps(params).encode()


@cache
def declared(operation):
    """The errors that Amazon's description of the service declares for an operation."""
    return frozenset(shape.name for shape in service_model().operation_model(operation).error_shapes)


def answer_of(operation, response):
    """The members of the answer; raises Refused for an error, which is one that clients have a name for."""
    answer = decoded(response) if response.content else {}
    if response.status_code != 200:
        name = answer["__type"]
        assert name in declared(operation) | PROTOCOL_ERRORS, f"{operation} declares no {name}"
        raise Refused(response.status_code, name, answer["message"])
    return answer


def totp_code(factor):
    """The code of now, good again even if it was used before."""
    TOTPDevice.objects.filter(pk=factor.pk).update(
        last_t=-1, throttling_failure_count=0, throttling_failure_timestamp=None
    )
    totp = TOTP(factor.bin_key, factor.step, factor.t0, factor.digits, factor.drift)
    totp.time = datetime.now(UTC).timestamp()
    return f"{totp.token():0{factor.digits}}"


@dataclass
class Wire:
    """Calls operations on the endpoint of the test client."""

    http: Client = field(default_factory=Client)
    path: str = PATH
    headers: dict[str, str] = field(default_factory=dict)

    def raw(self, operation, body, **headers):
        """The response to any body."""
        sent = {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}", **self.headers, **headers}
        return self.http.post(self.path, body, content_type=JSON, headers=sent)

    def call(self, operation, **params):
        """The members of the answer; raises Refused for an error."""
        return answer_of(operation, self.raw(operation, body_of(params)))


@dataclass
class App:
    """An app that signs a user in and keeps its device, as the real clients do."""

    wire: Wire
    client: UserPoolClient
    username: str
    password: str
    secret: str = ""
    device_key: str | None = None
    group_key: str = ""
    device: DeviceSecret | None = None
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def pool(self):
        return self.client.pool

    def hash(self, username):
        if not self.secret:
            return {}
        digest = hmac.digest(self.secret.encode(), (username + self.client.client_id).encode(), hashlib.sha256)
        return {"SECRET_HASH": base64.b64encode(digest).decode()}

    def initiate(self, flow, **parameters):
        return self.wire.call(
            "InitiateAuth",
            ClientId=self.client.client_id,
            AuthFlow=flow,
            AuthParameters={**self.hash(parameters.get("USERNAME") or self.username), **parameters},
        )

    def respond(self, name, session=None, **responses):
        return self.wire.call(
            "RespondToAuthChallenge",
            ClientId=self.client.client_id,
            ChallengeName=name,
            ChallengeResponses={"USERNAME": self.username, **self.hash(self.username), **responses},
            **({"Session": session} if session else {}),
        )

    def password_sign_in(self, **parameters):
        """The answer to USER_PASSWORD_AUTH, with the device's key if there is one."""
        key = {"DEVICE_KEY": self.device_key} if self.device_key else {}
        return self.initiate("USER_PASSWORD_AUTH", USERNAME=self.username, PASSWORD=self.password, **key, **parameters)

    def srp_sign_in(self, *, device_key=None, timestamp=""):
        """The answer to PASSWORD_VERIFIER."""
        session = ClientSession.start()
        challenge = self.initiate("USER_SRP_AUTH", USERNAME=self.username, SRP_A=session.srp_a)["ChallengeParameters"]
        key = device_key or self.device_key
        return self.respond(
            "PASSWORD_VERIFIER", **self.claim(session, challenge, timestamp), **({"DEVICE_KEY": key} if key else {})
        )

    def claim(self, session, challenge, timestamp=""):
        """The signed answer to a user's challenge."""
        timestamp = timestamp or format_timestamp(datetime.now(UTC))
        signature = session.sign(
            identity=user_identity(pool_name=self.pool.pool_name, user_id=challenge["USER_ID_FOR_SRP"]),
            password=self.password,
            salt=challenge["SALT"],
            srp_b=challenge["SRP_B"],
            secret_block=challenge["SECRET_BLOCK"],
            timestamp=timestamp,
        )
        return {
            "PASSWORD_CLAIM_SECRET_BLOCK": challenge["SECRET_BLOCK"],
            "PASSWORD_CLAIM_SIGNATURE": signature,
            "TIMESTAMP": timestamp,
        }

    def device_claim(self, session, challenge, timestamp=""):
        """The signed answer to a device's challenge."""
        assert self.device is not None
        timestamp = timestamp or format_timestamp(datetime.now(UTC))
        signature = session.sign(
            identity=device_identity(device_group_key=self.group_key, device_key=self.device_key or ""),
            password=self.device.password,
            salt=challenge["SALT"],
            srp_b=challenge["SRP_B"],
            secret_block=challenge["SECRET_BLOCK"],
            timestamp=timestamp,
        )
        return {
            "DEVICE_KEY": self.device_key or "",
            "PASSWORD_CLAIM_SECRET_BLOCK": challenge["SECRET_BLOCK"],
            "PASSWORD_CLAIM_SIGNATURE": signature,
            "TIMESTAMP": timestamp,
        }

    def prove_device(self, answer, timestamp=""):
        """Take DEVICE_SRP_AUTH to its end."""
        assert answer["ChallengeName"] == "DEVICE_SRP_AUTH", answer
        session = ClientSession.start()
        answer = self.respond("DEVICE_SRP_AUTH", DEVICE_KEY=self.device_key, SRP_A=session.srp_a)
        assert answer["ChallengeName"] == "DEVICE_PASSWORD_VERIFIER"
        return self.respond(
            "DEVICE_PASSWORD_VERIFIER", **self.device_claim(session, answer["ChallengeParameters"], timestamp)
        )

    def answer_mfa(self, answer, factor):
        """Answer SOFTWARE_TOKEN_MFA with the code of now."""
        assert answer["ChallengeName"] == "SOFTWARE_TOKEN_MFA", answer
        return self.respond("SOFTWARE_TOKEN_MFA", answer["Session"], SOFTWARE_TOKEN_MFA_CODE=totp_code(factor))

    def sign_in(self, factor=None):
        """Sign in with the password and whatever is asked then; keep and return the AuthenticationResult."""
        answer = self.password_sign_in()
        if answer.get("ChallengeName") == "SOFTWARE_TOKEN_MFA":
            assert factor is not None, "MFA was asked"
            answer = self.answer_mfa(answer, factor)
        if answer.get("ChallengeName") == "DEVICE_SRP_AUTH":
            answer = self.prove_device(answer)
        self.tokens = answer["AuthenticationResult"]
        return self.tokens

    def confirm(self, name="phone"):
        """Confirm the device of the sign-in; return UserConfirmationNecessary."""
        metadata = self.tokens["NewDeviceMetadata"]
        self.device_key, self.group_key = metadata["DeviceKey"], metadata["DeviceGroupKey"]
        self.device = make_device_secret(device_group_key=self.group_key, device_key=self.device_key)
        answer = self.wire.call(
            "ConfirmDevice",
            AccessToken=self.access_token,
            DeviceKey=self.device_key,
            DeviceName=name,
            DeviceSecretVerifierConfig=self.device.verifier.to_config(),
        )
        return bool(answer["UserConfirmationNecessary"])

    def set_status(self, status, device_key=""):
        return self.wire.call(
            "UpdateDeviceStatus",
            AccessToken=self.access_token,
            DeviceKey=device_key or self.device_key,
            DeviceRememberedStatus=status,
        )

    def remembered_device(self, factor):
        """Sign in with MFA, confirm and remember."""
        self.sign_in(factor)
        if self.confirm():
            self.set_status("remembered")
        return self

    @property
    def access_token(self):
        return self.tokens["AccessToken"]
