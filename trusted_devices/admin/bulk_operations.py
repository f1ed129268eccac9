"""Staff's acts on devices: the page that asks once more, and the one that follows a big act.

Every act goes through the services, so that live sessions, the activity log and the backend follow. What one request
cannot do is done in the background (:mod:`trusted_devices.services.bulk_jobs`) or, without one, by a page that
carries on by itself; without JavaScript by a button.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trusted_devices.exceptions import InvalidExpiry, TrustedDevicesError
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk, bulk_jobs
from trusted_devices.services.bulk import BulkKind, BulkOperation, Touched
from trusted_devices.web.client import acting
from trusted_devices.words import times

SAMPLE = 10
"""How many devices the page names one by one."""
BATCHES_PER_REQUEST = 4
LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Words:
    """How the pages speak of one kind of act. ``permission`` is the word of the model permission that it needs."""

    title: str | Promise
    effect: str | Promise
    button: str | Promise
    permission: str
    ends_sessions: bool


WORDS = {
    BulkKind.FORGET: Words(
        _("Forget devices"),
        _(
            "The devices are removed from their users' profiles and signed out. The next sign-in from them asks for "
            "MFA. This cannot be undone."
        ),
        _("Forget"),
        "delete",
        ends_sessions=True,
    ),
    BulkKind.STOP_TRUSTING: Words(
        _("Mark devices as not remembered"),
        _("The devices stay in their users' profiles and are signed out. The next sign-in from them asks for MFA."),
        _("Mark as not remembered"),
        "change",
        ends_sessions=True,
    ),
    BulkKind.SHORTEN_TRUST: Words(
        _("Shorten trust"),
        _(
            "Trust that would last longer ends at the moment you choose. Trust that ends sooner stays as it is; "
            "trust is never lengthened. Nobody is signed out."
        ),
        _("Shorten trust"),
        "change",
        ends_sessions=False,
    ),
}


class OperationForm(forms.Form):
    """What the person fills in, and how far the act has come where one request is not enough for it."""

    until = forms.DateTimeField(
        label=_("Trust ends"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    note = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text=_("Optional. Kept in the activity log, such as the number of a ticket."),
    )
    began_at = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    newest = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_KEY, widget=forms.HiddenInput)
    after = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_KEY, widget=forms.HiddenInput)
    total = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_KEY, widget=forms.HiddenInput)
    seen = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_KEY, widget=forms.HiddenInput)
    changed = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_KEY, widget=forms.HiddenInput)

    def __init__(self, kind: BulkKind, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        if kind is not BulkKind.SHORTEN_TRUST:
            del self.fields["until"]

    def act(self, chosen: DeviceQuerySet[Device]) -> BulkOperation:
        """Return the act where it was left off, or from its beginning. Raises ``InvalidExpiry``."""
        values = self.cleaned_data
        until, note = values.get("until"), values["note"]
        if not values["after"]:
            return bulk.begin(self.kind, bulk.survey(chosen), note=note, until=until)
        return BulkOperation(
            kind=self.kind,
            note=note,
            until=until,
            began_at=values["began_at"],
            newest=values["newest"] or 0,
            after=values["after"],
            total=values["total"] or 0,
            seen=values["seen"] or 0,
            changed=values["changed"] or 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationPage:
    """One act of one request. ``hidden`` are form fields that lead back here; ``back`` is where it goes in the end."""

    model_admin: Any
    request: HttpRequest
    kind: BulkKind
    chosen: DeviceQuerySet[Device]
    back: str
    hidden: tuple[tuple[str, str], ...] = ()

    def respond(self) -> HttpResponse:
        """Ask once more, or do what was confirmed."""
        if "confirm" not in self.request.POST:
            return self._ask(None)
        form = OperationForm(self.kind, self.request.POST)
        if not form.is_valid():
            return self._ask(form)
        newest = form.cleaned_data["newest"]
        chosen = self.chosen.filter(pk__lte=newest) if newest else self.chosen
        try:
            act = form.act(chosen)
        except InvalidExpiry:
            form.add_error("until", gettext("Choose a moment in the future at which none of this trust has ended yet."))
            return self._ask(form)
        return self._do(act, chosen)

    def _do(self, act: BulkOperation, chosen: DeviceQuerySet[Device]) -> HttpResponse:
        by = acting(self.request)
        if not act.after and act.total > BATCHES_PER_REQUEST * get_owner().batch_size:
            job_id = bulk_jobs.hand_over(act, chosen, by=by)
            if job_id is not None:
                site = self.model_admin.admin_site.name
                return redirect(reverse("admin:trusted_devices_device_job", args=[job_id], current_app=site))
        try:
            for _batch in range(BATCHES_PER_REQUEST):
                act = bulk.step(act, chosen, by=by)
                if act.finished:
                    break
        except TrustedDevicesError as error:
            self._tell(act, messages.ERROR, failure=error.code)
            return HttpResponseRedirect(self.back)
        if act.finished:
            self._tell(act, messages.SUCCESS if act.changed or act.seen else messages.WARNING)
            return HttpResponseRedirect(self.back)
        return self._render("admin/trusted_devices/bulk_progress.html", act=act, fields=list(_carried(act)))

    def _ask(self, form: OperationForm | None) -> HttpResponse:
        touched = bulk.survey(self.chosen)
        if not touched.devices:
            self.model_admin.message_user(self.request, gettext("There is no such device any more."), messages.WARNING)
            return HttpResponseRedirect(self.back)
        if form is None:
            form = OperationForm(self.kind, initial={"newest": touched.newest})
        if "until" in form.fields and touched.latest_expiry:
            latest = {"latest": times.exact(touched.latest_expiry)}
            form.fields["until"].help_text = gettext("Sooner than %(latest)s.") % latest
        sample = list(self.chosen.select_related("user").order_by("-pk")[:SAMPLE])
        return self._render(
            "admin/trusted_devices/bulk_confirmation.html",
            form=form,
            touched=touched,
            facts=list(_facts(touched, WORDS[self.kind])),
            sample=sample,
            unnamed=touched.devices - len(sample),
        )

    def _render(self, template: str, **context: Any) -> HttpResponse:
        words = WORDS[self.kind]
        site = self.model_admin.admin_site
        common = {
            **site.each_context(self.request),
            "title": words.title,
            "words": words,
            "hidden": self.hidden,
            "back": self.back,
            "opts": self.model_admin.opts,
        }
        return TemplateResponse(self.request, template, common | context)

    def _tell(self, act: BulkOperation, level: int, *, failure: str = "") -> None:
        self.model_admin.message_user(self.request, outcome(act, failure=failure), level)


def outcome(act: BulkOperation, *, failure: str = "") -> str:
    """Return what came of an act in a sentence, or two if something stopped it."""
    values = {"count": number_format(act.changed)}
    match act.kind:
        case BulkKind.FORGET:
            done = ngettext("%(count)s device was forgotten.", "%(count)s devices were forgotten.", act.changed)
        case BulkKind.STOP_TRUSTING:
            done = ngettext(
                "%(count)s device is no longer remembered.", "%(count)s devices are no longer remembered.", act.changed
            )
        case BulkKind.SHORTEN_TRUST:
            done = ngettext(
                "The trust in %(count)s device was shortened.",
                "The trust in %(count)s devices was shortened.",
                act.changed,
            )
    sentence = done % values
    if not failure:
        return sentence
    return gettext("The act stopped before its end (%(failure)s); it can be repeated.") % {"failure": failure} + (
        " " + sentence
    )


def _facts(touched: Touched, words: Words) -> Iterator[tuple[str, int]]:
    yield gettext("Devices"), touched.devices
    yield gettext("of which remembered"), touched.remembered
    yield gettext("Users"), touched.users
    yield (gettext("Live sessions that end") if words.ends_sessions else gettext("Live sessions")), touched.sessions


def _carried(act: BulkOperation) -> Iterator[tuple[str, str]]:
    """Yield the form fields from which :class:`OperationForm` makes the same act again."""
    moments: dict[str, datetime | None] = {"until": act.until, "began_at": act.began_at}
    for name, moment in moments.items():
        if moment is not None:
            yield name, moment.isoformat()
    yield "note", act.note
    for name in ("newest", "after", "total", "seen", "changed"):
        yield name, str(getattr(act, name))
