"""The endpoint's routes: ``path("cognito-idp/", include("trusted_devices.cognito_idp.urls"))``.

Clients use the endpoint's URL as it was given to them, with or without a slash at its end; ``receivers`` sees to the
one without, which Django's APPEND_SLASH cannot redirect.
"""

from __future__ import annotations

from django.urls import path, re_path

from trusted_devices.cognito_idp.endpoint import endpoint, jwks

app_name = "trusted_devices_cognito_idp"

urlpatterns = [
    path("", endpoint, name="endpoint"),
    re_path(r"^(?P<pool_id>[\w-]{1,55})/\.well-known/jwks\.json$", jwks, name="jwks"),
]
