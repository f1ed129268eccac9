"""``DeviceKeyMiddleware``: ``request.trusted_device`` on the way in, the device-key cookie on the way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from trusted_devices import conf, database
from trusted_devices.models import Device
from trusted_devices.services import credentials
from trusted_devices.web import jar, logins
from trusted_devices.web.views import refusals

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class DeviceKeyMiddleware:
    """Put it anywhere behind ``AuthenticationMiddleware``.

    ``request.trusted_device`` is the device that this browser holds for the signed-in user, lazily and in one query;
    it is falsy when there is none (in async views: ``await request.atrusted_device()``). Recognised is not the same
    as remembered: ask ``is_remembered``. A request that asks for nothing costs no query and changes no header.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.USE_TZ:
            raise ImproperlyConfigured(conf.NEEDS_TIME_ZONES)  # at once, and not as an error of every page
        self.get_response: Any = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self._acall(request) if self._async else self._call(request)

    def _call(self, request: HttpRequest) -> HttpResponseBase:
        token = self._prepare(request)
        try:
            response: HttpResponseBase = self.get_response(request)
        finally:
            jar.current_request.reset(token)
        for write in _left_to_do(request, response):
            response = _carry_out(write, request) or response
        jar.apply_changes(request, response)
        return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        token = self._prepare(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
        finally:
            jar.current_request.reset(token)
        for write in _left_to_do(request, response):
            response = await sync_to_async(_carry_out)(write, request) or response
        jar.apply_changes(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer on a page of ours what has a character that the database does not know, and a database that is away.

        Django saves no session with the latter, so that nobody is half signed in.
        """
        if not _is_our_page(request):
            return None
        if isinstance(exception, DatabaseError) and database.refuses_text(exception):
            return refusals.unstorable(request)
        return _database_away(request, exception)

    def _prepare(self, request: HttpRequest) -> Any:
        extended: Any = request
        extended.trusted_device = SimpleLazyObject(partial(_recognise, request))
        extended.atrusted_device = partial(_arecognise, request)
        return jar.current_request.set(request)


def _left_to_do(request: HttpRequest, response: HttpResponseBase) -> Iterable[Callable[[], None]]:
    """Return what is left to be written. With an error of the server no session is saved, so there is nothing."""
    return logins.left_to_do(request) if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else ()


def _carry_out(write: Callable[[], None], request: HttpRequest) -> HttpResponseBase | None:
    """Write, and return ``None``; where the database is away, the answer in place of the page."""
    try:
        write()
    except Error as error:
        if response := _database_away(request, error):
            return response
        raise
    return None


def _database_away(request: HttpRequest, error: Exception) -> HttpResponseBase | None:
    if settings.DEBUG or not database.is_away(error):
        return None
    # Not the error itself: databases quote the row.
    logger.error("A page could not be shown: the database is away (%s).", type(error).__name__)
    database.reconnect()
    return refusals.database_away(request)


def _is_our_page(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and ("trusted_devices" in match.app_names or "trusted_devices_" in (match.url_name or ""))


def _recognise(request: HttpRequest) -> Device | None:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return credentials.recognise(user=user, credential=jar.get_jar(request).present(user).credential)


_arecognise = sync_to_async(_recognise)
