"""Devices in the admin: found, looked at, and acted upon. Only the name can be edited; the rest are facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trusted_devices.admin import dashboard, exporting
from trusted_devices.admin.acts import ActPage, outcome
from trusted_devices.admin.changelist import KeysetModelAdmin
from trusted_devices.admin.filters import ExpiringFilter, LastUsedFilter
from trusted_devices.exceptions import DeviceNotFound, InvalidDeviceName
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.policy import effective_expiry
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk_jobs, devices, sessions, site_policy
from trusted_devices.services.bulk import BulkKind
from trusted_devices.web.client import acting
from trusted_devices.words import times

if TYPE_CHECKING:
    DeviceModelAdmin = KeysetModelAdmin[Device]
    DeviceModelForm = forms.ModelForm[Device]
else:
    DeviceModelAdmin = KeysetModelAdmin
    DeviceModelForm = forms.ModelForm

HISTORY_LENGTH = 25
NOTHING = "-"


class DeviceForm(DeviceModelForm):
    """The name, under the rules that users' own names for their devices are under."""

    class Meta:
        model = Device
        fields: ClassVar = ["name"]
        widgets: ClassVar = {"name": forms.TextInput(attrs={"class": "vTextField"})}

    def clean_name(self) -> str:
        """Refuse what no user could have entered; a name that stays is not looked at."""
        name: str = self.cleaned_data["name"]
        if name == self.instance.name:
            return name
        try:
            return devices.clean_name(name)
        except InvalidDeviceName as error:
            raise forms.ValidationError(
                gettext("Enter a name that is not too long and has no characters that cannot be shown."),
                code=error.code,
            ) from error


