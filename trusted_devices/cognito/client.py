"""The only place that calls boto3: time-outs, credentials, retries, and errors put into this app's words.

Credentials for signed operations come from boto3's own chain. A call is repeated only where that is safe: after a
refusal for load always, after a lost answer only if doing it twice is the same as doing it once.
"""

from __future__ import annotations

import base64
import hmac
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from threading import Lock
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito import errors
from trusted_devices.cognito.conf import Options

ATTEMPTS = 3
FIRST_WAIT = 0.1
"""Seconds; a user is waiting."""
SAFE_TO_REPEAT = re.compile(
    r"initiate_auth|update_device_status|admin_(update|forget|list|get)_\w+|describe_\w+|get_user\w*"
)
# Everything that botocore raises for an answer that never came or cannot be read; its parser trusts what it is given.
_LOST = (BotoCoreError, ResponseParserError, ValueError, TypeError, AttributeError, KeyError)
HTTP_OK = 200
_building = Lock()

_paced: ContextVar[bool] = ContextVar("paced", default=False)

sleep: Callable[[float], None] = time.sleep


class PoolClient:
    """Calls operations of Amazon Cognito on behalf of one app client."""

    def __init__(self, options: Options, *, attempts: int = ATTEMPTS) -> None:
        self.options = options
        self._attempts = attempts

    @sensitive_variables()
    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Return the members of the answer. ``operation`` is boto3's name of it, in snake case.

        Raises what ``errors.TRANSLATIONS`` makes of the pool's errors, and ``BackendUnavailable`` if it cannot be
        reached or answers with anything else.
        """
        for attempt in range(1, self._attempts + 1):
            try:
                return self._once(operation, params)
            except (errors.Throttled, errors.Lost) as error:
                loaded = isinstance(error, errors.Throttled)
                refused = loaded and not isinstance(error, errors.OutOfOrder)
                again = refused or SAFE_TO_REPEAT.fullmatch(operation)
                if attempt == self._attempts or not again or (loaded and _paced.get()):
                    raise
            sleep(full_jitter(attempt, first=FIRST_WAIT, longest=1.0))
        raise AssertionError("The last attempt returns or raises.")

    def secret_hash(self, username: str) -> dict[str, str]:
        """Return the parameter that proves the client's secret for ``username``; none where it has no secret."""
        secret = self.options.CLIENT_SECRET
        if secret is None:
            return {}
        digest = hmac.digest(secret.encode(), (username + self.options.CLIENT_ID).encode(), "sha256")
        return {"SECRET_HASH": base64.b64encode(digest).decode()}

    @sensitive_variables()
    def _once(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = getattr(_client(self.options, signed=_is_signed(operation)), operation)(**params)
        except ClientError as error:
            found = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise errors.translate(operation, found.get("Code", ""), found.get("Message", ""), status) from None
        except _LOST as error:
            # Not the error itself: it may quote what was sent.
            errors.logger.error("%s: no answer from the user pool (%s).", operation, type(error).__name__)
            raise errors.Lost("The user pool cannot be reached.") from None
        if not isinstance(answer, dict) or not _is_from_a_pool(answer):
            errors.logger.error("%s: the answer is not a user pool's.", operation)
            raise errors.MalformedAnswer("The user pool's answer cannot be read.")
        return answer


@contextmanager
def paced() -> Iterator[None]:
    """Leave what the pool refuses for load, or breaks down over, to the caller to repeat, who has a rate to keep to."""
    token = _paced.set(True)
    try:
        yield
    finally:
        _paced.reset(token)


def full_jitter(attempt: int, *, first: float, longest: float) -> float:
    """Return how long to wait before trying again: anything up to a bound that doubles with every attempt."""
    return random.uniform(0, min(longest, first * 2**attempt))  # noqa: S311 - spreads load, guards nothing


def _is_signed(operation: str) -> bool:
    return operation.startswith(("admin_", "describe_", "get_user_pool"))


def _is_from_a_pool(answer: dict[str, Any]) -> bool:
    """Return whether a pool said so. Anything with status 200 is a success to botocore where no answer is expected."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders")
    if headers is None:
        return True
    return "x-amzn-requestid" in headers or "x-amz-json" in headers.get("content-type", "")


@lru_cache(maxsize=4)
def _session(region: str) -> boto3.session.Session:
    return boto3.session.Session(region_name=region)


@lru_cache(maxsize=8)
def _built(options: Options, signed: bool) -> Any:
    config = Config(
        connect_timeout=options.CONNECT_TIMEOUT,
        read_timeout=options.READ_TIMEOUT,
        retries={"total_max_attempts": 1},
        user_agent_extra="django-device-trust",
        **({} if signed else {"signature_version": UNSIGNED}),
    )
    built = _session(options.region).client("cognito-idp", endpoint_url=options.ENDPOINT_URL, config=config)
    built.meta.events.register("before-parse", _require_object)
    return built


def _require_object(response_dict: dict[str, Any], **_: Any) -> None:
    """Refuse a success that is cut short or no JSON object, which botocore takes for one without members."""
    if response_dict["status_code"] == HTTP_OK and not isinstance(json.loads(response_dict["body"] or b"{}"), dict):
        raise ResponseParserError("The answer is not an object.")


def _client(options: Options, *, signed: bool) -> Any:
    # boto3's clients may be shared by threads; making one may not.
    with _building:
        return _built(options, signed)
