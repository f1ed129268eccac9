"""HTML routes: ``path("", include("trusted_devices.urls"))``."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "trusted_devices"
urlpatterns: list[URLPattern] = []
