"""Admin calls signed by botocore, the oracle for our verification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.cognito_idp.factories import KEY_SECRET
from tests.cognito_idp.wire import JSON, Wire, answer_of, body_of
from trusted_devices.cognito_idp.models import AccessKey


def signed_headers(
    key_id,
    secret,
    operation,
    body,
    *,
    path,
    region="us-east-1",
    service="cognito-idp",
    extra=None,
    unsigned=(),
):
    """The headers that botocore sends with a call; it signs ``extra`` ones as well, and not the ``unsigned`` ones."""
    request = AWSRequest(
        "POST",
        f"http://testserver{path}",
        headers={
            "Content-Type": JSON,
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
            **(extra or {}),
        },
        data=body,
    )
    request.context["timestamp"] = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    _Signer(Credentials(key_id, secret), service, region, unsigned).add_auth(request)
    return {name: value for name, value in request.headers.items() if name != "Content-Type"}


class _Signer(SigV4Auth):
    """Leaves some headers unsigned."""

    def __init__(self, credentials, service, region, unsigned):
        super().__init__(credentials, service, region)
        self.unsigned = unsigned

    def headers_to_sign(self, request):
        headers = super().headers_to_sign(request)
        for name in self.unsigned:
            del headers[name]
        return headers


@dataclass
class Admin:
    """A program with an access key."""

    wire: Wire
    key: AccessKey
    secret: str = KEY_SECRET

    def raw(self, operation, params, **changes):
        body = body_of(params)
        headers = signed_headers(self.key.access_key_id, self.secret, operation, body, path=self.wire.path)
        return self.wire.raw(operation, body, **{**headers, **changes})

    def call(self, operation, **params):
        return answer_of(operation, self.raw(operation, params))
