"""A signed-in user proves a second factor again, for what a remembered sign-in is not enough for."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from trusted_devices.exceptions import (
    ActionRequired,
    BackendUnavailable,
    CodeMismatch,
    TooManyAttempts,
    UnknownMethod,
)
from trusted_devices.services import second_factor
from trusted_devices.types import MfaMethod
from trusted_devices.web import guards, logins
from trusted_devices.web.client import client_info
from trusted_devices.web.forms import MethodForm
from trusted_devices.web.views import code_page, pages
from trusted_devices.web.views.code_page import CodePage

SESSION_KEY = "_trusted_devices_verify"


@dataclass(slots=True)
class Choice:
    """Which factor the session is being asked for, whether its code was sent, and the backend's state."""

    method: str = ""
    sent: str = ""
    state: dict[str, str] = field(default_factory=dict)


@method_decorator([sensitive_post_parameters("code"), never_cache, login_required, csrf_protect], name="dispatch")
class VerifyView(View):
    """Asks for a code and goes on to ``next``; no browser's trust answers here."""

    http_method_names = ["get", "head", "options", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not second_factor.may_ask_anytime():
            return self.sign_in_again()
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnknownMethod:
            # The factor went while its code was on the way.
            return pages.go_to("verify", pages.asked_next(request))

    def get(self, request: HttpRequest) -> HttpResponse:
        page = self.page(request.user, self.choice())
        return page.render(request) if page else self.no_second_factor()

    def post(self, request: HttpRequest) -> HttpResponse:
        choice = self.choice()
        page = self.page(request.user, choice)
        if page is None:
            return self.no_second_factor()
        if "method" in request.POST:
            return self.choose(page, choice)
        form = page.form(request.POST)
        if not form.is_valid():
            return page.render(request, form, status=HTTPStatus.BAD_REQUEST)
        client = client_info(request)
        try:
            guards.ensure_allowed(request, page.user.get_username())
        except TooManyAttempts as error:
            return pages.too_many_attempts(request, error)
        try:
            verified = second_factor.verify(
                page.user, page.method, form.cleaned_data["code"], state=choice.state, client=client
            )
        except (ActionRequired, CodeMismatch, TooManyAttempts, BackendUnavailable) as error:
            return page.refuse(request, form, error)
        request.session.pop(SESSION_KEY, None)
        request.session.cycle_key()
        logins.renew_verification(request, page.user, verified)
        return pages.go_on(request, page.next_url)

    def choose(self, page: CodePage, choice: Choice) -> HttpResponse:
        """Ask for another factor, or send another code."""
        form = MethodForm(self.request.POST)
        try:
            method = second_factor.find(page.methods, form.cleaned_data["method"] if form.is_valid() else "")
        except UnknownMethod:
            return page.render(self.request, problem=code_page.unknown_method(), status=HTTPStatus.BAD_REQUEST)
        choice.method = method.id
        try:
            choice.state = dict(
                second_factor.send(page.user, method, state=choice.state, client=client_info(self.request))
            )
        except TooManyAttempts as error:
            pages.tell(self.request, messages.INFO, code_page.asked_too_often(error))
        except BackendUnavailable:
            return page.render(self.request, problem=code_page.unavailable(), status=HTTPStatus.SERVICE_UNAVAILABLE)
        if method.needs_sending:
            choice.sent = method.id
        self.request.session[SESSION_KEY] = {"method": choice.method, "sent": choice.sent, "state": choice.state}
        return pages.go_to("verify", page.next_url)

    def choice(self) -> Choice:
        """Return what the session is being asked for."""
        raw = self.request.session.get(SESSION_KEY)
        return Choice(**raw) if isinstance(raw, dict) else Choice()

    def page(self, user: Any, choice: Choice) -> CodePage | None:
        """Return the page for one of the user's factors; ``None`` if they have none."""
        methods = second_factor.methods(user)
        if not methods:
            return None
        method: MfaMethod = next((method for method in methods if method.id == choice.method), methods[0])
        return CodePage(
            template="trusted_devices/verify.html",
            user=user,
            methods=methods,
            method=method,
            sent=choice.sent == method.id,
            next_url=pages.asked_next(self.request),
        )

    def no_second_factor(self) -> HttpResponse:
        """Return the page for users who have nothing to prove themselves with."""
        context = {"set_up_url": pages.set_up_url()}
        return render(self.request, "trusted_devices/no_second_factor.html", context, status=HTTPStatus.FORBIDDEN)

    def sign_in_again(self) -> HttpResponse:
        """Return the page for sites where a second factor can be proved only in the course of a sign-in."""
        context = {"next": pages.asked_next(self.request)}
        return render(self.request, "trusted_devices/sign_in_again.html", context, status=HTTPStatus.FORBIDDEN)
