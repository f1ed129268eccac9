"""The HTTP side: framing, CORS, both forms of an error, and bodies that are no requests."""

import json

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError
from django.test import Client

from tests.cognito_idp.wire import JSON, decoded

pytestmark = pytest.mark.django_db

TARGET = "AWSCognitoIdentityProviderService."
DEEP = b"[" * 100_000


def post(body, *, target=TARGET + "InitiateAuth", content_type=JSON, path="/cognito-idp/"):
    return Client().post(path, body, content_type=content_type, headers={"X-Amz-Target": target})


def test_an_error_has_both_forms(app_client):
    response = post(json.dumps({"ClientId": "nobody", "AuthFlow": "USER_SRP_AUTH"}).encode())
    assert response.status_code == 400
    assert response["Content-Type"] == JSON
    assert response["x-amzn-ErrorType"] == "ResourceNotFoundException:"
    assert response["x-amzn-ErrorMessage"] == "User pool client nobody does not exist."
    assert decoded(response) == {
        "__type": "ResourceNotFoundException",
        "message": "User pool client nobody does not exist.",
    }
    assert len(response["x-amzn-RequestId"]) == 36
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Access-Control-Expose-Headers"] == "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"


@pytest.mark.parametrize("path", ["/cognito-idp", "/cognito-idp/"])
def test_both_spellings_of_the_path_answer(path):
    assert decoded(post(b"{}", path=path))["__type"] == "InvalidParameterException"
    preflight = Client().options(path, headers={"Access-Control-Request-Headers": "content-type,x-custom"})
    assert preflight.status_code == 200
    assert preflight["Access-Control-Allow-Headers"] == "content-type,x-custom"
    assert preflight["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    assert preflight["Access-Control-Max-Age"] == "172800"


def test_a_preflight_without_headers_is_allowed_what_the_clients_send():
    allowed = Client().options("/cognito-idp/")["Access-Control-Allow-Headers"]
    assert {"content-type", "x-amz-target", "x-amz-user-agent", "cache-control"} <= set(allowed.split(", "))
    assert (
        "\n"
        not in Client().options("/cognito-idp/", headers={"Access-Control-Request-Headers": "a\tb\u20ac"})[
            "Access-Control-Allow-Headers"
        ]
    )


def test_a_body_that_breaks_off_is_refused(monkeypatch):
    def broken(_request):
        raise UnreadablePostError

    monkeypatch.setattr(WSGIRequest, "body", property(broken))
    response = post(b"{}")
    assert (response.status_code, decoded(response)["__type"]) == (400, "SerializationException")


def test_no_cookie_and_no_csrf_token_are_needed_nor_set():
    client = Client(enforce_csrf_checks=True)
    response = client.post("/cognito-idp/", b"{}", content_type=JSON, headers={"X-Amz-Target": TARGET + "GetUser"})
    assert response.status_code == 400
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_other_methods_are_refused_in_the_same_form():
    response = Client().get("/cognito-idp/")
    assert (response.status_code, response["Allow"]) == (405, "POST, OPTIONS")
    assert decoded(response)["__type"] == "UnknownOperationException"


@pytest.mark.parametrize(
    "target", ["", "InitiateAuth", TARGET, TARGET + "SignUp", "Other." + "InitiateAuth", TARGET * 99]
)
def test_what_is_no_operation_is_called_so(target):
    response = post(b"{}", target=target)
    assert (response.status_code, decoded(response)["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_another_content_type_is_refused(content_type):
    response = post(b"{}", content_type=content_type)
    assert (response.status_code, decoded(response)["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b"\xff\xfe",
        b'{"ClientId": NaN}',
        DEEP,
        b'{"ClientId": "\\ud800"}',
        b'{"ClientId": "a\\u0000b"}',
        b'{"\\u0000": 1}',
        b'{"ClientId": ' + b"9" * 5000 + b"}",
        b'{"ClientId": 1}',
        b'{"ClientId": ["a"]}',
        b'{"AuthParameters": []}',
        b'{"AuthParameters": {"USERNAME": 5}}',
        b'{"AuthParameters": {"USERNAME": {"a": "b"}}}',
    ],
)
def test_what_is_no_request_is_refused_as_such(body):
    response = post(body)
    assert (response.status_code, decoded(response)["__type"]) == (400, "SerializationException")


def test_ten_megabytes_are_refused_unread():
    response = post(b'{"ClientId": "' + b"x" * 10_000_000 + b'"}')
    assert (response.status_code, decoded(response)["__type"]) == (413, "RequestEntityTooLargeException")


def test_a_length_that_is_no_number_is_no_failure():
    response = Client().generic("POST", "/cognito-idp/", b"{}", JSON, CONTENT_LENGTH="many")
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        (
            "InitiateAuth",
            {"ClientId": "a"},
            (
                "1 validation error detected: Value null at 'authFlow' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            "InitiateAuth",
            {},
            (
                "2 validation errors detected: Value null at 'authFlow' failed to satisfy constraint: "
                "Member must not be null; "
                "Value null at 'clientId' failed to satisfy constraint: Member must not be null"
            ),
        ),
        (
            "ListDevices",
            {"AccessToken": "a", "Limit": 99},
            (
                "1 validation error detected: Value '99' at 'limit' failed to satisfy constraint: "
                "Member must have value less than or equal to 60"
            ),
        ),
        (
            "ListDevices",
            {"AccessToken": "a", "Limit": -1},
            (
                "1 validation error detected: Value '-1' at 'limit' failed to satisfy constraint: "
                "Member must have value greater than or equal to 0"
            ),
        ),
        (
            "GetDevice",
            {"DeviceKey": "US_X"},
            (
                "1 validation error detected: Value 'US_X' at 'deviceKey' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [\\w-]+_[0-9a-f-]+"
            ),
        ),
        (
            "GetDevice",
            {"AccessToken": "a"},
            (
                "1 validation error detected: Value null at 'deviceKey' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            "UpdateDeviceStatus",
            {"AccessToken": "a", "DeviceKey": "r_0", "DeviceRememberedStatus": "maybe"},
            (
                "1 validation error detected: Value 'maybe' at 'deviceRememberedStatus' failed to satisfy constraint: "
                "Member must satisfy enum value set: [remembered, not_remembered]"
            ),
        ),
        (
            "GetUser",
            {"AccessToken": "sp ace"},
            (
                "1 validation error detected: Value at 'accessToken' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [A-Za-z0-9-_=.]+"
            ),
        ),
        (
            "RespondToAuthChallenge",
            {"ClientId": "a", "ChallengeName": "SMS_MFA", "Session": "short"},
            (
                "1 validation error detected: Value at 'session' failed to satisfy constraint: "
                "Member must have length greater than or equal to 20"
            ),
        ),
    ],
)
def test_constraints_are_worded_as_on_cognito(wire, operation, params, message):
    response = wire.raw(operation, json.dumps(params).encode())
    assert response.status_code == 400
    assert decoded(response) == {"__type": "InvalidParameterException", "message": message}


def test_nothing_that_a_client_sends_gets_into_a_header_unescaped(wire):
    response = wire.raw("GetDevice", json.dumps({"DeviceKey": "a\r\nSet-Cookie: b=\u20ac"}).encode())
    assert response.status_code == 400
    assert "Set-Cookie: b" in response["x-amzn-ErrorMessage"]
    assert "\n" not in response["x-amzn-ErrorMessage"]
    assert not response.cookies


def test_the_key_set_is_served_below_the_endpoint(pool, app):
    app.sign_in()
    response = Client().get(f"/cognito-idp/{pool.pool_id}/.well-known/jwks.json")
    keys = response.json()["keys"]
    assert len(keys) == 2
    assert {frozenset(key) for key in keys} == {frozenset({"kty", "kid", "use", "alg", "n", "e"})}
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "max-age" in response["Cache-Control"]
    assert Client().get("/cognito-idp/us-east-1_Nobody/.well-known/jwks.json").status_code == 404
    assert Client().post(f"/cognito-idp/{pool.pool_id}/.well-known/jwks.json").status_code == 405


def test_a_bearer_header_of_pycognito_is_tolerated(wire, app):
    app.sign_in()
    body = json.dumps({"AccessToken": app.access_token}).encode()
    assert wire.raw("GetUser", body, Authorization=f"Bearer {app.access_token}").status_code == 200


def test_a_failure_of_the_site_is_an_internal_error_in_the_same_form(wire, app, monkeypatch, caplog):
    def fail(*_arguments, **_options):
        raise RuntimeError("secret details")

    monkeypatch.setattr("trusted_devices.cognito_idp.tokens.authenticate", fail)
    response = wire.raw("GetUser", b'{"AccessToken": "a"}')
    assert response.status_code == 500
    assert decoded(response)["__type"] == "InternalErrorException"
    assert b"secret details" not in response.content
