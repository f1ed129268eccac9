"""Where a page leads, and what the next page says."""

from __future__ import annotations

from urllib.parse import quote_plus, urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from trusted_devices import conf

LONGEST_NEXT = 3000
"""In the query of the next page, percent-encoded. Web servers take about 4,000 characters in one line."""


def asked_next(request: HttpRequest) -> str:
    """Return where the request wants to go afterwards, if that stays on this site; else an empty text."""
    return safe_next(request, request.POST.get("next") or request.GET.get("next") or "")


def safe_next(request: HttpRequest, url: str) -> str:
    """Return ``url`` if it stays on this site; else an empty text."""
    stays = len(quote_plus(url)) <= LONGEST_NEXT and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if stays else ""


def way_on(request: HttpRequest, url: str = "") -> str:
    """Return where a signed-in user wanted to go, or else home."""
    return safe_next(request, url) or resolve_url(settings.LOGIN_REDIRECT_URL)


def go_on(request: HttpRequest, url: str = "") -> HttpResponseRedirect:
    """Redirect a signed-in user to where they wanted to go, or else home."""
    return HttpResponseRedirect(way_on(request, url))


def way_to(name: str, next_url: str = "") -> str:
    """Return the address of one of the app's pages, which goes on to ``next_url``."""
    url = reverse(f"trusted_devices:{name}")
    return f"{url}?{urlencode({'next': next_url})}" if next_url else url


def go_to(name: str, next_url: str = "") -> HttpResponseRedirect:
    """Redirect to one of the app's pages, which goes on to ``next_url``."""
    return HttpResponseRedirect(way_to(name, next_url))


def add_message(request: HttpRequest, level: int, text: str) -> None:
    """Have the next page say ``text``; sites without Django's messages go without."""
    messages.add_message(request, level, text, fail_silently=True)


def set_up_url() -> str:
    """Return the site's page for setting up a second factor; empty where it named none."""
    chosen = conf.get_settings().MFA_SETUP_URL
    return resolve_url(chosen) if chosen else ""
