"""The demo's start page, its mailbox, and the health check."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from demo_site import accounts, mailbox


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """What this is, who can sign in, and what to try."""
    people = list(accounts.sign_in_facts(timezone.now()))
    return render(request, "demo_site/home.html", {"people": people})


@require_safe
@never_cache
def mail(request: HttpRequest) -> HttpResponse:
    """Show the mails that the demo has sent; they go to files instead of to people."""
    messages = mailbox.latest(settings.EMAIL_FILE_PATH)
    return render(request, "demo_site/mail.html", {"mails": messages})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that a request cannot be read. Django's own handler would read its form for a CSRF token, and fail again."""
    return HttpResponseBadRequest(render_to_string("400.html"))


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 if the site can reach its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")
