"""A strict Content-Security-Policy: nothing inline and nothing from elsewhere, on every page of the demo."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(**other: str) -> str:
    """Return the policy; a page that needs ``other`` sources names them, such as ``img_src="'self' data:"``."""
    sources = SOURCES | {directive.replace("_", "-"): chosen for directive, chosen in other.items()}
    return "; ".join(f"{directive} {chosen}" for directive, chosen in sources.items())


class ContentSecurityPolicyMiddleware:
    """Adds the header, unless the page has one of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy())
        return response
