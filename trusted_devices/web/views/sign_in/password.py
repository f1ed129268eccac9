"""The first page, and the way back to it."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from trusted_devices.exceptions import ActionRequired, BackendUnavailable, InvalidCredentials, TooManyAttempts
from trusted_devices.services import sign_in
from trusted_devices.web import throttling
from trusted_devices.web.forms import SignInForm
from trusted_devices.web.jar import get_jar
from trusted_devices.web.pending import drop_pending
from trusted_devices.web.views import navigation, refusals
from trusted_devices.web.views.sign_in.base import SignInPage


class SignInView(SignInPage):
    """User name and password."""

    name_field = "username"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(SignInForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SignInForm(request.POST)
        if not form.is_valid():
            return self.page(form, HTTPStatus.BAD_REQUEST)
        try:
            throttling.ensure_allowed(request, form.cleaned_data["username"])
            outcome = sign_in.begin(form.cleaned_data, cookie=get_jar(request).cookie, by=self.by())
        except TooManyAttempts as error:
            return refusals.too_many_attempts(request, error)
        except InvalidCredentials:
            form.add_error(None, _("User name and password do not match. Mind capital and small letters."))
            return self.page(form, HTTPStatus.BAD_REQUEST)
        except (ActionRequired, BackendUnavailable) as error:
            text, status = refusals.obstacle(error)
            form.add_error(None, text)
            return self.page(form, status)
        return self.after_password(outcome, navigation.asked_next(request))

    def page(self, form: SignInForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
        """Return the form."""
        context = {"form": form, "next": navigation.asked_next(self.request)}
        return render(self.request, "trusted_devices/sign_in.html", context, status=status)


class CancelView(SignInPage):
    """Wipes a half-finished sign-in."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        next_url = drop_pending(request) or navigation.asked_next(request)
        navigation.add_message(request, messages.INFO, _("Sign-in cancelled."))
        return navigation.go_to("sign_in", next_url)
