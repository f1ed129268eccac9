"""``fresh_mfa_required``: guards what a remembered sign-in must not be enough for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme

from trusted_devices.web import logins
from trusted_devices.web.client import current_user


def has_fresh_mfa(request: HttpRequest, max_age: timedelta) -> bool:
    """Return whether this session's user used a second factor, not trust, no longer than ``max_age`` ago.

    It no longer counts once the password or any second factor has changed.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    return logins.fresh_verification(request, current_user(request), max_age=max_age) is not None


def fresh_mfa_required(max_age: timedelta) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a view run only within ``max_age`` of a real second factor; otherwise ask for one and come back.

    Works on sync and async views; for class-based ones use ``method_decorator``. After asking, a GET is repeated; a
    POST returns to the page that it came from, so that nothing is done twice or unseen.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(view):

            @wraps(view)
            async def aguarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                if await sync_to_async(has_fresh_mfa)(request, max_age):
                    return await view(request, *args, **kwargs)
                return ask_again(request)

            return aguarded

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return view(request, *args, **kwargs) if has_fresh_mfa(request, max_age) else ask_again(request)

        return guarded

    return decorate


def ask_again(request: HttpRequest) -> HttpResponse:
    """Return the redirect that asks for a second factor and then leads back."""
    url = reverse("trusted_devices:verify")
    return HttpResponseRedirect(url + "?" + urlencode({"next": _way_back(request)}))


def _way_back(request: HttpRequest) -> str:
    if request.method in ("GET", "HEAD"):
        return escape_leading_slashes(request.get_full_path())
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        parts = urlsplit(referer)
        if parts.netloc:
            return escape_leading_slashes((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return escape_leading_slashes(request.path)
