"""Protection against guessing by django-axes, where a site has it (extra ``axes``): by user and by address, as its
own settings say. Wrong passwords and wrong codes count alike; a wrong device secret never does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Max, Sum
from django.http import HttpRequest
from django.utils import timezone

from trusted_devices.exceptions import TooManyAttempts


def ensure_allowed(request: HttpRequest, username: str) -> None:
    """Ask before a password or a code is looked at. Raises ``TooManyAttempts``; costs nothing without django-axes.

    ``username`` is what was typed, whether or not there is such a user.
    """
    if not is_installed():
        return
    # django-axes has models, and so can be imported only where it is installed as an app.
    from axes.handlers.proxy import AxesProxyHandler
    from axes.helpers import get_credentials

    credentials = get_credentials(username)
    if not AxesProxyHandler.is_allowed(request, credentials):
        raise TooManyAttempts(_retry_at(request, credentials))


def on_behalf_of(request: HttpRequest, *, address: str = "", user_agent: str = "") -> HttpRequest:
    """Return ``request`` as if it came from ``address``, for a server that signs somebody in there.

    It is for :func:`ensure_allowed`, and for what counts wrong passwords: authentication backends and receivers. They
    mark it, and django-axes' middleware would answer in the place of the view of a request that is marked.
    """
    seen = HttpRequest.__new__(type(request))
    vars(seen).update({name: value for name, value in vars(request).items() if name != "headers"})
    seen.META = dict(request.META)
    if user_agent:
        seen.META["HTTP_USER_AGENT"] = user_agent
    if address:
        seen.META |= {"REMOTE_ADDR": address, "HTTP_X_FORWARDED_FOR": address}
    if address and is_installed():
        from axes.handlers.proxy import AxesProxyHandler

        AxesProxyHandler.update_request(seen)
        seen.axes_ip_address = address  # type: ignore[attr-defined]  # whatever the site reads it from
    return seen


def is_installed() -> bool:
    """Return whether django-axes is there and switched on."""
    return apps.is_installed("axes") and getattr(settings, "AXES_ENABLED", True)


def _retry_at(request: HttpRequest, credentials: Any) -> datetime | None:
    """Return when the latest of the attempts that closed the door is forgotten; ``None`` when it stays closed."""
    from axes.handlers.database import AxesDatabaseHandler
    from axes.handlers.proxy import AxesProxyHandler
    from axes.helpers import get_cool_off, get_failure_limit

    cool_off = get_cool_off(request)
    if cool_off is None:
        return None
    handler = AxesProxyHandler.get_implementation()
    latest = []
    if isinstance(handler, AxesDatabaseHandler):
        limit = get_failure_limit(request, credentials)
        for attempts in handler.get_user_attempts(request, credentials):
            counted = attempts.aggregate(failures=Sum("failures_since_start"), at=Max("attempt_time"))
            if counted["at"] is not None and counted["failures"] >= limit:
                latest.append(counted["at"])
    retry_at: datetime = max(latest, default=timezone.now()) + cool_off
    return retry_at
