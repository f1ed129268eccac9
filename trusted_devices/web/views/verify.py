"""A signed-in user proves a second factor again, for what a remembered sign-in is not enough for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
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
from trusted_devices.signin.base import Conversation
from trusted_devices.types import By
from trusted_devices.web import logins, throttling
from trusted_devices.web.client import client_info, current_user
from trusted_devices.web.forms import MethodForm
from trusted_devices.web.views import navigation, refusals
from trusted_devices.web.views.code_page import CodePage

SESSION_KEY = "_trusted_devices_verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which factor the session is asked for, for which one a code was sent, and the state of the conversation."""

    method: str = ""
    sent: str = ""
    state: dict[str, str] = field(default_factory=dict)


@method_decorator([sensitive_post_parameters("code"), never_cache, login_required, csrf_protect], name="dispatch")
class VerifyView(View):
    """Asks for a code and goes on to ``next``; no browser's trust answers here."""

    http_method_names = ["get", "head", "options", "post"]
    choice: Choice
    conversation: Conversation

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not second_factor.may_ask_anytime():
            return self.sign_in_again()
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnknownMethod:
            # The factor went while its code was on the way.
            return navigation.go_to("verify", navigation.asked_next(request))

    def get(self, request: HttpRequest) -> HttpResponse:
        page = self.page()
        return page.render(request) if page else self.no_second_factor()

    def post(self, request: HttpRequest) -> HttpResponse:
        page = self.page()
        if page is None:
            return self.no_second_factor()
        if "method" in request.POST:
            return self.choose(page)
        form = page.form(request.POST)
        if not form.is_valid():
            return page.render(request, form, status=HTTPStatus.BAD_REQUEST)
        try:
            throttling.ensure_allowed(request, page.user.get_username())
        except TooManyAttempts as error:
            return refusals.too_many_attempts(request, error)
        by = By(client=client_info(request))
        try:
            verified = second_factor.verify(self.conversation, page.method, form.cleaned_data["code"], by=by)
        except (ActionRequired, CodeMismatch, TooManyAttempts, BackendUnavailable) as error:
            return page.refuse(request, form, error)
        request.session.pop(SESSION_KEY, None)
        request.session.cycle_key()
        logins.renew_verification(request, page.user, verified)
        return navigation.go_on(request, page.next_url)

    def choose(self, page: CodePage) -> HttpResponse:
        """Ask for another factor, or send another code."""
        form, choice = MethodForm(self.request.POST), self.choice
        try:
            method = second_factor.find(page.methods, form.cleaned_data["method"] if form.is_valid() else "")
        except UnknownMethod:
            return page.render(self.request, problem=refusals.unknown_method(), status=HTTPStatus.BAD_REQUEST)
        try:
            second_factor.send(self.conversation, method)
        except TooManyAttempts as error:
            navigation.add_message(self.request, messages.INFO, refusals.asked_too_often(error))
        except BackendUnavailable:
            return page.render(self.request, problem=refusals.unavailable(), status=HTTPStatus.SERVICE_UNAVAILABLE)
        sent = method.id if method.needs_sending else choice.sent
        self.request.session[SESSION_KEY] = asdict(
            Choice(method=method.id, sent=sent, state=dict(self.conversation.state))
        )
        return navigation.go_to("verify", page.next_url)

    def page(self) -> CodePage | None:
        """Load the choice and the conversation; return the page for a factor, ``None`` if the user has none."""
        raw = self.request.session.get(SESSION_KEY)
        try:
            choice = self.choice = Choice(**raw) if isinstance(raw, dict) else Choice()
        except TypeError:  # of another release
            choice = self.choice = Choice()
        user = current_user(self.request)
        self.conversation = second_factor.ask_again(user, client=client_info(self.request), state=choice.state)
        methods = self.conversation.methods()
        if not methods:
            return None
        method = next((method for method in methods if method.id == choice.method), methods[0])
        return CodePage(
            template="trusted_devices/verify.html",
            user=user,
            methods=methods,
            method=method,
            sent=choice.sent == method.id,
            next_url=navigation.asked_next(self.request),
        )

    def no_second_factor(self) -> HttpResponse:
        """Return the page for users who have nothing to prove themselves with."""
        context = {"set_up_url": navigation.set_up_url()}
        return render(self.request, "trusted_devices/no_second_factor.html", context, status=HTTPStatus.FORBIDDEN)

    def sign_in_again(self) -> HttpResponse:
        """Return the page for sites where a second factor can be proved only in the course of a sign-in."""
        context = {"next": navigation.asked_next(self.request)}
        return render(self.request, "trusted_devices/sign_in_again.html", context, status=HTTPStatus.FORBIDDEN)
