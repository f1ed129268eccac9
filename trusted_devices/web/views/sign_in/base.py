"""What the pages of a sign-in share: who may see them, how one leads to the next, and the end."""

from __future__ import annotations

import dataclasses
import unicodedata
from abc import ABC, abstractmethod
from http import HTTPStatus
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect, requires_csrf_token
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from trusted_devices.exceptions import BackendUnavailable, SignInExpired, TooManyAttempts, UnknownMethod
from trusted_devices.services import sign_in
from trusted_devices.services.sign_in import Challenge, SignedIn
from trusted_devices.services.sign_in_state import Question
from trusted_devices.types import By
from trusted_devices.web import logins
from trusted_devices.web.client import client_info, current_user
from trusted_devices.web.jar import get_jar
from trusted_devices.web.pending import PendingSignIn, drop_pending
from trusted_devices.web.views import navigation, refusals
from trusted_devices.words import times

PAGES = {
    Question.NEW_PASSWORD: "sign_in_new_password",
    Question.SECOND_FACTOR: "sign_in_code",
    Question.OFFER_TRUST: "sign_in_trust",
}
"""Where each question is put."""


@method_decorator(
    [
        csrf_exempt,
        login_not_required,
        never_cache,
        sensitive_post_parameters("password", "code", "new_password1", "new_password2"),
    ],
    name="dispatch",
)
class SignInPage(View):
    """A user who is signed in already goes on, also from a second tab or by the Back button.

    That comes before Django's CSRF check, because signing in has replaced the token that such a page still holds;
    everything else comes after it. Whoever answers a page of somebody else's is told who is signed in.
    """

    http_method_names = ["get", "head", "options", "post"]
    name_field = "signing_in_as"
    """Where the page says whose it is; the user may have changed in another tab since it was shown."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_authenticated:
            return self._checked(request, *args, **kwargs)
        if not self.is_meant_for(request.user):
            return self._signed_in_already(request)
        return navigation.go_on(request, navigation.asked_next(request))

    def is_meant_for(self, user: AbstractBaseUser) -> bool:
        """Return whether the page that was answered is ``user``'s, or nobody's."""
        name = _plain(self.request.POST.get(self.name_field, ""))
        address = getattr(user, user.get_email_field_name(), None) or ""
        return not name or name == _plain(user.get_username()) or name.casefold() == _plain(address).casefold()

    @method_decorator(requires_csrf_token)
    def _signed_in_already(self, request: HttpRequest) -> HttpResponse:
        next_url = navigation.asked_next(request)
        context = {
            "username": current_user(request).get_username(),
            "way_on": navigation.way_on(request, next_url),
            "sign_in_url": navigation.way_to("sign_in", next_url),
        }
        return render(request, "trusted_devices/signed_in_already.html", context, status=HTTPStatus.CONFLICT)

    @method_decorator(csrf_protect)
    def _checked(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except (SignInExpired, UnknownMethod):
            return self.start_again()

    def start_again(self) -> HttpResponse:
        """Send the user back to the first page, with the way on kept."""
        next_url = drop_pending(self.request) or navigation.asked_next(self.request)
        navigation.add_message(
            self.request, messages.INFO, _("Your sign-in took too long or was not complete. Please start again.")
        )
        return navigation.go_to("sign_in", next_url)

    def by(self) -> By:
        """Return from where and when this request is; no user is signed in yet."""
        return By(client=client_info(self.request))

    def ask(self, pending: PendingSignIn) -> HttpResponse:
        """Keep what is pending and put its question to the user."""
        pending.store(self.request)
        return navigation.go_to(PAGES[pending.state.question], pending.next_url)

    def after_password(self, outcome: Challenge | SignedIn, next_url: str) -> HttpResponse:
        """Go on after a password that was right."""
        if isinstance(outcome, SignedIn):
            return self.finish(outcome, next_url)
        jar, by = get_jar(self.request), self.by()
        if outcome.device_lost:
            jar.discard(outcome.user)
        if outcome.question is Question.SECOND_FACTOR and jar.has_displaced(outcome.user, by.at):
            text = _("This browser keeps the trust of a limited number of people. Yours had to make room.")
            navigation.add_message(self.request, messages.INFO, text)
        # An attacker who planted this browser's session key must not hold a half-finished sign-in.
        self.request.session.cycle_key()
        return self.ask(self._first_code(outcome, PendingSignIn(state=outcome.state, next_url=next_url)))

    def _first_code(self, challenge: Challenge, pending: PendingSignIn) -> PendingSignIn:
        """Where the only way is a code that must be sent, send it."""
        choices = [method for method in challenge.methods if not method.recovery]
        if challenge.method is None or not challenge.method.needs_sending or len(choices) > 1:
            return pending
        return self.choose_method(challenge, pending, challenge.method.id)

    def choose_method(self, challenge: Challenge, pending: PendingSignIn, method_id: str) -> PendingSignIn:
        """Ask for the code of that factor, and send it where it must be sent. Raises ``UnknownMethod``."""
        try:
            challenge = sign_in.choose_method(challenge, method_id)
        except TooManyAttempts as error:
            # The last code is still on its way, or waiting to be read.
            navigation.add_message(self.request, messages.INFO, refusals.asked_too_often(error))
            state = dataclasses.replace(pending.state, method_id=method_id)
            return dataclasses.replace(pending, state=state, sent=method_id)
        except BackendUnavailable:
            navigation.add_message(self.request, messages.ERROR, refusals.unavailable())
            return pending
        sent = challenge.method is not None and challenge.method.needs_sending
        return dataclasses.replace(pending, state=challenge.state, sent=method_id if sent else pending.sent)

    def finish(self, outcome: SignedIn, next_url: str) -> HttpResponse:
        """Sign the user in, and say what they should know."""
        logins.finish(self.request, outcome)
        if outcome.trust_failed:
            text = _("You are signed in, but this device could not be marked as trusted. You will be asked for a code.")
            navigation.add_message(self.request, messages.WARNING, text)
        elif outcome.trusted_until and get_jar(self.request).is_kept:
            until = times.until(outcome.trusted_until, timezone.now())
            text = _("This device is trusted until %(date)s. You can undo this under “Your devices”.") % {"date": until}
            navigation.add_message(self.request, messages.SUCCESS, text)
        if not outcome.mfa_active and (set_up := navigation.set_up_url()):
            text = format_html(
                '{} <a href="{}">{}</a>',
                _("Your account is protected by a password alone."),
                set_up,
                _("Set up a second factor"),
            )
            navigation.add_message(self.request, messages.INFO, text)
        return navigation.go_on(self.request, next_url)


def _plain(name: Any) -> str:
    """Return a name as it comes back from a form, for comparing it."""
    return " ".join(unicodedata.normalize("NFKC", str(name)).split())


class QuestionPage(SignInPage, ABC):
    """One question of a half-finished sign-in. Each request loads that once."""

    question: ClassVar[Question]
    pending: PendingSignIn
    challenge: Challenge

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show() if self.is_due() else self.ask(self.pending)

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.is_due():
            return self.ask(self.pending)
        if not self.is_meant_for(self.challenge.user):
            text = _("Another sign-in has begun in this browser since that page was opened: this one.")
            navigation.add_message(request, messages.WARNING, text)
            return self.ask(self.pending)
        return self.answer()

    def is_due(self) -> bool:
        """Load the sign-in; return whether it is this question that it asks. Raises ``SignInExpired``."""
        self.pending = PendingSignIn.load(self.request)
        self.challenge = sign_in.load(self.pending.state, cookie=get_jar(self.request).cookie, by=self.by())
        return self.challenge.question is self.question

    @abstractmethod
    def show(self) -> HttpResponse:
        """Return the page with the question."""

    @abstractmethod
    def answer(self) -> HttpResponse:
        """Take the answer."""
