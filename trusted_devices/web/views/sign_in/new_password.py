"""Between the password and the code, for users whose password was set for them: a password of their own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from trusted_devices.exceptions import ActionRequired, BackendUnavailable, PasswordRefused, TooManyAttempts
from trusted_devices.services import sign_in
from trusted_devices.services.sign_in_state import Question
from trusted_devices.web import throttling
from trusted_devices.web.forms import NewPasswordForm
from trusted_devices.web.views import refusals
from trusted_devices.web.views.sign_in.base import QuestionPage


class NewPasswordView(QuestionPage):
    """Asks for a new password, twice, and for what else is due of the user."""

    question = Question.NEW_PASSWORD

    def show(self) -> HttpResponse:
        return self.page(self.form())

    def answer(self) -> HttpResponse:
        form = self.form(self.request.POST)
        if not form.is_valid():
            return self.page(form, HTTPStatus.BAD_REQUEST)
        try:
            throttling.ensure_allowed(self.request, self.challenge.user.get_username())
            outcome = sign_in.answer_new_password(
                self.challenge, password=form.cleaned_data["new_password1"], attributes=form.attributes
            )
        except TooManyAttempts as error:
            return refusals.too_many_attempts(self.request, error)
        except (PasswordRefused, ActionRequired, BackendUnavailable) as error:
            field, text, status = refusals.password_obstacle(error)
            form.add_error(field, text)
            return self.page(form, status)
        return self.after_password(outcome, self.pending.next_url)

    def form(self, data: Any = None) -> NewPasswordForm:
        """Return the form for what is due."""
        asked = self.challenge.new_password
        return NewPasswordForm(data, attributes=asked.attributes if asked else ())

    def page(self, form: NewPasswordForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
        """Return the form."""
        context = {"form": form, "username": self.challenge.user.get_username(), "next": self.pending.next_url}
        return render(self.request, "trusted_devices/sign_in_new_password.html", context, status=status)
