"""What is answered where Django suspects a forged request: mostly a page was left open while somebody signed in."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token

from trusted_devices.web.views import navigation


@never_cache
@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say that nothing was done, why, and what to do. For ``CSRF_FAILURE_VIEW``.

    A page for whoever asks for one; one line of plain text for scripts and programs.
    """
    why, advice = _words(reason)
    if not _wants_page(request):
        text = f"{_('Nothing was done.')} {why} {advice}\n"
        return HttpResponse(text, content_type="text/plain; charset=utf-8", status=HTTPStatus.FORBIDDEN)
    context = {
        "why": why,
        "advice": advice,
        "opened": navigation.safe_next(request, request.headers.get("Referer", "")),
        "way_on": navigation.way_on(request),
        "reason": reason if settings.DEBUG else "",
    }
    return render(request, "trusted_devices/csrf_failure.html", context, status=HTTPStatus.FORBIDDEN)


def _wants_page(request: HttpRequest) -> bool:
    """Return whether HTML is asked for by name, as browsers do when they go to a page."""
    return any(str(kind).startswith("text/html") for kind in request.accepted_types)


def _words(reason: str) -> tuple[str, str]:
    if reason == REASON_NO_CSRF_COOKIE:
        return (
            _("Your browser did not send the cookie of this site that proves where the form came from."),
            _("Allow this site its cookies, open the page again and repeat what you did."),
        )
    if reason.startswith(("Origin", "Referer")):
        return (
            _("Your browser did not say that the form came from a page of this site."),
            _("Open the page again and repeat what you did. If that does not help, tell whoever runs this site."),
        )
    return (
        _("The page was out of date: somebody has signed in or out in this browser since it was opened."),
        _("Open the page again and repeat what you did."),
    )
