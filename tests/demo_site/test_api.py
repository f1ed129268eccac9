"""The REST API and its documentation in the demo."""

import re

import pytest


@pytest.fixture
def visitor(demo, client):
    """Somebody who is not signed in, on a site that has the API's own apps and settings."""
    from demo_site import settings

    demo.INSTALLED_APPS = [*demo.INSTALLED_APPS, "drf_spectacular_sidecar"]
    assert {"rest_framework", "django_filters", "drf_spectacular"} < set(settings.INSTALLED_APPS)
    return client


def test_the_document_is_served(visitor):
    response = visitor.get("/api/schema/")
    assert response.status_code == 200
    assert b"/api/devices/{device_key}/" in response.content


def test_the_page_to_browse_it_takes_everything_from_the_site_itself(visitor, settings):
    from drf_spectacular.settings import patched_settings

    with patched_settings({"SWAGGER_UI_DIST": "SIDECAR"}):
        response = visitor.get("/api/docs/")
        page = response.content.decode()
        sources = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(sources) >= 4
        assert all(source.startswith("/") and not source.startswith("//") for source in sources)
        assert "<style" not in page
        assert not re.search(r"<script(?! src=)", page)
        assert "data:" in response["Content-Security-Policy"]
        assert "unsafe" not in response["Content-Security-Policy"]
        script = visitor.get("/api/docs/?script=")
        assert script["Content-Type"] == "application/javascript"


def test_the_demos_settings_serve_the_scripts_themselves():
    from demo_site import settings

    assert settings.SPECTACULAR_SETTINGS["SWAGGER_UI_DIST"] == "SIDECAR"
    assert settings.SPECTACULAR_SETTINGS["OAS_VERSION"].startswith("3.1")
    assert "drf_spectacular_sidecar" in settings.INSTALLED_APPS


def test_the_api_answers_those_who_are_signed_in(signed_in):
    assert signed_in.get("/api/devices/").json() == {"next": None, "previous": None, "results": []}
