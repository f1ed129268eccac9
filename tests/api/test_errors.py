"""Problems: their form, and requests that are wrong in every way."""

import json
import logging

import pytest
from django.db import IntegrityError
from django.utils import timezone

from trusted_devices import exceptions
from trusted_devices.api import problems
from trusted_devices.models import Device
from trusted_devices.services import devices
from trusted_devices.types import By

HIDDEN = {
    exceptions.AlreadyAnswered,
    exceptions.ActionRequired,
    exceptions.InvalidCredentials,
    exceptions.SignInExpired,
    exceptions.InvalidExpiry,
    exceptions.PasswordRefused,
}
"""Errors of use cases that the API does not have."""


@pytest.fixture
def url(device):
    return f"/api/devices/{device.device_key}/"


@pytest.fixture
def maria(user, by_token):
    return by_token(user)


def test_a_problem_says_what_where_and_why(url, maria):
    response = maria.patch(url, {"name": ""}, format="json")
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "invalid",
        "detail": "The request is not valid.",
        "errors": [{"field": "name", "code": "blank", "detail": "This field may not be blank."}],
    }


def every_error(base=exceptions.TrustedDevicesError):
    for kind in base.__subclasses__():
        if kind.__module__ == exceptions.__name__:
            yield kind
            yield from every_error(kind)


@pytest.mark.parametrize("kind", sorted(set(every_error()) - HIDDEN, key=lambda kind: kind.code))
def test_every_error_of_the_services_has_an_answer(kind):
    response = problems.handle(kind(), {})
    assert 400 <= response.status_code < 600
    assert response.data["code"] == kind.code
    assert response.data["detail"]


def test_what_is_our_own_fault_is_left_to_django():
    assert problems.handle(RuntimeError("bug"), {}) is None


def test_a_row_that_went_away_meanwhile_is_a_conflict(caplog):
    with caplog.at_level(logging.WARNING):
        assert problems.handle(IntegrityError("FOREIGN KEY constraint failed"), {}).status_code == 409
    assert "meanwhile" in caplog.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"null", 400), (b"[]", 400), (b'"name"', 400), (b"1", 400), (b"{}", 400),
        (b"\xff\xfe", 400), (b'{"name": NaN}', 400), (b'{"name": ' + b"1" * 5000 + b"}", 400),
        (b"[" * 8000, 400), (b'{"name": {"name": "x"}}', 400), (b'{"name": null}', 400), (b'{"name": true}', 400),
        (b'{"name": "\\ud800"}', 400), (b'{"\\ud800": "x"}', 400), (b'{"name": "x", "status": "remembered"}', 400),
        (b'{"name": "x", "secret_digest": ""}', 400), (b" " * 20_000, 413),
    ],
)  # fmt: skip
def test_bodies_that_are_wrong_are_refused(body, status, url, maria):
    response = maria.patch(url, body, content_type="application/json")
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    json.loads(response.content)
    assert Device.objects.get().name == "Work laptop"


def test_text_that_cannot_be_encoded_is_quoted_harmlessly(url, maria):
    response = maria.post(url + "remember/", b'{"period": "P60D", "\\ud800": 1}', content_type="application/json")
    assert response.json()["errors"][0]["field"] == "\\ud800"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
        "application/xml",
    ],
)
def test_only_json_is_read(content_type, url, maria):
    response = maria.patch(url, b"name=x", content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_only_json_is_written(url, maria):
    response = maria.get(url, headers={"Accept": "text/html"})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("method", ["put", "post", "options", "trace"])
def test_other_methods_are_not_allowed(method, url, maria):
    response = getattr(maria, method)(url)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["", "remember/", "stop-trusting/"])
def test_query_parameters_that_mean_nothing_are_refused(path, url, maria):
    method = maria.post if path else maria.patch
    response = method(f"{url}{path}?dry_run=true", {"name": "x"}, format="json")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "unknown_parameter")


def test_a_device_that_is_forgotten_while_it_is_renamed_is_not_found(url, device, maria, monkeypatch):
    read = devices.get

    def read_and_lose(**what):
        found = read(**what)
        devices.forget([found], by=By(at=timezone.now()))
        return found

    monkeypatch.setattr(devices, "get", read_and_lose)
    response = maria.patch(url, {"name": "x"}, format="json")
    assert (response.status_code, response.json()["code"]) == (404, "device_not_found")


@pytest.mark.parametrize("mount", ["/api/devices", "/api/nothing/"])
def test_what_is_no_route_is_the_sites_own_matter(mount, maria):
    assert maria.get(mount).status_code in (301, 404)
