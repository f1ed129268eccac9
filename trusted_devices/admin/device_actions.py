"""What the admin does to devices: to a selection, and to one from its page; big acts have a page to follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trusted_devices.admin import exporting
from trusted_devices.admin.bulk_operations import OperationPage, outcome
from trusted_devices.admin.changelist import KeysetModelAdmin
from trusted_devices.models import Device
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk_jobs, devices
from trusted_devices.services.bulk import BulkKind
from trusted_devices.web.client import acting

if TYPE_CHECKING:
    DeviceModelAdmin = KeysetModelAdmin[Device]
else:
    DeviceModelAdmin = KeysetModelAdmin


class DeviceActions(DeviceModelAdmin):
    """A model admin of devices that can forget them, end their trust and shorten it."""

    actions = ("forget", "stop_trusting", "shorten_trust", "export_csv")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out Django's own deletion, which knows nothing of live sessions."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description=_("Forget"), permissions=["delete"])
    def forget(self, request: HttpRequest, queryset: DeviceQuerySet[Device]) -> HttpResponse:
        """Remove the devices and end their sessions."""
        return self._act_on_selection(request, queryset, BulkKind.FORGET)

    @admin.action(description=_("Mark as not remembered"), permissions=["change"])
    def stop_trusting(self, request: HttpRequest, queryset: DeviceQuerySet[Device]) -> HttpResponse:
        """End trust and sessions."""
        return self._act_on_selection(request, queryset, BulkKind.STOP_TRUSTING)

    @admin.action(description=_("Shorten trust to a date"), permissions=["change"])
    def shorten_trust(self, request: HttpRequest, queryset: DeviceQuerySet[Device]) -> HttpResponse:
        """Let trust end sooner."""
        return self._act_on_selection(request, queryset, BulkKind.SHORTEN_TRUST)

    @admin.action(description=_("Export CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: DeviceQuerySet[Device]) -> Any:
        """Download the devices."""
        return exporting.response(queryset)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse a selection that is not one of keys, which would be an error further down."""
        keys = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(key.isascii() and key.isdigit() and len(key) < len(str(2**63)) for key in keys):
            return super().response_action(request, queryset, *args, **kwargs)
        self.message_user(request, gettext("There is no such device any more."), messages.WARNING)
        return None

    def _act_on_selection(self, request: HttpRequest, chosen: DeviceQuerySet[Device], kind: BulkKind) -> HttpResponse:
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
        return OperationPage(
            model_admin=self, request=request, kind=kind, chosen=chosen, back=back, hidden=hidden
        ).respond()

    def _act_view(self, kind: BulkKind) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            device = self.get_object(request, unquote(object_id))
            if not self._may(request, kind):
                raise PermissionDenied
            if device is None:
                return self.gone(request)
            return OperationPage(
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
        """Forget, for callers outside the pages."""
        devices.forget([obj], by=acting(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Forget, for callers outside the pages."""
        devices.forget(list(queryset), by=acting(request))

    def _may(self, request: HttpRequest, kind: BulkKind) -> bool:
        return self.has_delete_permission(request) if kind is BulkKind.FORGET else self.has_change_permission(request)

    # Pages

    def get_urls(self) -> list[URLPattern]:
        """Add the acts on one device, and the page that follows a big act."""
        wrap = self.admin_site.admin_view
        return [
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

    def job_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Follow an act that is done in the background."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = bulk_jobs.follow(str(job_id))
        if job is None:
            self.message_user(
                request, gettext("Nothing is known of this act now. What it has done is done."), messages.WARNING
            )
            return HttpResponseRedirect(self._url("changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Act on many devices"),
            "opts": self.opts,
            "job": job,
            "act": job.act,
            "stuck": job.is_stuck(timezone.now()),
            "outcome": outcome(job.act, failure=job.failure),
        }
        return TemplateResponse(request, "admin/trusted_devices/job.html", context)

    def acts_on(self, request: HttpRequest, device: Device) -> list[tuple[str, str]]:
        """Return where and in what words its page offers what ``request`` may do to ``device``."""
        return [
            (self._url("delete" if kind is BulkKind.FORGET else kind.value, device.pk), words)
            for kind, words in (
                (BulkKind.STOP_TRUSTING, gettext("Mark as not remembered")),
                (BulkKind.SHORTEN_TRUST, gettext("Shorten trust")),
                (BulkKind.FORGET, gettext("Forget")),
            )
            if self._may(request, kind)
        ]

    def gone(self, request: HttpRequest) -> HttpResponse:
        """Return to the list and say that the device is gone."""
        self.message_user(request, gettext("There is no such device any more."), messages.WARNING)
        return HttpResponseRedirect(self._url("changelist"))

    def _url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:trusted_devices_device_{name}", args=args, current_app=self.admin_site.name)
