"""What a request tells of its sender."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.module_loading import import_string

from trusted_devices import conf
from trusted_devices.types import By, ClientInfo
from trusted_devices.web.jar import get_jar
from trusted_devices.words import browsers

IMPERSONATION_SESSION_KEYS = ("hijack_history", "_impersonate", "loginas_from_user")
"""Where django-hijack, django-impersonate and django-loginas note that staff act as another user."""


def client_info(request: HttpRequest) -> ClientInfo:
    """Return the client behind ``request``. The address is ``REMOTE_ADDR`` unless ``CLIENT_IP`` names a function."""
    session = getattr(request, "session", None)
    return ClientInfo(
        ip_address=client_address(request),
        user_agent=browsers.stated(request.headers),
        keeps_credentials=get_jar(request).is_kept,
        impersonated=session is not None and any(session.get(key) for key in IMPERSONATION_SESSION_KEYS),
        request=request,
    )


def current_user(request: HttpRequest) -> AbstractBaseUser:
    """Return the signed-in user, behind a door for signed-in users."""
    return cast("AbstractBaseUser", request.user)


def acting(request: HttpRequest, note: str = "") -> By:
    """Return that the signed-in user does something now, and why."""
    return By(actor=current_user(request), note=note, client=client_info(request))


def client_address(request: HttpRequest) -> str | None:
    """Return the network address behind ``request``, ``None`` where it is not known."""
    resolver = conf.get_settings().CLIENT_IP
    address = import_string(resolver)(request) if resolver else request.META.get("REMOTE_ADDR")
    return address or None
