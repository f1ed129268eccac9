"""The activity log in the admin: read, filtered and searched, never written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from trusted_devices.admin.changelist import KeysetModelAdmin
from trusted_devices.admin.filters import ReasonFilter, WhenFilter
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.words import browsers

if TYPE_CHECKING:
    EventModelAdmin = KeysetModelAdmin[DeviceEvent]
else:
    EventModelAdmin = KeysetModelAdmin

DEVICE_LIMIT = 500
"""How many devices one search by device key looks at."""


@admin.register(DeviceEvent)
class DeviceEventAdmin(EventModelAdmin):
    """Who did what to which device."""

    list_display = ("created_at", "user", "action", "reason_words", "device_label", "actor", "note")
    list_display_links = ("created_at",)
    list_filter = ("action", ReasonFilter, WhenFilter)
    list_select_related = ("user", "actor", "device")
    search_fields = ("device_key",)
    search_help_text = _(
        "The beginning of a user name or an e-mail address; of a device key, or the whole of a forgotten device's."
    )
    fieldsets = (
        (None, {"fields": ("created_at", "user", "action", "reason_words", "actor", "note")}),
        (_("Device"), {"fields": ("device_label", "device_key", "client", "ip_address", "user_agent")}),
    )
    lookups = ("action", "device", "device__id", "device__pk", "user", "user__id", "user__pk", "reason", "when")
    actions = None

    class Media:
        css: ClassVar = {"all": ["trusted_devices/admin.css"]}

    @admin.display(description=_("reason"), empty_value="-")
    def reason_words(self, event: DeviceEvent) -> str | None:
        """The reason in words."""
        return event.get_reason_display() or None

    @admin.display(description=_("device"), empty_value="-")
    def device_label(self, event: DeviceEvent) -> str | None:
        """The device's name; its key if it was forgotten."""
        return event.device.display_name if event.device else event.device_key or None

    @admin.display(description=_("browser and system"), empty_value="-")
    def client(self, event: DeviceEvent) -> str | None:
        """Browser and system of the actor, in words."""
        return browsers.describe(event.user_agent) if event.user_agent else None

    def matches(self, term: str, users: list[Any]) -> Q:
        """Find by user, by the beginning of a known device's key, or by the whole key of a forgotten one."""
        keys = Device.objects.filter(device_key__startswith=term).order_by("pk")
        devices = list(keys.values_list("pk", flat=True)[:DEVICE_LIMIT])
        return Q(user__in=users) | Q(device__in=devices) | Q(device_key=term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The log writes itself."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeviceEvent | None = None) -> bool:
        """What happened, happened."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DeviceEvent | None = None) -> bool:
        """Only its retention prunes the log."""
        return False
