"""The fresh second factor that remembering a device takes: of this session, or as a code in the request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from trusted_devices.api.problems import Problem
from trusted_devices.services import second_factor
from trusted_devices.types import By, ClientInfo, MfaVerification, VerifiedBy
from trusted_devices.web import logins, session_note, throttling
from trusted_devices.web.session_note import Verification

MAX_AGE = timedelta(minutes=10)
"""How long ago a session's second factor may have been used."""


def session_verification(request: Request) -> Verification | None:
    """Return how the session that authenticated this request was verified; ``None`` for other authentication."""
    if not isinstance(request.successful_authenticator, SessionAuthentication):
        return None
    return session_note.read(request._request.session, str(request.user.pk))


@sensitive_variables("asked")
def fresh_verification(request: Request, asked: Mapping[str, Any], client: ClientInfo) -> MfaVerification:
    """Return the second factor that the signed-in user has just used.

    That of the session if it is recent; else the ``code`` in the request is verified and used up, and counts for the
    session as well. Tokens tell nothing of a second factor, so their holders always send a code.

    Raises a ``Problem`` (``fresh_mfa_required``, naming the factors to choose from), ``CodeMismatch``,
    ``UnknownMethod``, ``TooManyAttempts``, ``BackendUnavailable``.
    """
    user, code = cast("AbstractBaseUser", request.user), asked.get("code")
    note = session_verification(request)
    if not code:
        if note is None or logins.fresh_verification(request._request, user, max_age=MAX_AGE) is None:
            raise _code_needed(user)
        recovery = note.verified_by is VerifiedBy.RECOVERY
        return MfaVerification(kind="session", factor_id="", at=note.at, recovery=recovery, stamp=note.stamp)
    methods = second_factor.methods(user)
    if not methods:
        raise _code_needed(user)
    method = second_factor.find(methods, asked["method"]) if asked.get("method") else methods[0]
    http_request: HttpRequest = request._request
    throttling.ensure_allowed(http_request, user.get_username())
    conversation = second_factor.ask_again(user, client=client)
    verified = second_factor.verify(conversation, method, code, by=By(client=client))
    if note is not None:
        logins.renew_verification(http_request, user, verified)
    return verified


def _code_needed(user: AbstractBaseUser) -> Problem:
    methods = [{"id": method.id, "kind": method.kind} for method in second_factor.methods(user)]
    detail = _("This takes a second factor used just now. Send its code.")
    return Problem(HTTPStatus.FORBIDDEN, "fresh_mfa_required", detail, methods=methods)
