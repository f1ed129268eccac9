"""What the pages say and answer when something is refused or does not work."""

from __future__ import annotations

import math
from datetime import timedelta
from http import HTTPStatus

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from trusted_devices.exceptions import ActionRequired, BackendUnavailable, PasswordRefused, TooManyAttempts
from trusted_devices.types import MfaMethod
from trusted_devices.words import times


def wait_of(error: TooManyAttempts) -> timedelta | None:
    """Return how long the user has to wait, a second at least; ``None`` where that is not known."""
    if error.retry_at is None:
        return None
    return max(error.retry_at - timezone.now(), timedelta(seconds=1))


def with_retry_after(response: HttpResponse, wait: timedelta | None) -> HttpResponse:
    """Say in the response's header how long to wait (RFC 9110, section 10.2.3)."""
    if wait is not None:
        response.headers["Retry-After"] = str(math.ceil(wait.total_seconds()))
    return response


def too_many_attempts(request: HttpRequest, error: TooManyAttempts) -> HttpResponse:
    """Return the page that closes the door for a while."""
    wait = wait_of(error)
    context = {"wait": times.wait(wait) if wait else ""}
    status = HTTPStatus.TOO_MANY_REQUESTS
    return with_retry_after(render(request, "trusted_devices/too_many_attempts.html", context, status=status), wait)


def unstorable(request: HttpRequest) -> HttpResponse:
    """Return the page about a character that the site's database cannot store or look for."""
    return render(request, "trusted_devices/unstorable.html", status=HTTPStatus.BAD_REQUEST)


def database_away(request: HttpRequest) -> HttpResponse:
    """Return the page that says to try again in a minute."""
    template, status = "trusted_devices/unavailable.html", HTTPStatus.SERVICE_UNAVAILABLE
    try:
        response = render(request, template, status=status)
    except Error:
        # Without what a site adds to every page, which may ask the database, as for the name of the user.
        response = HttpResponse(render_to_string(template), status=status)
    return with_retry_after(response, timedelta(minutes=1))


def wrong_code(method: MfaMethod, *, used: bool) -> str:
    """Return what to say of a code that was not accepted; ``used`` says that it was right, and has been used."""
    if used:
        return _("This code has been used. Wait for the next one.")
    if method.set_up_key:
        return _("This code is wrong. Type the one that your app shows for the account that you have just added.")
    if method.recovery:
        return _("This code is wrong or has been used. Each recovery code works once.")
    if method.needs_sending:
        return _("This code is wrong or too old. Check the latest mail, or ask for a new code.")
    return _("This code is wrong or has been used. Wait for the next one and try again.")


def asked_too_often(error: TooManyAttempts) -> str:
    """Return what to say when another code is asked for so soon after the last."""
    wait = wait_of(error)
    if wait is None:
        return _("A code was sent a moment ago. You can ask for another later.")
    return _("A code was sent a moment ago. You can ask for another in %(wait)s.") % {"wait": times.wait(wait)}


def unavailable() -> str:
    """Return what to say when the sign-in backend cannot be reached."""
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
    """Return what to say to a user who asks for a factor that is not theirs."""
    return _("This is not one of your ways to prove that it is you. Choose one of those below.")
