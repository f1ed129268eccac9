"""A user's own devices: the list, and a page for each thing that can be done to one.

A GET never changes anything: it shows what would happen, and a POST from there makes it happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.generic import View

from trusted_devices.exceptions import BackendUnavailable, DeviceNotFound, StaleDevice
from trusted_devices.models import Device
from trusted_devices.services import activity, devices, second_factor, standings, versions
from trusted_devices.types import StatusReason
from trusted_devices.web import logins, session_note
from trusted_devices.web.client import acting, current_user
from trusted_devices.web.forms import DeviceFilterForm, RenameForm, UndoRenameForm
from trusted_devices.web.jar import get_jar
from trusted_devices.web.views import navigation
from trusted_devices.web.views.device_rows import Entry, Row, groups, matching, together

PAGE_SIZE = 10
"""How many devices a page of the list has; with more, there is something to filter by as well."""
LATEST = 8
"""How many entries of the activity log stand below the list."""
RENAMED_SESSION_KEY = "trusted_devices_renamed"
"""Where the session notes the rename that the next page offers to undo."""


@method_decorator([never_cache, login_required, csrf_protect], name="dispatch")
class DevicesPage(View):
    """What all pages about a user's devices share."""

    http_method_names = ["get", "head", "options", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except DeviceNotFound:
            return render(request, "trusted_devices/device_not_found.html", status=HTTPStatus.NOT_FOUND)
        except BackendUnavailable:
            navigation.add_message(
                request,
                messages.ERROR,
                _("This is not possible right now. Nothing was changed; try again in a minute."),
            )
            return navigation.go_to("devices")

    def current_key(self) -> str:
        """Return the key of the current device: what this browser holds, or else what the session came from."""
        held = getattr(self.request, "trusted_device", None)
        if held:
            return str(held.device_key)
        note = session_note.read(self.request.session, str(self.request.user.pk))
        return note.device_key if note else ""

    def done(self, text: str) -> HttpResponse:
        """Go back to the list and say what was done."""
        navigation.add_message(self.request, messages.SUCCESS, text)
        return navigation.go_to("devices")


class DeviceListView(DevicesPage):
    """All devices of the user, the current one first."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        now, current_key = timezone.now(), self.current_key()
        rows = [
            Row(standing, now)
            for standing in standings.standings(user=current_user(request), current_key=current_key, now=now)
        ]
        form = DeviceFilterForm(request.GET)
        words, show = form.chosen()
        page = Paginator(together(matching(rows, words, show)), PAGE_SIZE).get_page(request.GET.get("page"))
        context = {
            "rows": rows,
            "page": page,
            "groups": groups(page.object_list),
            "form": form if len(rows) > PAGE_SIZE or words or show else None,
            "others": sum(not row.standing.is_current for row in rows),
            "renamed": self.renamed([row.device for row in rows]),
            "activity": [Entry(event, now, current_key) for event in activity.latest(current_user(request), LATEST)],
            "declined": get_jar(request).declines(current_user(request)),
            "set_up_url": "" if rows else self.set_up_url(),
        }
        return render(request, "trusted_devices/devices.html", context)

    def renamed(self, devices: Sequence[Device]) -> dict[str, Any] | None:
        """Return what was just renamed and what undoes it, once, unless the device has changed again."""
        note = self.request.session.pop(RENAMED_SESSION_KEY, None)
        if note is None:
            return None
        device = next((device for device in devices if device.device_key == note["device_key"]), None)
        if device is None or versions.version(device) != note["seen"]:
            return None
        return {"device": device, "form": UndoRenameForm(initial=note)}

    def set_up_url(self) -> str:
        """Return where a user without a second factor sets one up; empty also where that is not known."""
        try:
            return "" if second_factor.methods(current_user(self.request)) else navigation.set_up_url()
        except BackendUnavailable:
            return ""


class AskAgainView(DevicesPage):
    """Takes back "don't ask again in this browser"."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        get_jar(request).ask_again(current_user(request))
        return self.done(_("When you next sign in here with a code, you will be asked whether to trust this browser."))


class DevicePage(DevicesPage):
    """One thing to do to one device."""

    template: ClassVar[str]

    def get(self, request: HttpRequest, device_key: str) -> HttpResponse:
        return self.page(self.device(device_key))

    def device(self, device_key: str) -> Device:
        """Return one of the user's devices. Raises ``DeviceNotFound``, also for another user's."""
        return devices.get(user=current_user(self.request), device_key=device_key)

    def page(self, device: Device, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> HttpResponse:
        """Return the page that asks."""
        context |= {"device": device, "is_current": device.device_key == self.current_key()}
        return render(self.request, self.template, context, status=status)


class RenameView(DevicePage):
    """Gives a device a name."""

    template = "trusted_devices/rename_device.html"

    def get(self, request: HttpRequest, device_key: str) -> HttpResponse:
        device = self.device(device_key)
        return self.page(device, form=RenameForm(initial={"name": device.name}))

    def post(self, request: HttpRequest, device_key: str) -> HttpResponse:
        device = self.device(device_key)
        form = RenameForm(request.POST)
        if not form.is_valid():
            return self.page(device, HTTPStatus.BAD_REQUEST, form=form)
        previous = device.name
        device = devices.rename(device=device, name=form.cleaned_data["name"], by=acting(request))
        note = {"device_key": device.device_key, "previous": previous, "seen": versions.version(device)}
        request.session[RENAMED_SESSION_KEY] = note
        return navigation.go_to("devices")


class UndoRenameView(DevicePage):
    """Gives a device its former name back, unless it was changed meanwhile."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, device_key: str) -> HttpResponse:
        device = self.device(device_key)
        form = UndoRenameForm(request.POST)
        try:
            if not form.is_valid():
                raise StaleDevice
            with versions.unchanged(device, form.cleaned_data["seen"].__eq__) as stored:
                device = devices.undo_rename(
                    device=stored,
                    previous=form.cleaned_data["previous"],
                    by=acting(request),
                )
        except StaleDevice:
            navigation.add_message(request, messages.WARNING, _("The device has changed meanwhile, so its name stays."))
            return navigation.go_to("devices")
        return self.done(_("The device is called “%(name)s” again.") % {"name": device.display_name})


class StopTrustingView(DevicePage):
    """Makes a device not remembered: a code at its next sign-in."""

    template = "trusted_devices/stop_trusting.html"

    def post(self, request: HttpRequest, device_key: str) -> HttpResponse:
        device = self.device(device_key)
        devices.stop_trusting([device], reason=StatusReason.USER_STOPPED, by=acting(request))
        text = _("%(device)s is not trusted any more. Its next sign-in takes a code.")
        return self.done(text % {"device": device.display_name})


class ForgetView(DevicePage):
    """Takes a device off the list and signs it out."""

    template = "trusted_devices/forget_device.html"

    def post(self, request: HttpRequest, device_key: str) -> HttpResponse:
        device = self.device(device_key)
        is_current = device.device_key == self.current_key()
        devices.forget([device], by=acting(request))
        text = _("%(device)s is forgotten and signed out.") % {"device": device.display_name}
        if not is_current:
            return self.done(text)
        get_jar(request).discard(current_user(request))
        logins.leave(request)
        navigation.add_message(request, messages.SUCCESS, text)
        return navigation.go_to("sign_in")


class ForgetOthersView(DevicesPage):
    """Forgets every device but the current one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        others = self.others()
        if not others:
            navigation.add_message(request, messages.INFO, _("There is no other device to forget."))
            return navigation.go_to("devices")
        return render(request, "trusted_devices/forget_other_devices.html", {"devices": others})

    def post(self, request: HttpRequest) -> HttpResponse:
        count = devices.forget_all(user=current_user(request), except_key=self.current_key(), by=acting(request))
        text = ngettext(
            "%(count)d device is forgotten and signed out.", "%(count)d devices are forgotten and signed out.", count
        )
        return self.done(text % {"count": count})

    def others(self) -> Sequence[Device]:
        """Return the devices that would be forgotten."""
        found = standings.standings(user=current_user(self.request), current_key=self.current_key())
        return [standing.device for standing in found if not standing.is_current]
