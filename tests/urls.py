"""Routes of the test project."""

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path


def home(request):
    """A page that asks nothing about trust."""
    return HttpResponse("home")


urlpatterns = [
    path("", home, name="home"),
    path("", include("trusted_devices.urls")),
    path("api/", include("trusted_devices.api.urls")),
    path("cognito-idp/", include("trusted_devices.cognito_idp.urls")),
    path("admin/", admin.site.urls),
]
