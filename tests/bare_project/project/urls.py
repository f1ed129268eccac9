"""Routes: the app's, the admin's, and a page of the project's own."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello {request.user}")


urlpatterns = [
    path("", home, name="home"),
    path("", include("trusted_devices.urls")),
    path("admin/", admin.site.urls),
]
