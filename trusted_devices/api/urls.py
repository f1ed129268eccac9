"""REST routes: ``path("api/", include("trusted_devices.api.urls"))``."""

from __future__ import annotations

from django.urls import path

from trusted_devices.api import own, staff

app_name = "trusted_devices_api"
urlpatterns = [
    path("devices/", own.OwnDevices.as_view({"get": "list"}), name="devices"),
    path("devices/forget-others/", own.OwnDevices.as_view({"post": "forget_others"}), name="forget_others"),
    path(
        "devices/<str:device_key>/",
        own.OwnDevices.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="device",
    ),
    path("devices/<str:device_key>/remember/", own.OwnDevices.as_view({"post": "remember"}), name="remember"),
    path(
        "devices/<str:device_key>/stop-trusting/",
        own.OwnDevices.as_view({"post": "stop_trusting"}),
        name="stop_trusting",
    ),
    path("activity/", own.OwnActivity.as_view({"get": "list"}), name="activity"),
    path("admin/devices/", staff.Devices.as_view({"get": "list"}), name="admin_devices"),
    path("admin/devices/bulk/", staff.Devices.as_view({"post": "bulk"}), name="admin_bulk"),
    path(
        "admin/devices/<str:device_key>/",
        staff.Devices.as_view({"get": "retrieve", "delete": "destroy"}),
        name="admin_device",
    ),
    path(
        "admin/devices/<str:device_key>/remember/",
        staff.Devices.as_view({"post": "remember"}),
        name="admin_remember",
    ),
    path(
        "admin/devices/<str:device_key>/stop-trusting/",
        staff.Devices.as_view({"post": "stop_trusting"}),
        name="admin_stop_trusting",
    ),
    path(
        "admin/users/<str:user_id>/devices/",
        staff.UserDevices.as_view({"get": "list", "delete": "destroy_all"}),
        name="admin_user_devices",
    ),
    path("admin/activity/", staff.Activity.as_view({"get": "list"}), name="admin_activity"),
    path("admin/reports/", staff.Report.as_view({"get": "retrieve"}), name="admin_reports"),
]
