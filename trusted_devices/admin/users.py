"""A user's devices on the user's own page in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from trusted_devices.admin.bulk_operations import OperationPage
from trusted_devices.admin.device_facts import DeviceFacts
from trusted_devices.models import Device
from trusted_devices.services import standings
from trusted_devices.services.bulk import BulkKind

if TYPE_CHECKING:
    DeviceInline = admin.TabularInline[Device, Any]
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    DeviceInline = admin.TabularInline
    AnyModelAdmin = object


class UserDevicesInline(DeviceFacts, DeviceInline):
    """The devices of one user, to look at; each leads to its own page."""

    model = Device
    template = "admin/trusted_devices/user_devices.html"
    verbose_name_plural = _("Trusted devices")
    fields = ("label", "status_words", "status_reason", "trusted_until", "last_used")
    readonly_fields = fields
    ordering = ("-pk",)
    extra = 0
    can_delete = False
    forget_all_url = ""

    class Media:
        css: ClassVar = {"all": ["trusted_devices/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch the users along: until when trust counts depends on them."""
        return standings.with_users(super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Devices confirm themselves."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is edited here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Forgetting asks once more, on a page of its own."""
        return False


class TrustedDevicesUserAdminMixin(AnyModelAdmin):
    """For your user admin: the user's devices, and "Forget all devices".

    Use it as ``class UserAdmin(TrustedDevicesUserAdminMixin, django.contrib.auth.admin.UserAdmin)``.
    """

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        """Add the devices to the page of a user that exists."""
        inlines = list(super().get_inlines(request, obj))
        return inlines if obj is None else [*inlines, UserDevicesInline]

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Tell the devices where all of them are forgotten, if this person may."""
        instances = super().get_inline_instances(request, obj)
        for inline in instances:
            if isinstance(inline, UserDevicesInline) and obj is not None and self._may_forget(request):
                inline.forget_all_url = self._devices_url("forget_devices", quote(obj.pk))
        return instances

    def get_urls(self) -> list[URLPattern]:
        """Add the page that forgets all devices of a user."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_forget_devices"
        view = self.admin_site.admin_view(self.forget_devices_view)
        return [path("<path:object_id>/forget-devices/", view, name=name), *super().get_urls()]

    def forget_devices_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more, then forget all devices of the user."""
        user = self.get_object(request, unquote(object_id))
        if not self._may_forget(request) or not self.has_view_or_change_permission(request, user):
            raise PermissionDenied
        if user is None:
            raise Http404
        return OperationPage(
            model_admin=self,
            request=request,
            kind=BulkKind.FORGET,
            chosen=Device.objects.of(user),
            back=self._devices_url("change", quote(user.pk)),
        ).respond()

    def _may_forget(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trusted_devices.delete_device")

    def _devices_url(self, page: str, *args: Any) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)
