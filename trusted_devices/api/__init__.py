"""The REST API: ``path("api/", include("trusted_devices.api.urls"))``. Needs the extra ``api``."""

from __future__ import annotations

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

if not all(map(find_spec, ("rest_framework", "django_filters", "drf_spectacular"))):
    raise ImproperlyConfigured(
        'trusted_devices.api needs the extra "api": pip install "django-device-trust[api]".',
    )
