"""Routes with a second admin site, under another name, whose user admin shows devices."""

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.urls import include, path

from trusted_devices.admin.devices import DeviceAdmin
from trusted_devices.admin.events import DeviceEventAdmin
from trusted_devices.admin.users import TrustedDevicesUserAdminMixin
from trusted_devices.models import Device, DeviceEvent


class UserWithDevicesAdmin(TrustedDevicesUserAdminMixin, UserAdmin):
    """What a site's own user admin becomes."""


site = AdminSite(name="console")
site.register(get_user_model(), UserWithDevicesAdmin)
site.register(Device, DeviceAdmin)
site.register(DeviceEvent, DeviceEventAdmin)

urlpatterns = [path("console/", site.urls), path("", include("tests.urls"))]
