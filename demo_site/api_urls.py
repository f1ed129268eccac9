"""The REST API with its OpenAPI document and a page to browse and try it."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from demo_site.middleware import policy


class ApiDocs(SpectacularSwaggerSplitView):
    """Swagger UI from this site's own static files; its stylesheet brings its icons along as ``data:`` images."""

    schema = None

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response["Content-Security-Policy"] = policy(img_src="'self' data:")
        return response


api = path("api/", include("trusted_devices.api.urls"))
urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view(patterns=[api]), name="schema"),
    path("api/docs/", ApiDocs.as_view(), name="api_docs"),
    api,
]
