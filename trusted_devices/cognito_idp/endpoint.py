"""The HTTP side of the endpoint: one POST for all operations, CORS, request ids, and both forms of every error."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from trusted_devices import database
from trusted_devices.cognito_idp import errors, protocol, signing, sigv4
from trusted_devices.cognito_idp.errors import WireError
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operations
from trusted_devices.types import ClientInfo
from trusted_devices.web import throttling
from trusted_devices.web.client import client_address
from trusted_devices.words import browsers

logger = logging.getLogger(__name__)

DRAIN_LIMIT = 16 * 1024 * 1024
"""How much of a body that is too long is read and thrown away, so that the client gets to see the answer."""

ALLOWED_HEADERS = (
    "content-type, x-amz-target, x-amz-user-agent, cache-control, authorization, x-amz-date, x-amz-security-token, "
    "amz-sdk-invocation-id, amz-sdk-request, x-amz-content-sha256"
)
EXPOSED_HEADERS = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"


@csrf_exempt
@login_not_required
def endpoint(request: HttpRequest) -> HttpResponse:
    """Answer one call. Whatever is wrong with it, the answer is an error in the form that clients read."""
    if request.method == "OPTIONS":
        return _preflight(request)
    try:
        if request.method != "POST":
            raise WireError("UnknownOperationException", "Only POST is answered here.", status=405)
        answer = _answer(request)
    except WireError as error:
        response = _error(error)
    except SuspiciousOperation:
        response = _error(WireError("BadRequestException", "The request is not for this host."))
    except Exception as error:
        if isinstance(error, DatabaseError) and database.refuses_text(error):
            response = _error(errors.invalid_parameter("A value has a character that cannot be stored here."))
        else:
            logger.exception("The endpoint failed.")
            response = _error(errors.internal())
    else:
        response = HttpResponse(_dump(answer), content_type=protocol.CONTENT_TYPE)
    response["x-amzn-RequestId"] = str(uuid.uuid4())
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    response["Cache-Control"] = "no-store"
    if response.status_code == 405:  # noqa: PLR2004
        response["Allow"] = "POST, OPTIONS"
    return response


@login_not_required
def jwks(request: HttpRequest, pool_id: str) -> HttpResponse:
    """Return the public keys of a pool's tokens."""
    pool = UserPool.objects.filter(pool_id=pool_id).first()
    if pool is None:
        response = JsonResponse({"message": "User pool does not exist."}, status=404)
    elif request.method not in ("GET", "HEAD"):
        response = JsonResponse({"message": "Only GET is answered here."}, status=405, headers={"Allow": "GET, HEAD"})
    else:
        response = JsonResponse({"keys": signing.published_keys(pool, now=timezone.now())})
        response["Cache-Control"] = f"public, max-age={int(signing.JWKS_MAX_AGE.total_seconds())}"
    response["Access-Control-Allow-Origin"] = "*"
    return response


@sensitive_variables("body", "params")
def _answer(request: HttpRequest) -> Answer:
    body = _read(request)
    target = request.headers.get("X-Amz-Target", "")
    operation = operations().get(target.removeprefix(protocol.TARGET_PREFIX))
    if operation is None or not target.startswith(protocol.TARGET_PREFIX):
        raise errors.unknown_operation()
    if request.content_type != protocol.CONTENT_TYPE:
        raise errors.serialization(f"The content type must be {protocol.CONTENT_TYPE}.")
    now = timezone.now()
    key = None
    if operation.access is Access.SIGNED:
        key = sigv4.authenticate(request, body, now=now)
        sigv4.require_operation(key, operation.name)
    params = protocol.validate(operation.name, protocol.parse(body))
    return operation.handler(
        Call(
            operation=operation.name,
            params=params,
            request=request,
            client_info=_client_info(request),
            now=now,
            key=key,
        )
    )


def _read(request: HttpRequest) -> bytes:
    """Return the body. Raises ``WireError`` for one that is too long or breaks off."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise errors.serialization("Content-Length is not a number.") from None
    try:
        if length > min(protocol.MAX_BODY, settings.DATA_UPLOAD_MAX_MEMORY_SIZE or protocol.MAX_BODY):
            _drain(request)
            raise WireError("RequestEntityTooLargeException", "The request body is too long.", status=413)
        body = request.body
    except UnreadablePostError as error:
        raise errors.serialization("The request body broke off.") from error
    if len(body) > protocol.MAX_BODY:
        raise WireError("RequestEntityTooLargeException", "The request body is too long.", status=413)
    return body


def _drain(request: HttpRequest) -> None:
    left = DRAIN_LIMIT
    while left > 0 and (piece := request.read(65536)):
        left -= len(piece)


def _client_info(request: HttpRequest) -> ClientInfo:
    """Return who calls. Sessions and cookies mean nothing here, so impersonation cannot be at work."""
    return ClientInfo(
        ip_address=client_address(request),
        user_agent=browsers.stated(request.headers),
        request=throttling.on_behalf_of(request),
    )


def _preflight(request: HttpRequest) -> HttpResponse:
    asked = protocol.one_line(request.headers.get("Access-Control-Request-Headers", ""))
    return HttpResponse(
        headers={
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": asked or ALLOWED_HEADERS,
            "Access-Control-Max-Age": "172800",
            "Vary": "Access-Control-Request-Headers",
        }
    )


def _error(error: WireError) -> HttpResponse:
    return HttpResponse(
        _dump({"__type": error.name, "message": error.message}),
        status=error.status,
        content_type=protocol.CONTENT_TYPE,
        headers={
            "x-amzn-ErrorType": f"{error.name}:",
            "x-amzn-ErrorMessage": protocol.one_line(error.message),
        },
    )


def _dump(answer: dict[str, Any] | None) -> str:
    return "" if answer is None else json.dumps(answer, separators=(",", ":"))
