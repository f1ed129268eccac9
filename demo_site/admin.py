"""The demo's admin: users with their devices."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin

from trusted_devices.admin.users import TrustedDevicesUserAdminMixin

admin.site.unregister(get_user_model())


@admin.register(get_user_model())
class UserWithDevicesAdmin(TrustedDevicesUserAdminMixin, UserAdmin):  # type: ignore[type-arg] # no generic at run time
    """Django's user admin and the user's trusted devices."""
