"""The demo's security pages: set up, renew and remove the second factor. A real site has its own."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import PasswordChangeView
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from demo_site import second_factor
from demo_site.forms import CodeForm, SetUpForm
from trusted_devices.exceptions import CodeMismatch, CodeUsed, SecondFactorRequired, TooManyAttempts
from trusted_devices.services import enrolment
from trusted_devices.web import logins
from trusted_devices.web.client import current_user
from trusted_devices.web.views import authenticator

SHOWN = "demo_site_shown_key"


@require_safe
@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    """The state of the user's second factor, and what can be done about it."""
    return render(request, "demo_site/security.html", {"factors": second_factor.overview(request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password", "code")
@never_cache
@login_required
def set_up(request: HttpRequest) -> HttpResponse:
    """Show the key of a new authenticator, and put it to use once a code from it arrives."""
    try:
        return _set_up(request)
    except SecondFactorRequired:
        text = _("Your second factor is on already. To use another phone, turn it off here first.")
        if not second_factor.overview(request.user).active:
            text = _("You have a second factor already, of a kind that cannot be asked for here. Staff can remove it.")
        messages.info(request, text)
        return redirect("security")


def _set_up(request: HttpRequest) -> HttpResponse:
    if not enrolment.may_change(current_user(request), verified=False):
        raise SecondFactorRequired
    form = SetUpForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if form.is_valid():
        status = _try_to_confirm(request, form)
        if not form.errors:
            return _new_recovery_codes(request, first=True)
    shown = request.session.get(SHOWN, "")
    device = second_factor.pending_authenticator(request.user, timezone.now(), shown=shown)
    request.session[SHOWN] = second_factor.mark(device)
    key = b32encode(device.bin_key).decode()
    context = {"form": form, **authenticator.shown(key=key, uri=device.config_url)}
    return render(request, "demo_site/set_up.html", context, status=status)


def _try_to_confirm(request: HttpRequest, form: SetUpForm) -> HTTPStatus:
    username = request.user.get_username()
    if authenticate(request, username=username, password=form.cleaned_data["password"]) != request.user:
        if getattr(request, "axes_locked_out", False):
            form.add_error("password", _("Too many wrong passwords. Try again in a few minutes."))
            return HTTPStatus.TOO_MANY_REQUESTS
        form.add_error("password", _("This is not your password."))
        return HTTPStatus.OK
    try:
        verified = second_factor.confirm_authenticator(
            request.user, form.cleaned_data["code"], timezone.now(), shown=request.session.get(SHOWN, "")
        )
    except (CodeMismatch, TooManyAttempts) as error:
        return _refuse_code(form, error)
    request.session.cycle_key()
    logins.renew_verification(request, current_user(request), verified)
    return HTTPStatus.OK


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("code")
@never_cache
@login_required
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Replace the recovery codes after a code."""
    return _after_a_code(request, "demo_site/recovery_codes.html", _new_recovery_codes)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("code")
@never_cache
@login_required
def remove(request: HttpRequest) -> HttpResponse:
    """Turn the second factor off after a code."""
    return _after_a_code(request, "demo_site/remove.html", _removed)


def _after_a_code(request: HttpRequest, template: str, then: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    if not second_factor.overview(request.user).active:
        messages.info(request, _("You have no second factor yet."))
        return redirect("security")
    form = CodeForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if form.is_valid():
        try:
            verified = second_factor.verify(request.user, form.cleaned_data["code"], timezone.now())
        except (CodeMismatch, TooManyAttempts) as error:
            status = _refuse_code(form, error)
        else:
            logins.renew_verification(request, current_user(request), verified)
            return then(request)
    return render(request, template, {"form": form}, status=status)


def _new_recovery_codes(request: HttpRequest, *, first: bool = False) -> HttpResponse:
    codes = second_factor.renew_recovery_codes(request.user)
    return render(request, "demo_site/new_recovery_codes.html", {"codes": codes, "first": first})


def _removed(request: HttpRequest) -> HttpResponse:
    second_factor.remove_all(request.user)
    request.session.cycle_key()
    messages.success(request, _("Your second factor is off. Your password alone signs you in now."))
    return redirect("security")


def _refuse_code(form: Form, error: CodeMismatch | TooManyAttempts) -> HTTPStatus:
    if isinstance(error, CodeUsed):
        form.add_error("code", _("This code has been used. Wait for the next one."))
        return HTTPStatus.OK
    if isinstance(error, second_factor.BegunAnew):
        form.add_error("code", _("The key on this page is a new one. Add it to your app, and type its code."))
        return HTTPStatus.OK
    if isinstance(error, CodeMismatch):
        form.add_error("code", _("This code is wrong, or was used before. Wait for the next one."))
        return HTTPStatus.OK
    seconds = 1
    if error.retry_at:
        seconds = max(seconds, round((error.retry_at - timezone.now()).total_seconds()))
    text = ngettext(
        "Too many wrong codes. Try again in %(seconds)d second.",
        "Too many wrong codes. Try again in %(seconds)d seconds.",
        seconds,
    )
    form.add_error("code", text % {"seconds": seconds})
    return HTTPStatus.TOO_MANY_REQUESTS


@method_decorator(never_cache, name="dispatch")
class ChangePassword(PasswordChangeView):
    """Django's own view. Changing the password ends trust; what of it is kept is the app's setting."""

    template_name = "demo_site/change_password.html"
    success_url = reverse_lazy("security")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed. Your other sessions have ended."))
        return super().form_valid(form)
