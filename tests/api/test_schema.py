"""The OpenAPI document."""

import pytest
import yaml
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.validation import validate_schema

from tests.api import openapi
from trusted_devices.api import urls


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load(openapi.PATH.read_text(encoding="utf-8"))


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_the_document_is_up_to_date():
    """Where this fails: ``python -m tests.api.openapi``."""
    assert openapi.render() == openapi.PATH.read_text(encoding="utf-8")


def test_nothing_about_the_routes_has_to_be_guessed(capsys):
    reset_generator_stats()
    openapi.render()
    assert not GENERATOR_STATS
    assert capsys.readouterr().err == ""


def test_the_document_is_valid(document):
    assert document["openapi"].startswith("3.1")
    validate_schema(document)


def test_every_route_is_in_the_document(document):
    assert len(document["paths"]) == len(urls.urlpatterns)


def test_every_operation_says_what_it_does_who_may_and_what_can_go_wrong(document):
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert {"cookieAuth", "tokenAuth", "jwtAuth"} == {key for way in operation["security"] for key in way}, name
        for status, response in operation["responses"].items():
            media_types = set(response.get("content", {}))
            expected = {"application/problem+json"} if status >= "400" else {"application/json"}
            assert media_types == (set() if status == "204" else expected), name
            assert status < "400" or response["description"], name


def test_every_answer_and_request_has_an_example(document):
    for name, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [response for status, response in operation["responses"].items() if status == "200"]
        for body in bodies:
            assert body["content"]["application/json"]["examples"], name


def test_requests_are_closed(document):
    requests = {name: schema for name, schema in document["components"]["schemas"].items() if "Request" in name}
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        for _name, operation in operations(document)
        if "requestBody" in operation
    ]
    assert bodies
    for name in {*requests, *bodies}:
        assert document["components"]["schemas"][name]["additionalProperties"] is False