@admin.register(Device)
class DeviceAdmin(DeviceModelAdmin):
    """The operator's list of devices: the same cost at ten and at a million."""

    form = DeviceForm
    list_display = ("label", "user", "status_words", "status_reason", "trusted_until", "last_used")
    list_display_links = ("label",)
    list_filter = ("status", "status_reason", ExpiringFilter, "binding", LastUsedFilter)
    search_fields = ("device_key",)
    search_help_text = _("The beginning of a user name, an e-mail address or a device key.")
    actions = ("forget", "stop_trusting", "shorten_trust", "export_csv")
    fieldsets = (
        (None, {"fields": ("user", "name", "description", "device_key", "binding")}),
        (
            _("Trust"),
            {
                "fields": (
                    "status_words",
                    "status_reason",
                    "status_changed_at",
                    "trust_granted_at",
                    "chosen_period",
                    "given_expiry",
                    "effective_expiry",
                    "mfa_factor",
                )
            },
        ),
        (
            _("Use"),
            {
                "fields": (
                    "last_authenticated_at",
                    "live_sessions",
                    "last_ip",
                    "user_agent",
                    "confirmed_at",
                    "created_at",
                    "modified_at",
                )
            },
        ),
    )
    readonly_fields = (
        "user",
        "description",
        "device_key",
        "binding",
        "status_words",
        "status_reason",
        "status_changed_at",
        "trust_granted_at",
        "chosen_period",
        "given_expiry",
        "effective_expiry",
        "mfa_factor",
        "last_authenticated_at",
        "live_sessions",
        "last_ip",
        "user_agent",
        "confirmed_at",
        "created_at",
        "modified_at",
    )
    lookups = ("status", "status_reason", "binding", "expiring", "used", "user", "user__id", "user__pk")

    class Media:
        css: ClassVar = {"all": ["trusted_devices/admin.css"]}

    # Columns and facts

    @admin.display(description=_("device"))
    def label(self, device: Device) -> str:
        """Its name, and browser and system in words."""
        return f"{device.name} ({device.description})" if device.name else device.description

    @admin.display(description=_("browser and system"))
    def description(self, device: Device) -> str:
        """Browser and system in words."""
        return device.description

    @admin.display(description=_("status"))
    def status_words(self, device: Device) -> str:
        """The status; not by colour alone."""
        kind = "td-remembered" if device.is_remembered else "td-not-remembered"
        return format_html('<span class="td-status {}">{}</span>', kind, device.get_status_display())

    @admin.display(description=_("trusted until"))
    def trusted_until(self, device: Device) -> str:
        """The date that was given, marked once it has passed; only while the device is remembered."""
        if not device.is_remembered or device.trust_expires_at is None:
            return NOTHING
        now = timezone.now()
        return _marked(times.until(device.trust_expires_at, now), ended=device.trust_expires_at <= now)

    @admin.display(description=_("last used"))
    def last_used(self, device: Device) -> str:
        """How long ago somebody signed in from it."""
        at = device.last_authenticated_at
        return _time(times.ago(at, timezone.now())) if at else NOTHING

    @admin.display(description=_("chosen period"))
    def chosen_period(self, device: Device) -> str:
        """For how long its user trusted it."""
        return times.period(device.trust_period) if device.trust_period else NOTHING

    @admin.display(description=_("trusted until"))
    def given_expiry(self, device: Device) -> str:
        """The date that was given, to the minute."""
        return times.exact(device.trust_expires_at) if device.trust_expires_at else NOTHING

    @admin.display(description=_("in effect until"))
    def effective_expiry(self, device: Device) -> str:
        """What the policy makes of that date now; only while the device is remembered."""
        maximum = site_policy.get_policy().limits(device.user).maximum
        expiry = effective_expiry(device.trust_granted_at, device.trust_expires_at, maximum)
        if not device.is_remembered or expiry is None:
            return NOTHING
        return _marked(times.exact(expiry), ended=expiry <= timezone.now())

    @admin.display(description=_("live sessions"))
    def live_sessions(self, device: Device) -> int:
        """How many sessions are noted for it."""
        return sessions.count([device])

    # Lists

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch the users along: list and page both name them."""
        return super().get_queryset(request).select_related("user")

    def matches(self, term: str, users: list[Any]) -> Q:
        """Find by user and by the beginning of a device key."""
        return Q(user__in=users) | Q(device_key__startswith=term)

    # Permissions

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Devices confirm themselves; nobody adds one."""
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out Django's own deletion, which knows nothing of live sessions."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    # Acts

    @admin.action(description=_("Forget"), permissions=["delete"])
    def forget(self, request: HttpRequest, queryset: DeviceQuerySet) -> HttpResponse:
        """Remove the devices and end their sessions."""
        return self._act_on_selection(request, queryset, BulkKind.FORGET)

    @admin.action(description=_("Mark as not remembered"), permissions=["change"])
    def stop_trusting(self, request: HttpRequest, queryset: DeviceQuerySet) -> HttpResponse:
        """End trust and sessions."""
        return self._act_on_selection(request, queryset, BulkKind.STOP_TRUSTING)

    @admin.action(description=_("Shorten trust to a date"), permissions=["change"])
    def shorten_trust(self, request: HttpRequest, queryset: DeviceQuerySet) -> HttpResponse:
        """Let trust end sooner."""
        return self._act_on_selection(request, queryset, BulkKind.SHORTEN_TRUST)

    @admin.action(description=_("Export CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: DeviceQuerySet) -> Any:
        """Download the devices."""
        return exporting.response(queryset)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse a selection that is not one of keys, which would be an error further down."""
        keys = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(key.isascii() and key.isdigit() and len(key) < len(str(2**63)) for key in keys):
            return super().response_action(request, queryset, *args, **kwargs)
        self.message_user(request, gettext("There is no such device any more."), messages.WARNING)
        return None

    def _act_on_selection(self, request: HttpRequest, chosen: DeviceQuerySet, kind: BulkKind) -> HttpResponse:
        across = request.POST.get("select_across", "0")
        keys = request.POST.getlist(ACTION_CHECKBOX_NAME)
        # All matching devices are found again by the query string; one key is enough to be a selection.
        kept = keys[:1] if across == "1" else keys
        hidden = (
            ("action", kind.value),
            ("select_across", across),
            *((ACTION_CHECKBOX_NAME, key) for key in kept),
        )
        back = request.get_full_path()
        return ActPage(model_admin=self, request=request, kind=kind, chosen=chosen, back=back, hidden=hidden).respond()

    def _act_view(self, kind: BulkKind) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            device = self.get_object(request, unquote(object_id))
            if not self._may(request, kind):
                raise PermissionDenied
            if device is None:
                return self._gone(request)
            return ActPage(
                model_admin=self,
                request=request,
                kind=kind,
                chosen=Device.objects.filter(pk=device.pk),
                back=self._url("changelist") if kind is BulkKind.FORGET else self._url("change", device.pk),
            ).respond()

        return view

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Forget the device instead."""
        return self._act_view(BulkKind.FORGET)(request, object_id)

    def delete_model(self, request: HttpRequest, obj: Device) -> None:
        """Forget, for whoever calls this from outside the pages."""
        devices.forget([obj], by=acting(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Forget, for whoever calls this from outside the pages."""
        devices.forget(list(queryset), by=acting(request))

    def _may(self, request: HttpRequest, kind: BulkKind) -> bool:
        return self.has_delete_permission(request) if kind is BulkKind.FORGET else self.has_change_permission(request)

    # One device

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: Any) -> None:
        """Rename."""
        if "name" in form.changed_data:
            devices.rename(device=obj, name=obj.name, by=acting(request))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the device with its history and what may be done to it."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DeviceNotFound:
            return self._gone(request)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Device | None = None,
    ) -> HttpResponse:
        """Add history and acts."""
        if obj is not None:
            context["show_delete"] = False
            context["acts"] = [
                (self._act_url(kind, obj), words)
                for kind, words in (
                    (BulkKind.STOP_TRUSTING, _("Mark as not remembered")),
                    (BulkKind.SHORTEN_TRUST, _("Shorten trust")),
                    (BulkKind.FORGET, _("Forget")),
                )
                if self._may(request, kind)
            ]
            if request.user.has_perm("trusted_devices.view_deviceevent"):
                events = DeviceEvent.objects.filter(device=obj).select_related("actor")
                context["history"] = list(events.order_by("-created_at", "-pk")[:HISTORY_LENGTH])
        return super().render_change_form(request, context, add, change, form_url, obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Go to the device's entries in the activity log, which has more to say than the admin's own."""
        device = self.get_object(request, unquote(object_id))
        if device is None:
            return self._gone(request)
        events = reverse("admin:trusted_devices_deviceevent_changelist", current_app=self.admin_site.name)
        return redirect(f"{events}?device={device.pk}")

    # Pages of its own

    def get_urls(self) -> list[URLPattern]:
        """Add the acts on one device, the dashboard, and the page that follows a big act."""
        wrap = self.admin_site.admin_view
        return [
            path("dashboard/", wrap(self.dashboard_view), name="trusted_devices_device_dashboard"),
            path("act/<uuid:job_id>/", wrap(self.job_view), name="trusted_devices_device_job"),
            path(
                "<path:object_id>/stop-trusting/",
                wrap(self._act_view(BulkKind.STOP_TRUSTING)),
                name="trusted_devices_device_stop_trusting",
            ),
            path(
                "<path:object_id>/shorten-trust/",
                wrap(self._act_view(BulkKind.SHORTEN_TRUST)),
                name="trusted_devices_device_shorten_trust",
            ),
            *super().get_urls(),
        ]

    def dashboard_view(self, request: HttpRequest) -> HttpResponse:
        """Show the figures."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Trusted devices at a glance"),
            "opts": self.opts,
            **dashboard.context(now=timezone.now()),
        }
        return TemplateResponse(request, "admin/trusted_devices/device/dashboard.html", context)

    def job_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Follow an act that is done in the background."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = bulk_jobs.follow(str(job_id))
        if job is None:
            self.message_user(request, gettext("Nothing is known of this act any more."), messages.WARNING)
            return HttpResponseRedirect(self._url("changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Act on many devices"),
            "opts": self.opts,
            "job": job,
            "act": job.act,
            "outcome": outcome(job.act, failure=job.failure),
        }
        return TemplateResponse(request, "admin/trusted_devices/job.html", context)

    def _act_url(self, kind: BulkKind, device: Device) -> str:
        return self._url("delete" if kind is BulkKind.FORGET else kind.value, device.pk)

    def _url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:trusted_devices_device_{name}", args=args, current_app=self.admin_site.name)

    def _gone(self, request: HttpRequest) -> HttpResponse:
        self.message_user(request, gettext("There is no such device any more."), messages.WARNING)
        return HttpResponseRedirect(self._url("changelist"))


def _time(moment: times.Moment) -> str:
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.at.isoformat(), moment.exact, moment)


def _marked(words: times.Moment | str, *, ended: bool) -> str:
    shown = words if isinstance(words, str) else _time(words)
    return format_html('{} <span class="td-ended">{}</span>', shown, gettext("ended")) if ended else shown
