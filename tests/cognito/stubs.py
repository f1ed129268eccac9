"""A user pool without a server: botocore's Stubber in front of real boto3 clients, and tokens signed with a real key.

What the stubs answer is checked against the service model, and they are used in the order in which they were put.
"""

import time
from functools import cache

import botocore.session
from botocore import xform_name
from botocore.stub import Stubber
from joserfc import jwt
from joserfc.jwk import RSAKey

from trusted_devices.cognito import client, conf, tokens
from trusted_devices.crypto.srp import N

POOL = "eu-central-1_AbCdEf123"
CLIENT = "1example23456789"
SUB = "0d4a3f1c-1111-4222-8333-444455556666"
DEVICE_KEY = "eu-central-1_11111111-2222-4333-8444-555555555555"
KID = "the-pools-key"


@cache
def service():
    """The service model of Amazon Cognito user pools."""
    return botocore.session.get_session().get_service_model("cognito-idp")


@cache
def operations():
    """How the service spells boto3's names of its operations."""
    return {xform_name(name): name for name in service().operation_names}


@cache
def declared_errors(operation):
    """The errors that the service model declares for an operation."""
    return sorted(shape.name for shape in service().operation_model(operations()[operation]).error_shapes)


@cache
def signing_key():
    """The pool's key; making one is slow."""
    return RSAKey.generate_key(2048, {"kid": KID, "use": "sig", "alg": "RS256"}, private=True)


class StubbedPool:
    """What the next calls are answered."""

    def __init__(self):
        options = conf.get_options()
        self.options = options
        self.stubs = {signed: Stubber(client._client(options, signed=signed)) for signed in (True, False)}
        for stub in self.stubs.values():
            stub.activate()
        published = {KID: RSAKey.import_key(signing_key().as_dict(private=False))}
        tokens._kept[options.issuer] = tokens._Kept(keys=published, fetched_at=time.monotonic())

    def answers(self, operation, answer=None, asked=None):
        """The next call, of that operation, succeeds; ``asked`` is what it must say, if that matters."""
        self.stubs[client._is_signed(operation)].add_response(operation, answer or {}, asked)

    def refuses(self, operation, error, message="", *, status=400, times=1):
        """The next call, of that operation, fails; so do its repetitions."""
        for _ in range(times):
            self.stubs[client._is_signed(operation)].add_client_error(operation, error, message, status)

    def is_done(self):
        """Everything that was expected was asked."""
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()

    def close(self):
        for stub in self.stubs.values():
            stub.deactivate()
        tokens.forget_keys()

    def half_of_srp(self, username="maria"):
        """The pool's answer to USER_SRP_AUTH."""
        return {
            "ChallengeName": "PASSWORD_VERIFIER",
            "ChallengeParameters": {
                "SALT": "1f" * 16,
                "SRP_B": f"{pow(2, 2**200 + 7, N):x}",
                "SECRET_BLOCK": "c2VjcmV0",
                "USER_ID_FOR_SRP": username,
                "USERNAME": username,
            },
        }

    def record(self, username="maria"):
        """What AdminGetUser answers."""
        return {"Username": username, "UserAttributes": [{"Name": "sub", "Value": SUB}]}

    def challenge(self, name="SOFTWARE_TOKEN_MFA", **parameters):
        """A challenge."""
        return {"ChallengeName": name, "Session": "s" * 30, "ChallengeParameters": parameters}

    def signed_in(self, **members):
        """The end of a sign-in."""
        new = {"NewDeviceMetadata": {"DeviceKey": DEVICE_KEY, "DeviceGroupKey": "-abcd1234"}}
        return {"AuthenticationResult": {**self.tokens(), **new, **members}}

    def tokens(self, *, key=None, algorithm="RS256", **claims):
        """An AuthenticationResult with tokens of the pool; ``claims`` go into both."""
        common = {"iss": self.options.issuer, "sub": SUB, "exp": int(time.time()) + 3600, **claims}
        access = {"token_use": "access", "client_id": CLIENT, **common}
        identity = {"token_use": "id", "aud": CLIENT, "cognito:username": "maria", "email": "m@example.com", **common}
        header, key = {"alg": algorithm, "kid": KID}, key or signing_key()
        return {
            "AccessToken": jwt.encode(header, access, key, algorithms=[algorithm]),
            "IdToken": jwt.encode(header, identity, key, algorithms=[algorithm]),
            "RefreshToken": "r" * 20,
            "ExpiresIn": 3600,
            "TokenType": "Bearer",
        }


def stubbed_settings(**options):
    """The site's setting for the stubbed pool."""
    from tests.settings import TRUSTED_DEVICES

    found = {name: value for name, value in TRUSTED_DEVICES.items() if name != "MFA"}
    return {
        **found,
        "BACKEND": "cognito",
        "COGNITO": {"USER_POOL_ID": POOL, "CLIENT_ID": CLIENT, "WRITES_PER_SECOND": 25, **options},
    }
