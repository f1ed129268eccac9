"""The page that asks for a code: at sign-in, and when a signed-in user proves a second factor again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from trusted_devices.exceptions import (
    ActionRequired,
    BackendUnavailable,
    CodeMismatch,
    CodeUsed,
    TooManyAttempts,
    TrustedDevicesError,
)
from trusted_devices.types import MfaMethod
from trusted_devices.web.forms import CodeForm
from trusted_devices.web.views import refusals
from trusted_devices.words import times

NUMERIC_KINDS = frozenset({"totp", "hotp", "email", "sms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePage:
    """What the page needs: whose factors, which one is asked for, and whether its code has been sent."""

    template: str
    user: AbstractBaseUser
    methods: Sequence[MfaMethod]
    method: MfaMethod
    sent: bool
    next_url: str
    extra: dict[str, Any] = field(default_factory=dict)

    def form(self, data: Any = None) -> CodeForm:
        """Return the form for the factor that is asked for."""
        # Setting an authenticator up begins above the field for the code.
        autofocus = not self.method.set_up_key or data is not None
        return CodeForm(data, numeric=self.method.kind in NUMERIC_KINDS, autofocus=autofocus)

    def render(
        self,
        request: HttpRequest,
        form: CodeForm | None = None,
        *,
        problem: str = "",
        status: HTTPStatus = HTTPStatus.OK,
    ) -> HttpResponse:
        """Return the page; ``problem`` is what went wrong with something other than the code."""
        context = {
            "problem": problem,
            "form": form or self.form(),
            "method": self.method,
            "others": [method for method in self.methods if method.id != self.method.id],
            "must_send": self.method.needs_sending and not self.sent,
            "username": self.user.get_username(),
            "next": self.next_url,
            **self.extra,
        }
        return render(request, self.template, context, status=status)

    def refuse(self, request: HttpRequest, form: CodeForm, error: TrustedDevicesError) -> HttpResponse:
        """Return the page again, saying what was wrong with the code."""
        if isinstance(error, TooManyAttempts):
            wait = refusals.wait_of(error)
            text = _("Too many wrong codes.") + " "
            text += (_("Try again in %(wait)s.") % {"wait": times.wait(wait)}) if wait else _("Try again later.")
            form.add_error("code", text)
            return refusals.with_retry_after(self.render(request, form, status=HTTPStatus.TOO_MANY_REQUESTS), wait)
        if isinstance(error, ActionRequired | BackendUnavailable):
            problem, status = refusals.obstacle(error)
            return self.render(request, form, problem=problem, status=status)
        if not isinstance(error, CodeMismatch):
            raise error
        form.add_error("code", refusals.wrong_code(self.method, used=isinstance(error, CodeUsed)))
        return self.render(request, form, status=HTTPStatus.BAD_REQUEST)
