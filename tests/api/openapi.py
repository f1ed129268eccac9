"""The API's OpenAPI document. ``python -m tests.api.openapi`` writes it to ``docs/reference/openapi.yaml``."""

import os
from pathlib import Path

import django

PATH = Path(__file__).parents[2] / "docs" / "reference" / "openapi.yaml"


def render():
    """Return the document as YAML, as the routes of the test project make it."""
    from django.urls import include, path
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiYamlRenderer

    generator = SchemaGenerator(patterns=[path("api/", include("trusted_devices.api.urls"))])
    document = generator.get_schema(request=None, public=True)
    return OpenApiYamlRenderer().render(document, renderer_context={}).decode()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    PATH.write_text(render(), encoding="utf-8")
