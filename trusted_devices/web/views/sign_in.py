"""Signing in, step by step: password, a new password where one is due, code, "trust this device?"."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from trusted_devices.exceptions import (
    ActionRequired,
    AlreadyAnswered,
    BackendUnavailable,
    CodeMismatch,
    InvalidCredentials,
    InvalidPeriod,
    PasswordRefused,
    SignInExpired,
    TooManyAttempts,
    TrustNotAllowed,
    UnknownMethod,
)
from trusted_devices.services import sign_in
from trusted_devices.services.sign_in import Challenge, SignedIn, Step
from trusted_devices.web import guards, logins
from trusted_devices.web.client import client_info
from trusted_devices.web.forms import CodeForm, MethodForm, NewPasswordForm, SignInForm, TrustForm
from trusted_devices.web.jar import get_jar
from trusted_devices.web.views import authenticator, code_page, pages, pending
from trusted_devices.web.views.code_page import CodePage
from trusted_devices.web.views.pending import Pending
from trusted_devices.words import browsers, times

PAGES = {
    Step.NEW_PASSWORD: "sign_in_new_password",
    Step.SECOND_FACTOR: "sign_in_code",
    Step.OFFER_TRUST: "sign_in_trust",
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
class SignInStep(View):
    """What all steps share. Whoever is signed in already goes on, also from a second tab or by the Back button.

    That comes before Django's CSRF check, because signing in has replaced the token that such a page still holds;
    everything else comes after it.
    """

    http_method_names = ["get", "head", "options", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated:
            return pages.go_on(request, pages.asked_next(request))
        return self._checked(request, *args, **kwargs)

    @method_decorator(csrf_protect)
    def _checked(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except (SignInExpired, UnknownMethod):
            return self.start_again()

    def start_again(self) -> HttpResponse:
        """Send the user back to the first step, with the way on kept."""
        next_url = pending.drop(self.request) or pages.asked_next(self.request)
        pages.tell(
            self.request, messages.INFO, _("Your sign-in took too long or was not complete. Please start again.")
        )
        return pages.go_to("sign_in", next_url)

    def put(self, now: Pending) -> HttpResponse:
        """Keep what is pending and ask the user for the next answer."""
        pending.store(self.request, now)
        return pages.go_to(PAGES[now.state.step], now.next_url)

    def go_on(self, outcome: Challenge | SignedIn, next_url: str) -> HttpResponse:
        """Go on after a password that was right."""
        if isinstance(outcome, SignedIn):
            return self.finish(outcome, next_url)
        if outcome.device_lost:
            get_jar(self.request).discard(outcome.user)
        # Whoever planted this browser's session key before the password must not hold a half-finished sign-in.
        self.request.session.cycle_key()
        return self.put(self.first_code(outcome, next_url))

    def first_code(self, challenge: Challenge, next_url: str) -> Pending:
        """Return what is pending after the password; where the only way is a code that must be sent, send it."""
        now = Pending(state=challenge.state, next_url=next_url)
        choices = [method for method in challenge.methods if not method.recovery]
        if challenge.method is None or not challenge.method.needs_sending or len(choices) > 1:
            return now
        return send_code(self.request, now, challenge.method.id)

    def finish(self, outcome: SignedIn, next_url: str) -> HttpResponse:
        """Sign the user in, and tell them what they should know."""
        logins.finish(self.request, outcome)
        if outcome.trust_failed:
            text = _("You are signed in, but this device could not be marked as trusted. You will be asked for a code.")
            pages.tell(self.request, messages.WARNING, text)
        elif outcome.verification and outcome.device and outcome.device.trust_expires_at:
            until = times.until(outcome.device.trust_expires_at, timezone.now())
            text = _("This device is trusted until %(date)s. You can undo this under “Your devices”.") % {"date": until}
            pages.tell(self.request, messages.SUCCESS, text)
        if not outcome.mfa_active and (set_up := pages.set_up_url()):
            text = format_html(
                '{} <a href="{}">{}</a>',
                _("Your account is protected by a password alone."),
                set_up,
                _("Set up a second factor"),
            )
            pages.tell(self.request, messages.INFO, text)
        return pages.go_on(self.request, next_url)


class SignInView(SignInStep):
    """The first step: user name and password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(SignInForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SignInForm(request.POST)
        if not form.is_valid():
            return self.page(form, HTTPStatus.BAD_REQUEST)
        try:
            guards.ensure_allowed(request, form.cleaned_data["username"])
            outcome = sign_in.begin(
                credentials=form.cleaned_data, cookie=get_jar(request).cookie, client=client_info(request)
            )
        except TooManyAttempts as error:
            return pages.too_many_attempts(request, error)
        except InvalidCredentials:
            form.add_error(None, _("User name and password do not match. Mind capital and small letters."))
            return self.page(form, HTTPStatus.BAD_REQUEST)
        except (ActionRequired, BackendUnavailable) as error:
            text, status = code_page.obstacle(error)
            form.add_error(None, text)
            return self.page(form, status)
        return self.go_on(outcome, pages.asked_next(request))

    def page(self, form: SignInForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
        """Return the form."""
        context = {"form": form, "next": pages.asked_next(self.request)}
        return render(self.request, "trusted_devices/sign_in.html", context, status=status)


class NewPasswordView(SignInStep):
    """Between the password and the code, for users whose password was set for them: a password of their own."""

    def get(self, request: HttpRequest) -> HttpResponse:
        now = pending.load(request)
        challenge = resume(request, now)
        if challenge.new_password is None:
            return self.put(now)
        return self.page(now, challenge, NewPasswordForm(attributes=challenge.new_password.attributes))

    def post(self, request: HttpRequest) -> HttpResponse:
        now = pending.load(request)
        challenge = resume(request, now)
        if challenge.new_password is None:
            return self.put(now)
        form = NewPasswordForm(request.POST, attributes=challenge.new_password.attributes)
        if not form.is_valid():
            return self.page(now, challenge, form, HTTPStatus.BAD_REQUEST)
        try:
            guards.ensure_allowed(request, challenge.user.get_username())
            return self.answer(now, form)
        except TooManyAttempts as error:
            return pages.too_many_attempts(request, error)
        except (PasswordRefused, ActionRequired, BackendUnavailable) as error:
            field, text, status = code_page.password_obstacle(error)
            form.add_error(field, text)
            return self.page(now, challenge, form, status)

    def answer(self, now: Pending, form: NewPasswordForm) -> HttpResponse:
        """Take the new password."""
        outcome = sign_in.answer_new_password(
            now.state,
            password=form.cleaned_data["new_password1"],
            attributes=form.attributes,
            cookie=get_jar(self.request).cookie,
            client=client_info(self.request),
        )
        return self.go_on(outcome, now.next_url)

    def page(
        self, now: Pending, challenge: Challenge, form: NewPasswordForm, status: HTTPStatus = HTTPStatus.OK
    ) -> HttpResponse:
        """Return the form."""
        context = {"form": form, "username": challenge.user.get_username(), "next": now.next_url}
        return render(self.request, "trusted_devices/sign_in_new_password.html", context, status=status)


class CodeView(SignInStep):
    """The second step: a code, by whichever of the user's factors they choose."""

    def get(self, request: HttpRequest) -> HttpResponse:
        now = pending.load(request)
        challenge = resume(request, now)
        if challenge.method is None:
            return self.put(now)
        return self.page(now, challenge).render(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        now = pending.load(request)
        challenge = resume(request, now)
        if challenge.method is None:
            return self.put(now)
        page = self.page(now, challenge)
        if "method" in request.POST:
            return self.choose(now, page)
        form = page.form(request.POST)
        if not form.is_valid():
            return page.render(request, form, status=HTTPStatus.BAD_REQUEST)
        try:
            guards.ensure_allowed(request, challenge.user.get_username())
        except TooManyAttempts as error:
            return pages.too_many_attempts(request, error)
        if page.method.needs_choosing:
            now = send_code(request, now, page.method.id)
            pending.store(request, now)
        return self.answer(now, page, form)

    def choose(self, now: Pending, page: CodePage) -> HttpResponse:
        """Ask for another factor, or send another code."""
        form = MethodForm(self.request.POST)
        try:
            method_id = form.cleaned_data["method"] if form.is_valid() else ""
            return self.put(send_code(self.request, now, method_id))
        except UnknownMethod:
            return page.render(self.request, problem=code_page.unknown_method(), status=HTTPStatus.BAD_REQUEST)

    def answer(self, now: Pending, page: CodePage, form: CodeForm) -> HttpResponse:
        """Take the code."""
        try:
            outcome = sign_in.answer_code(
                now.state,
                code=form.cleaned_data["code"],
                cookie=get_jar(self.request).cookie,
                client=client_info(self.request),
            )
        except AlreadyAnswered:
            return pages.go_on(self.request, now.next_url)
        except (ActionRequired, CodeMismatch, TooManyAttempts, BackendUnavailable) as error:
            return page.refuse(self.request, form, error)
        if isinstance(outcome, SignedIn):
            return self.finish(outcome, now.next_url)
        return self.put(dataclasses.replace(now, state=outcome.state))

    def page(self, now: Pending, challenge: Challenge) -> CodePage:
        """Return the page for the challenge in hand."""
        method = challenge.method
        assert method is not None
        return CodePage(
            template="trusted_devices/sign_in_set_up.html"
            if method.set_up_key
            else "trusted_devices/sign_in_code.html",
            user=challenge.user,
            methods=challenge.methods,
            method=method,
            sent=now.sent == method.id,
            next_url=now.next_url,
            extra=self.authenticator(challenge.user, method.set_up_key) if method.set_up_key else {},
        )

    def authenticator(self, user: Any, key: str) -> dict[str, Any]:
        """Return what the page shows of the authenticator that is being set up."""
        host, _port = split_domain_port(self.request.get_host())
        uri = authenticator.key_uri(key=key, account=user.get_username(), issuer=host)
        return authenticator.shown(key=key, uri=uri)


class TrustView(SignInStep):
    """The last step, where it may be offered: trust this device, for how long, or not now, or never in this browser."""

    def get(self, request: HttpRequest) -> HttpResponse:
        now = pending.load(request)
        challenge = resume(request, now)
        if challenge.offer is None:
            return self.put(now)
        return self.page(now, challenge, self.form(challenge))

    def post(self, request: HttpRequest) -> HttpResponse:
        now = pending.load(request)
        challenge = resume(request, now)
        if challenge.offer is None:
            return self.put(now)
        if "not_now" in request.POST:
            return self.answer(now, None)
        if "never" in request.POST:
            return self.never(now, challenge.user)
        form = self.form(challenge, request.POST)
        if "trust" not in request.POST:
            form.add_error(None, _("Press “Trust this device” or “Not now”."))
        if not form.is_valid():
            return self.page(now, challenge, form, HTTPStatus.BAD_REQUEST)
        return self.answer(now, form.cleaned_data["period"], form.cleaned_data["name"])

    def answer(self, now: Pending, period: timedelta | None, name: str = "") -> HttpResponse:
        """Take the answer and finish; what cannot be granted after all keeps nobody out."""
        cookie, client = get_jar(self.request).cookie, client_info(self.request)
        try:
            outcome = sign_in.answer_offer(now.state, period=period, name=name, cookie=cookie, client=client)
        except AlreadyAnswered:
            return pages.go_on(self.request, now.next_url)
        except (TrustNotAllowed, InvalidPeriod):
            outcome = sign_in.answer_offer(now.state, period=None, cookie=cookie, client=client)
            outcome = dataclasses.replace(outcome, trust_failed=True)
        return self.finish(outcome, now.next_url)

    def never(self, now: Pending, user: Any) -> HttpResponse:
        """Finish without trust, and have this browser remember not to ask ``user`` again."""
        response = self.answer(now, None)
        get_jar(self.request).decline(user)
        text = _("You will not be asked about this browser again. You can change that under “Your devices”.")
        pages.tell(self.request, messages.INFO, text)
        return response

    def form(self, challenge: Challenge, data: Any = None) -> TrustForm:
        """Return the form for the offer."""
        assert challenge.offer is not None
        name = challenge.device.name if challenge.device else ""
        return TrustForm(data, offer=challenge.offer, name=name, now=timezone.now())

    def page(
        self, now: Pending, challenge: Challenge, form: TrustForm, status: HTTPStatus = HTTPStatus.OK
    ) -> HttpResponse:
        """Return the question."""
        user_agent = client_info(self.request).user_agent
        context = {
            "form": form,
            "device": challenge.device,
            "description": browsers.describe(user_agent),
            "icon": browsers.form_factor(user_agent),
            "username": challenge.user.get_username(),
            "next": now.next_url,
        }
        return render(self.request, "trusted_devices/sign_in_trust.html", context, status=status)


class CancelView(SignInStep):
    """Wipes a half-finished sign-in."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        next_url = pending.drop(request) or pages.asked_next(request)
        pages.tell(request, messages.INFO, _("Sign-in cancelled."))
        return pages.go_to("sign_in", next_url)


def resume(request: HttpRequest, now: Pending) -> Challenge:
    """Return the challenge in hand. Raises ``SignInExpired``, and ``UnknownMethod`` if its factor is gone."""
    return sign_in.resume(now.state, client=client_info(request), cookie=get_jar(request).cookie)


def send_code(request: HttpRequest, now: Pending, method_id: str) -> Pending:
    """Ask for the code of that factor, and send it where it must be sent. Raises ``UnknownMethod``."""
    try:
        challenge = sign_in.choose_method(now.state, method_id=method_id, client=client_info(request))
    except TooManyAttempts as error:
        # The last code is still on its way, or waiting to be read.
        pages.tell(request, messages.INFO, code_page.asked_too_often(error))
        return dataclasses.replace(now, state=dataclasses.replace(now.state, method_id=method_id), sent=method_id)
    except BackendUnavailable:
        pages.tell(request, messages.ERROR, code_page.unavailable())
        return now
    sent = challenge.method is not None and challenge.method.needs_sending
    return dataclasses.replace(now, state=challenge.state, sent=method_id if sent else now.sent)
