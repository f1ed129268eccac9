"""The admin's own sign-in: through this app's pages, so that it is no way around MFA.

It stands apart from the package ``admin`` because the site has to exist before anything can be registered with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.sites import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from trusted_devices import conf
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.web import session_note

if TYPE_CHECKING:
    _Base = AdminSite
else:
    _Base = object

_EXEMPT = "_trusted_devices_admin_exempt"


class TrustedDevicesAdminMixin(_Base):
    """Makes an ``AdminSite`` ask for what the sign-in pages ask for.

    Staff get in with a second factor or from a trusted device; those without any second factor only where
    ``ADMIN_REQUIRES_MFA`` is off. Django's own form, which knows passwords only, is never shown nor processed. Pages of
    second factors take one that was used in this sign-in: a trusted device is not enough for those.
    """

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether this request comes from staff with a session that MFA stands behind. Usually no query."""
        return super().has_permission(request) and (_passed_mfa(request) or _is_exempt(request))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Ask the rule about second factors before a page of theirs; it shows their keys as well."""
        model = getattr(getattr(view, "__self__", None), "model", None)
        if model is None:
            return super().admin_view(view, cacheable)

        @wraps(view)
        def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not _is_factor(model) or _may_change_factors(request):
                return view(request, *args, **kwargs)
            way_back = request.get_full_path() if request.method in ("GET", "HEAD") else request.path
            query = "?" + urlencode({REDIRECT_FIELD_NAME: way_back})
            return HttpResponseRedirect(reverse("trusted_devices:verify") + query)

        return super().admin_view(asking, cacheable)

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send people where they can get what they lack: to sign in, to verify, or to where help is."""
        index = reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return HttpResponseRedirect(index)
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or request.POST.get(REDIRECT_FIELD_NAME) or ""
        if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
            wanted = index
        query = "?" + urlencode({REDIRECT_FIELD_NAME: wanted})
        if not request.user.is_authenticated:
            return HttpResponseRedirect(reverse("trusted_devices:sign_in") + query)
        staff = super().has_permission(request)
        if staff and _can_verify(request):
            return HttpResponseRedirect(reverse("trusted_devices:verify") + query)
        setup = conf.get_settings().MFA_SETUP_URL
        context = {"staff": staff, "setup_url": resolve_url(setup) if staff and setup else "", "next": wanted}
        return render(request, "trusted_devices/admin_refused.html", context, status=403)


class TrustedDevicesAdminSite(TrustedDevicesAdminMixin, AdminSite):
    """Django's admin site behind MFA."""


class TrustedDevicesAdminConfig(AdminConfig):
    """Goes into ``INSTALLED_APPS`` in place of ``django.contrib.admin``; ``admin.site`` is then protected."""

    default_site = f"{__name__}.TrustedDevicesAdminSite"


def _passed_mfa(request: HttpRequest) -> bool:
    note = session_note.read(request.session, str(request.user.pk))
    return note is not None and note.passed_mfa


def _is_factor(model: type[Any]) -> bool:
    from trusted_devices.mfa import get_provider

    return any(issubclass(model, factor) for factor in get_provider().factor_models())


def _may_change_factors(request: HttpRequest) -> bool:
    from trusted_devices.services import enrolment
    from trusted_devices.web import logins
    from trusted_devices.web.client import current_user

    user = current_user(request)
    try:
        used = logins.fresh_verification(request, user, max_age=timedelta.max)
        return enrolment.may_change(user, verified=used is not None)
    except BackendUnavailable:
        return False


def _is_exempt(request: HttpRequest) -> bool:
    """Return whether the site lets this user in without a second factor because there is none to ask for."""
    if conf.get_settings().ADMIN_REQUIRES_MFA:
        return False
    known: bool | None = getattr(request, _EXEMPT, None)
    if known is None:
        known = not _can_verify(request)
        setattr(request, _EXEMPT, known)
    return known


def _can_verify(request: HttpRequest) -> bool:
    """Return whether this user has a second factor; where that cannot be told, the page that asks for it says so."""
    # A site is made before there are models.
    from trusted_devices.services import second_factor
    from trusted_devices.web.client import current_user

    try:
        return bool(second_factor.methods(current_user(request)))
    except BackendUnavailable:
        return True
