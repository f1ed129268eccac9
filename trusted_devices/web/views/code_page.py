"""The page that asks for a code: at sign-in, and when a signed-in user proves a second factor again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from trusted_devices.exceptions import (
    ActionRequired,
    BackendUnavailable,
    CodeMismatch,
    PasswordRefused,
    TooManyAttempts,
    TrustedDevicesError,
)
from trusted_devices.types import MfaMethod
from trusted_devices.web.forms import CodeForm
from trusted_devices.web.views import pages
from trusted_devices.words import times

NUMERIC_KINDS = frozenset({"totp", "hotp", "email", "sms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePage:
    """What the page needs: whose factors, which one is asked for, and whether its code has been sent."""

    template: str
    user: Any
    methods: Sequence[MfaMethod]
    method: MfaMethod
    sent: bool
    next_url: str
    extra: dict[str, Any] = field(default_factory=dict)

    def form(self, data: Any = None) -> CodeForm:
        """Return the form for the factor that is asked for."""
        # Whoever sets an authenticator up begins above the field for the code.
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
            wait = pages.wait_of(error)
            text = _("Too many wrong codes.") + " "
            text += (_("Try again in %(wait)s.") % {"wait": times.wait(wait)}) if wait else _("Try again later.")
            form.add_error("code", text)
            return pages.with_retry_after(self.render(request, form, status=HTTPStatus.TOO_MANY_REQUESTS), wait)
        if isinstance(error, ActionRequired | BackendUnavailable):
            problem, status = obstacle(error)
            return self.render(request, form, problem=problem, status=status)
        if not isinstance(error, CodeMismatch):
            raise error
        form.add_error("code", wrong_code(self.method))
        return self.render(request, form, status=HTTPStatus.BAD_REQUEST)


def wrong_code(method: MfaMethod) -> str:
    """Return what to say of a code that was not accepted."""
    if method.set_up_key:
        return _("This code is wrong. Type the one that your app shows for the account that you have just added.")
    if method.recovery:
        return _("This code is wrong or has been used. Each recovery code works once.")
    if method.needs_sending:
        return _("This code is wrong or too old. Check the latest mail, or ask for a new code.")
    return _("This code is wrong or has been used. Wait for the next one and try again.")


def asked_too_often(error: TooManyAttempts) -> str:
    """Return what to say when another code is asked for so soon after the last."""
    wait = pages.wait_of(error)
    if wait is None:
        return _("A code was sent a moment ago. You can ask for another later.")
    return _("A code was sent a moment ago. You can ask for another in %(wait)s.") % {"wait": times.wait(wait)}


def unavailable() -> str:
    """Return what to say when whoever checks sign-ins cannot be reached."""
    return _("Signing in is not possible right now. Nothing is wrong with your account; try again in a minute.")


def obstacle(error: ActionRequired | BackendUnavailable) -> tuple[str, HTTPStatus]:
    """Return what keeps the user out although they typed nothing wrong, and the status of the page that says so."""
    if isinstance(error, ActionRequired):
        return action_required(error), HTTPStatus.FORBIDDEN
    return unavailable(), HTTPStatus.SERVICE_UNAVAILABLE


def action_required(error: ActionRequired) -> str:
    """Return what the user has to do before they can sign in here."""
    words = {
        "reset_password": _("Your password must be reset before you can sign in."),
        "confirm_account": _("Your account must be confirmed before you can sign in. Look for a message with a code."),
        "set_up_mfa": _("Your account needs a second factor, which cannot be set up here."),
    }
    return words[error.action] + " " + _("Whoever runs this site can tell you where to do that.")


def password_obstacle(
    error: PasswordRefused | ActionRequired | BackendUnavailable,
) -> tuple[str | None, str, HTTPStatus]:
    """Return which field of the form for a new password is at fault, ``None`` for none or all, why, and the status."""
    if isinstance(error, PasswordRefused):
        field = None if error.reason in ("attributes", "taken") else "new_password1"
        return field, password_refused(error), HTTPStatus.BAD_REQUEST
    text, status = obstacle(error)
    if isinstance(error, BackendUnavailable):
        text = _(
            "It is not certain that your new password was saved. Try again in a minute; if that leads you back to the"
            " start, sign in with the new password."
        )
    return None, text, status


def password_refused(error: PasswordRefused) -> str:
    """Return what to say of a new password that was not accepted."""
    words = {
        "too_short": _("This password is too short. Choose a longer one."),
        "no_uppercase": _("This password needs a capital letter as well."),
        "no_lowercase": _("This password needs a small letter as well."),
        "no_number": _("This password needs a digit as well."),
        "no_symbol": _("This password needs a sign as well, like a hyphen or a question mark."),
        "policy": _("This password cannot be used. Choose a longer one that is harder to guess."),
        "used_before": _("You have used this password before. Choose another."),
        "characters": _("This cannot be a password. It may not begin or end with a space, nor be very long."),
        "attributes": _("What you typed about yourself is not in the form that is asked for. Please check it."),
        "taken": _("Somebody else has this e-mail address, phone number or name already. Use another."),
    }
    return words.get(error.reason, words["policy"])


def unknown_method() -> str:
    """Return what to say to somebody who asks for a factor that is not theirs."""
    return _("This is not one of your ways to prove that it is you. Choose one of those below.")
