"""Errors as ``application/problem+json`` (RFC 9457), with a stable ``code`` and, for bad input, one entry a field."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from trusted_devices import database
from trusted_devices.api.periods import format_period
from trusted_devices.exceptions import (
    BackendUnavailable,
    CodeMismatch,
    CodeUsed,
    DeviceNotFound,
    FreshMfaRequired,
    InvalidDeviceName,
    InvalidPeriod,
    SecondFactorRequired,
    StaleDevice,
    TooManyAttempts,
    TrustedDevicesError,
    TrustNotAllowed,
    UnknownMethod,
)
from trusted_devices.services import devices

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

ANSWERS: dict[type[TrustedDevicesError], tuple[HTTPStatus, Any]] = {
    DeviceNotFound: (HTTPStatus.NOT_FOUND, _("There is no such device.")),
    InvalidDeviceName: (HTTPStatus.BAD_REQUEST, _("This name cannot be.")),
    InvalidPeriod: (HTTPStatus.BAD_REQUEST, _("This period is not allowed.")),
    CodeMismatch: (HTTPStatus.BAD_REQUEST, _("The code is wrong or has been used.")),
    CodeUsed: (HTTPStatus.BAD_REQUEST, _("The code has been used. Wait for the next one.")),
    UnknownMethod: (HTTPStatus.BAD_REQUEST, _("There is no such second factor.")),
    TooManyAttempts: (HTTPStatus.TOO_MANY_REQUESTS, _("Too many attempts. Try again later.")),
    SecondFactorRequired: (HTTPStatus.FORBIDDEN, _("This takes a sign-in with a second factor.")),
    FreshMfaRequired: (HTTPStatus.FORBIDDEN, _("This takes a second factor used just now. Send its code.")),
    TrustNotAllowed: (HTTPStatus.FORBIDDEN, _("This device may not be remembered.")),
    StaleDevice: (HTTPStatus.PRECONDITION_FAILED, _("The device has changed since you last saw it.")),
    BackendUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, _("The devices cannot be reached now. Try again later.")),
}
FIELDS: dict[type[TrustedDevicesError], str] = {
    InvalidDeviceName: "name",
    InvalidPeriod: "period",
    CodeMismatch: "code",
    CodeUsed: "code",
    UnknownMethod: "method",
}
"""Which field of the request an error is about."""


class Problem(exceptions.APIException):
    """An error with a status and code of its own, and ``members`` for the client to go on with."""

    def __init__(self, status: int, code: str, detail: Any, *, wait: int | None = None, **members: Any) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.wait = wait
        self.members = members


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer any error that is the client's or the moment's; ``None`` leaves the others to Django."""
    translated = _translated(error)
    response = exception_handler(translated, context)
    if response is not None:
        response.data = _body(translated, response.status_code)
    return response


def _translated(error: Exception) -> Exception:
    if isinstance(error, IntegrityError):
        logger.warning("A row that was referred to went away meanwhile.", exc_info=error)
        return Problem(HTTPStatus.CONFLICT, "conflict", _("Something that this is about has gone meanwhile."))
    if database.is_away(error):
        # Not the error itself: databases quote the row.
        logger.error("A request was not answered: the database is away (%s).", type(error).__name__)
        text = _("The site cannot reach its database now. Try again in a minute.")
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, BackendUnavailable.code, text, wait=60)
    if isinstance(error, DatabaseError) and database.refuses_text(error):
        text = _("The request has a character that the site's database cannot store.")
        return Problem(HTTPStatus.BAD_REQUEST, "unstorable_text", text)
    # A backend may say more exactly what went wrong, by a subclass of its own.
    kind = next((each for each in type(error).__mro__ if each in ANSWERS), None)
    if not isinstance(error, TrustedDevicesError) or kind is None:
        return error
    status, detail = ANSWERS[kind]
    if isinstance(error, InvalidDeviceName):
        detail = devices.why_refused(error)
    field = FIELDS.get(kind)
    members: dict[str, Any] = {"errors": [_entry(field, error.code, detail)]} if field else {}
    wait = None
    if isinstance(error, InvalidPeriod):
        members["allowed_periods"] = [format_period(period) for period in error.allowed]
    if isinstance(error, TooManyAttempts) and error.retry_at is not None:
        wait = max(1, -(-(error.retry_at - timezone.now()) // timedelta(seconds=1)))
    return Problem(status, error.code, detail, wait=wait, **members)


def _body(error: Exception, status: int) -> dict[str, Any]:
    code, detail, members = "error", "", {}
    if isinstance(error, exceptions.ValidationError):
        code, detail = "invalid", str(_("The request is not valid."))
        members = {"errors": list(_entries(error.get_full_details()))}
    elif isinstance(error, exceptions.APIException) and isinstance(error.detail, dict):
        # The errors of djangorestframework-simplejwt carry code and text side by side.
        code, detail = (str(error.detail.get(key, "")) for key in ("code", "detail"))
    elif isinstance(error, exceptions.APIException):
        code, detail = str(error.get_codes()), str(error.detail)
        members = getattr(error, "members", {})
    else:  # Django's own
        code = {HTTPStatus.NOT_FOUND: "not_found", HTTPStatus.FORBIDDEN: "permission_denied"}[HTTPStatus(status)]
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": _plain(detail), **members}


def _entries(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten what Django REST framework says of a request into entries of field, code and text."""
    if isinstance(details, list):
        for item in details:
            yield from _entries(item, path)
    elif isinstance(details, dict) and isinstance(details.get("message"), str) and "code" in details:
        yield _entry(path, details["code"], details["message"])
    elif isinstance(details, dict):
        for key, item in details.items():
            inner = "" if key == "non_field_errors" else str(key)
            yield from _entries(item, f"{path}.{inner}" if path and inner else path or inner)


def _entry(field: str | None, code: str, detail: Any) -> dict[str, str]:
    return {"field": _plain(field or ""), "code": str(code), "detail": _plain(str(detail))}


def _plain(text: str) -> str:
    """Return ``text``, which may quote the request, fit for UTF-8: JSON can spell what that cannot."""
    return text.encode(errors="backslashreplace").decode()
