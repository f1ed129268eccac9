"""A request's device credentials: read from cookie or header when asked, written to the response when changed."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers

from trusted_devices import conf, cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.types import DeviceCredential, Presented

logger = logging.getLogger(__name__)

_ATTRIBUTE = "_trusted_devices_jar"

current_request: ContextVar[HttpRequest | None] = ContextVar("trusted_devices_request", default=None)
"""The current request, for receivers of signals that carry none."""


class DeviceKeyJar:
    """The device-key cookie of one request, or the header that stands in for it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._changed: DeviceCookie | None = None

    @property
    def by_header(self) -> bool:
        """Whether this client carries its credentials in the header."""
        return conf.get_settings().HEADER_NAME in self._request.headers

    @property
    def is_kept(self) -> bool:
        """Whether the client keeps what it is given: browsers take Secure cookies over an encrypted connection alone.

        The browser knows best what it is connected to, behind a proxy that does not say so, or on this very machine:
        it sends ``Sec-Fetch-Site`` where it trusts the connection (Fetch Metadata Request Headers, section 2).
        """
        request = self._request
        if self.by_header or not conf.cookie_is_secure() or request.is_secure():
            return True
        origin = request.headers.get("Origin", "")
        kept = "Sec-Fetch-Site" in request.headers or origin.startswith("https://")
        if not kept:
            _warn()
        return kept

    @cached_property
    def received(self) -> DeviceCookie:
        """What the client sent."""
        if self.by_header:
            return cookies.load(self._request.headers[conf.get_settings().HEADER_NAME])
        return cookies.load(self._request.COOKIES.get(cookies.name()))

    @property
    def cookie(self) -> DeviceCookie:
        """What the client holds once it has the response."""
        return self.received if self._changed is None else self._changed

    def present(self, user: AbstractBaseUser) -> Presented:
        """Return what the client brings along for ``user``."""
        return self.cookie.present(str(user.pk))

    def keep(self, credential: DeviceCredential) -> None:
        """Hand ``credential`` to the client in place of its user's earlier one."""
        self._changed = self.cookie.put(credential)

    def discard(self, user: AbstractBaseUser) -> None:
        """Take the credential of ``user`` from the client, if it has one."""
        if self.present(user).credential is not None:
            self._changed = self.cookie.drop(str(user.pk))

    def tidy(self) -> None:
        """Replace what cannot be read, or was sealed under a key that has been rotated."""
        if self.cookie.unreadable or self.cookie.outdated:
            self._changed = self.cookie.tidied()

    def has_displaced(self, user: AbstractBaseUser, now: datetime) -> bool:
        """Return whether the trust of ``user``, not yet at its end, had to make room for that of others."""
        expiry = self.cookie.displaced.get(str(user.pk))
        return expiry is not None and now < expiry

    def declines(self, user: AbstractBaseUser) -> bool:
        """Return whether ``user`` does not want to be asked whether to trust this browser."""
        return str(user.pk) in self.cookie.declined

    def decline(self, user: AbstractBaseUser) -> None:
        """Ask ``user`` no more."""
        self._changed = self.cookie.decline(str(user.pk))

    def ask_again(self, user: AbstractBaseUser) -> None:
        """Ask ``user`` again."""
        if self.declines(user):
            self._changed = self.cookie.ask_again(str(user.pk))

    def sealed(self) -> str:
        """Return the sealed value as the client should hold it; empty when it holds nothing."""
        return "" if self.cookie.is_empty else cookies.dump(self.cookie)

    def apply(self, response: HttpResponseBase) -> None:
        """Write what changed to ``response``, and keep shared caches away from it. Otherwise touch nothing."""
        if self._changed is None:
            return
        options = conf.get_settings()
        patch_cache_control(response, private=True)
        if self.by_header:
            response.headers[options.HEADER_NAME] = self.sealed()
            patch_vary_headers(response, [options.HEADER_NAME])
            return
        patch_vary_headers(response, ["Cookie"])
        samesite: Any = options.COOKIE_SAMESITE
        if self._changed.is_empty:
            response.delete_cookie(
                cookies.name(), path=options.COOKIE_PATH, domain=options.COOKIE_DOMAIN, samesite=samesite
            )
            return
        response.set_cookie(
            cookies.name(),
            self.sealed(),
            max_age=cookies.max_age(self._changed, timezone.now()),
            path=options.COOKIE_PATH,
            domain=options.COOKIE_DOMAIN,
            secure=conf.cookie_is_secure(),
            httponly=True,
            samesite=samesite,
        )


@cache
def _warn() -> None:
    """Say it once."""
    logger.warning(
        "This site is open over plain HTTP, where browsers do not keep the device-key cookie, which is Secure: nobody "
        "is asked whether to trust a device. Serve it over HTTPS, or set %s['COOKIE_SECURE'] to False.",
        conf.NAME,
    )


def get_jar(request: HttpRequest) -> DeviceKeyJar:
    """Return the request's jar, always the same one."""
    jar = getattr(request, _ATTRIBUTE, None)
    if jar is None:
        jar = DeviceKeyJar(request)
        setattr(request, _ATTRIBUTE, jar)
    return jar


def apply_changes(request: HttpRequest, response: HttpResponseBase) -> None:
    """Write the jar's changes to ``response``, if the request ever asked for its jar."""
    jar = getattr(request, _ATTRIBUTE, None)
    if jar is not None:
        jar.apply(response)


def key_in_hand(user: AbstractBaseUser) -> str:
    """Return the device key that the current request holds of ``user``, if it is theirs; else an empty text."""
    request = current_request.get()
    if request is None or not hasattr(request, "user") or request.user.pk != user.pk:
        return ""
    credential = get_jar(request).present(user).credential
    return credential.device_key if credential else ""
