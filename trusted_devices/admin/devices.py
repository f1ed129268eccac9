"""Devices in the admin: found and looked at. Only the name can be edited; the rest are facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trusted_devices.admin import dashboard
from trusted_devices.admin.device_actions import DeviceActions
from trusted_devices.admin.device_facts import DeviceFacts
from trusted_devices.admin.filters import ExpiringFilter, LastUsedFilter
from trusted_devices.exceptions import DeviceNotFound, InvalidDeviceName
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, standings
from trusted_devices.web.client import acting

if TYPE_CHECKING:
    DeviceModelForm = forms.ModelForm[Device]
else:
    DeviceModelForm = forms.ModelForm

HISTORY_LENGTH = 25


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
            raise forms.ValidationError(devices.why_refused(error), code=error.reason) from error


@admin.register(Device)
class DeviceAdmin(DeviceFacts, DeviceActions):
    """The operator's list of devices: the same cost at ten and at a million."""

    form = DeviceForm
    list_display = ("label", "user", "status_words", "status_reason", "trusted_until", "last_used")
    list_display_links = ("label",)
    list_filter = ("status", "status_reason", ExpiringFilter, "binding", LastUsedFilter)
    search_fields = ("device_key",)
    search_help_text = _("The beginning of a user name, an e-mail address or a device key.")
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

    # Lists

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch the users along: list and page both name them, and say until when the policy lets their trust count."""
        return standings.with_users(super().get_queryset(request))

    def matches(self, term: str, users: list[Any]) -> Q:
        """Find by user and by the beginning of a device key."""
        return Q(user__in=users) | Q(device_key__startswith=term)

    # Permissions

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Devices confirm themselves; nobody adds one."""
        return False

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
            return self.gone(request)

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
            context["acts"] = self.acts_on(request, obj)
            if request.user.has_perm("trusted_devices.view_deviceevent"):
                events = DeviceEvent.objects.filter(device=obj).select_related("actor")
                context["history"] = list(events.order_by("-created_at", "-pk")[:HISTORY_LENGTH])
        return super().render_change_form(request, context, add, change, form_url, obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Go to the device's entries in the activity log, which has more to say than the admin's own."""
        device = self.get_object(request, unquote(object_id))
        if device is None:
            return self.gone(request)
        events = reverse("admin:trusted_devices_deviceevent_changelist", current_app=self.admin_site.name)
        return redirect(f"{events}?device={device.pk}")

    # Pages of its own

    def get_urls(self) -> list[URLPattern]:
        """Add the dashboard."""
        view = self.admin_site.admin_view(self.dashboard_view)
        return [path("dashboard/", view, name="trusted_devices_device_dashboard"), *super().get_urls()]

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
