"""AWS Signature Version 4: who signed an Admin call, and may they.

botocore computes what the signature of the request that arrived should be, so that both ends share one normaliser. The
body's hash is that of the body read, whatever a header says.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from django.db.models import QuerySet
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito_idp import conf
from trusted_devices.cognito_idp.errors import WireError, pool_not_found
from trusted_devices.cognito_idp.models import AccessKey, UserPool
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.crypto.sealing import Unsealable

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "cognito-idp"
MAX_SKEW = timedelta(minutes=15)
REQUIRED_HEADERS = frozenset({"host", "x-amz-date", "x-amz-target"})
SECRET = record("access key")

_AUTHORIZATION = re.compile(
    ALGORITHM + r" +Credential=(?P<key>[A-Za-z0-9]{1,128})/(?P<date>[0-9]{8})/(?P<region>[A-Za-z0-9-]{1,64})/"
    r"(?P<service>[a-z0-9-]{1,64})/aws4_request, *SignedHeaders=(?P<headers>[a-z0-9;_-]{1,2048}), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What the Authorization header says."""

    key_id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def new_secret(secret: str) -> str:
    """Return ``secret`` in the form in which an access key keeps it."""
    return SECRET.seal({"secret": secret})


def secret_of(key: AccessKey) -> str:
    """Return the secret of ``key``. Raises ``WireError`` if it can no longer be read (``SECRET_KEY`` has changed)."""
    try:
        secret: str = SECRET.open(key.sealed_secret)["secret"]
    except Unsealable:
        raise WireError("UnrecognizedClientException", "This access key can no longer be read.") from None
    return secret


def authenticate(request: HttpRequest, body: bytes, *, now: datetime) -> AccessKey:
    """Return the access key that signed ``request`` with ``body``. Raises ``WireError``."""
    claim = _claim(request)
    signed_at = _signed_at(request, claim, now)
    key = AccessKey.objects.filter(access_key_id=claim.key_id, is_active=True).first()
    if key is None or "X-Amz-Security-Token" in request.headers:
        raise WireError("UnrecognizedClientException", "The security token included in the request is invalid.")
    if claim.service != SERVICE or claim.region != conf.get_options().REGION or not signed_at.startswith(claim.date):
        raise WireError("InvalidSignatureException", "Credential should be scoped to a valid region and service.")
    signatures = _signatures(request, claim, signed_at, body, secret_of(key))
    good = [hmac.compare_digest(signature, claim.signature) for signature in signatures]
    if not any(good):
        raise WireError("InvalidSignatureException", _MISMATCH)
    return key


def require_operation(key: AccessKey, operation: str) -> None:
    """Raise ``WireError`` (AccessDeniedException) unless ``key`` may call ``operation``."""
    if not any(fnmatchcase(operation, pattern) for pattern in key.operations):
        raise _denied(key, operation, "*")


def require_pool(key: AccessKey, operation: str, pool_id: str | None) -> UserPool | None:
    """Return the pool with that id; ``None`` stands for all pools at once.

    Raises ``WireError``: AccessDeniedException unless ``key`` is good for it, ResourceNotFoundException.
    """
    if pool_id is None:
        if not key.all_pools:
            raise _denied(key, operation, "*")
        return None
    pool = pools_of(key).filter(pool_id=pool_id).first()
    if pool is None and not key.all_pools:
        raise _denied(key, operation, pool_id)
    if pool is None:
        raise pool_not_found(pool_id)
    return pool


def pools_of(key: AccessKey) -> QuerySet[UserPool]:
    """Return the pools that ``key`` is good for: all of them only where it says so, however few are named."""
    return UserPool.objects.all() if key.all_pools else UserPool.objects.filter(access_keys=key)


def _denied(key: AccessKey, operation: str, resource: str) -> WireError:
    return WireError(
        "AccessDeniedException",
        f"Access key {key.access_key_id} is not authorized to perform: {SERVICE}:{operation} on resource: {resource}",
    )


def _claim(request: HttpRequest) -> _Claim:
    header = request.headers.get("Authorization", "")
    if not header.startswith(ALGORITHM):
        raise WireError("MissingAuthenticationTokenException", "Missing Authentication Token")
    match = _AUTHORIZATION.fullmatch(header.strip())
    if match is None:
        raise WireError("IncompleteSignatureException", "The Authorization header is not a complete signature.")
    headers = tuple(match["headers"].split(";"))
    if not REQUIRED_HEADERS.issubset(headers) or list(headers) != sorted(set(headers)):
        raise WireError("InvalidSignatureException", "Headers that must be signed are not.")
    return _Claim(
        key_id=match["key"],
        date=match["date"],
        region=match["region"],
        service=match["service"],
        headers=headers,
        signature=match["signature"],
    )


def _signed_at(request: HttpRequest, claim: _Claim, now: datetime) -> str:
    text = request.headers.get("X-Amz-Date", "")
    try:
        if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text):
            raise ValueError
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise WireError("IncompleteSignatureException", "X-Amz-Date is not a date and time.") from None
    if abs(now - moment) > MAX_SKEW:
        words = "expired" if moment < now else "not yet current"
        raise WireError("InvalidSignatureException", f"Signature {words}: {text} is more than 15 minutes off.")
    return text


def _paths(request: HttpRequest) -> list[str]:
    """Return the path as it may have been signed: the endpoint's route is the same with and without its slash."""
    path = request.path
    return [path, path[:-1]] if len(path) > 1 and path.endswith("/") else [path]


def _header(request: HttpRequest, name: str) -> str:
    # Behind a proxy, the host that was signed may arrive as X-Forwarded-Host; Django knows whether to believe it.
    value = request.get_host() if name == "host" else request.headers.get(name)
    if value is None:
        raise WireError("InvalidSignatureException", f"The signed header {name} is missing.")
    return value


@sensitive_variables()
def _signatures(request: HttpRequest, claim: _Claim, signed_at: str, body: bytes, secret: str) -> list[str]:
    """Return the right signature for each spelling of the path."""
    headers = HTTPHeaders()
    for name in claim.headers:
        headers[name] = _header(request, name)
    signer = _Signer(Credentials(claim.key_id, secret), claim.service, claim.region, headers)
    query: Any = parse_qsl(request.META.get("QUERY_STRING", ""), keep_blank_values=True)
    signatures = []
    for path in _paths(request):
        arrived = AWSRequest(request.method, f"https://endpoint{quote(path)}", data=body, params=query)
        arrived.context["timestamp"] = signed_at
        signatures.append(signer.signature(signer.string_to_sign(arrived, signer.canonical_request(arrived)), arrived))
    return signatures


class _Signer(SigV4Auth):
    """Signs with the headers that were signed, which need not be those that botocore would sign.

    They are kept apart from the request's, for in those it would take the body's hash from ``X-Amz-Content-SHA256``.
    """

    def __init__(self, credentials: Credentials, service: str, region: str, headers: HTTPHeaders) -> None:
        super().__init__(credentials, service, region)
        self._headers = headers

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """Return what the Authorization header names."""
        return self._headers
