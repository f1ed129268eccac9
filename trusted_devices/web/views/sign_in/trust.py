"""The last page, where it may be shown: trust this device, for how long, or not now, or never in this browser."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from trusted_devices.exceptions import AlreadyAnswered, InvalidPeriod, TrustNotAllowed
from trusted_devices.services import sign_in
from trusted_devices.services.sign_in_state import Question
from trusted_devices.web.client import client_info
from trusted_devices.web.forms import TrustForm
from trusted_devices.web.jar import get_jar
from trusted_devices.web.views import navigation
from trusted_devices.web.views.sign_in.base import QuestionPage
from trusted_devices.words import browsers


class TrustView(QuestionPage):
    """Asks whether to trust the device in front of the user."""

    question = Question.OFFER_TRUST

    def show(self) -> HttpResponse:
        return self.page(self.form())

    def answer(self) -> HttpResponse:
        posted = self.request.POST
        if "not_now" in posted:
            return self.take(None)
        if "never" in posted:
            return self.never()
        form = self.form(posted)
        if "trust" not in posted:
            form.add_error(None, _("Press “Trust this device” or “Not now”."))
        if not form.is_valid():
            return self.page(form, HTTPStatus.BAD_REQUEST)
        return self.take(form.cleaned_data["period"], form.cleaned_data["name"])

    def take(self, period: timedelta | None, name: str = "") -> HttpResponse:
        """Take the answer and finish; the sign-in stands where trust cannot be granted after all."""
        try:
            outcome = sign_in.answer_offer(self.challenge, period=period, name=name)
        except AlreadyAnswered:
            return navigation.go_on(self.request, self.pending.next_url)
        except (TrustNotAllowed, InvalidPeriod):
            outcome = sign_in.answer_offer(self.challenge, period=None)
            outcome = dataclasses.replace(outcome, trust_failed=True)
        return self.finish(outcome, self.pending.next_url)

    def never(self) -> HttpResponse:
        """Finish without trust, and have this browser remember not to ask the user again."""
        response = self.take(None)
        get_jar(self.request).decline(self.challenge.user)
        text = _("You will not be asked about this browser again. You can change that under “Your devices”.")
        navigation.add_message(self.request, messages.INFO, text)
        return response

    def form(self, data: Any = None) -> TrustForm:
        """Return the form for the offer."""
        offer, device = self.challenge.offer, self.challenge.device
        assert offer is not None  # it is the question
        return TrustForm(data, offer=offer, name=device.name if device else "", now=timezone.now())

    def page(self, form: TrustForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
        """Return the question."""
        user_agent = client_info(self.request).user_agent
        context = {
            "form": form,
            "device": self.challenge.device,
            "description": browsers.describe(user_agent),
            "icon": browsers.form_factor(user_agent),
            "username": self.challenge.user.get_username(),
            "next": self.pending.next_url,
        }
        return render(self.request, "trusted_devices/sign_in_trust.html", context, status=status)
