"""After the password: a code, by one of the user's factors."""

from __future__ import annotations

import dataclasses
from http import HTTPStatus
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpResponse
from django.http.request import split_domain_port

from trusted_devices.exceptions import (
    ActionRequired,
    AlreadyAnswered,
    BackendUnavailable,
    CodeMismatch,
    TooManyAttempts,
    UnknownMethod,
)
from trusted_devices.services import sign_in
from trusted_devices.services.sign_in import SignedIn
from trusted_devices.services.sign_in_state import Question
from trusted_devices.web import throttling
from trusted_devices.web.forms import CodeForm, MethodForm
from trusted_devices.web.views import authenticator, navigation, refusals
from trusted_devices.web.views.code_page import CodePage
from trusted_devices.web.views.sign_in.base import QuestionPage


class CodeView(QuestionPage):
    """Asks for a code; the user chooses the factor."""

    question = Question.SECOND_FACTOR

    def show(self) -> HttpResponse:
        return self.page().render(self.request)

    def answer(self) -> HttpResponse:
        request, page = self.request, self.page()
        if "method" in request.POST:
            return self.choose(page)
        form = page.form(request.POST)
        if not form.is_valid():
            return page.render(request, form, status=HTTPStatus.BAD_REQUEST)
        try:
            throttling.ensure_allowed(request, page.user.get_username())
        except TooManyAttempts as error:
            return refusals.too_many_attempts(request, error)
        if page.method.needs_choosing:
            self.pending = self.choose_method(self.challenge, self.pending, page.method.id)
            self.pending.store(request)
        return self.take(page, form)

    def choose(self, page: CodePage) -> HttpResponse:
        """Ask for another factor, or send another code."""
        form = MethodForm(self.request.POST)
        try:
            method_id = form.cleaned_data["method"] if form.is_valid() else ""
            return self.ask(self.choose_method(self.challenge, self.pending, method_id))
        except UnknownMethod:
            return page.render(self.request, problem=refusals.unknown_method(), status=HTTPStatus.BAD_REQUEST)

    def take(self, page: CodePage, form: CodeForm) -> HttpResponse:
        """Take the code."""
        try:
            outcome = sign_in.answer_code(self.challenge, form.cleaned_data["code"])
        except AlreadyAnswered:
            return navigation.go_on(self.request, self.pending.next_url)
        except (ActionRequired, CodeMismatch, TooManyAttempts, BackendUnavailable) as error:
            return page.refuse(self.request, form, error)
        if isinstance(outcome, SignedIn):
            return self.finish(outcome, self.pending.next_url)
        return self.ask(dataclasses.replace(self.pending, state=outcome.state))

    def page(self) -> CodePage:
        """Return the page for the factor that is asked for."""
        user, method = self.challenge.user, self.challenge.method
        assert method is not None  # it is the question
        setting_up = bool(method.set_up_key)
        return CodePage(
            template=f"trusted_devices/{'sign_in_set_up' if setting_up else 'sign_in_code'}.html",
            user=user,
            methods=self.challenge.methods,
            method=method,
            sent=self.pending.sent == method.id,
            next_url=self.pending.next_url,
            extra=self.authenticator(user, method.set_up_key) if setting_up else {},
        )

    def authenticator(self, user: AbstractBaseUser, key: str) -> dict[str, Any]:
        """Return what the page shows of the authenticator that is being set up."""
        host, _port = split_domain_port(self.request.get_host())
        uri = authenticator.key_uri(key=key, account=user.get_username(), issuer=host)
        return authenticator.shown(key=key, uri=uri)
