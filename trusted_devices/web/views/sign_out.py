"""Signing out."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.generic import View

from trusted_devices.web import logins
from trusted_devices.web.views import navigation


@method_decorator([login_not_required, never_cache, csrf_protect], name="dispatch")
class SignOutView(View):
    """Ends the session. A GET only asks whether to."""

    http_method_names = ["get", "head", "options", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.signed_out()
        return render(request, "trusted_devices/sign_out.html", {"next": navigation.asked_next(request)})

    def post(self, request: HttpRequest) -> HttpResponse:
        logins.leave(request)
        navigation.add_message(request, messages.SUCCESS, _("You are signed out."))
        return self.signed_out()

    def signed_out(self) -> HttpResponse:
        """Redirect to wherever the request or the site says, or else to the sign-in page."""
        next_url = navigation.asked_next(self.request)
        if not next_url and settings.LOGOUT_REDIRECT_URL is None:
            return navigation.go_to("sign_in")
        return HttpResponseRedirect(next_url or resolve_url(settings.LOGOUT_REDIRECT_URL))
