"""Signatures of Admin calls, made by botocore."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.cognito_idp.factories import KEY_SECRET, make_access_key, make_pool
from tests.cognito_idp.signed import Admin, signed_headers
from tests.cognito_idp.wire import Refused, decoded
from trusted_devices.cognito_idp import housekeeping
from trusted_devices.cognito_idp.models import AccessKey, UserPool
from trusted_devices.types import By


def error(response):
    assert response.status_code == 400
    return decoded(response)["__type"]


@pytest.mark.parametrize("path", ["/cognito-idp", "/cognito-idp/"])
def test_what_botocore_signs_is_accepted_at_both_spellings(admin, pool, path):
    admin.wire.path = path
    assert admin.call("DescribeUserPool", UserPoolId=pool.pool_id)["UserPool"]["Id"] == pool.pool_id


def test_a_query_string_is_part_of_what_is_signed(admin, pool):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    path = "/cognito-idp/?b=2%20x&a=1&a=0"
    headers = signed_headers(admin.key.access_key_id, KEY_SECRET, "DescribeUserPool", body, path=path)
    admin.wire.path = path
    assert admin.wire.raw("DescribeUserPool", body, **headers).status_code == 200
    admin.wire.path = "/cognito-idp/?b=2%20x&a=1&a=1"
    assert error(admin.wire.raw("DescribeUserPool", body, **headers)) == "InvalidSignatureException"


def test_unsigned_calls_and_other_schemes_are_refused(wire, pool):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic AWS4"}):
        assert error(wire.raw("DescribeUserPool", body, **headers)) == "MissingAuthenticationTokenException"
    assert error(wire.raw("DescribeUserPool", body, Authorization="AWS4-HMAC-SHA256 Credential=x")) == (
        "IncompleteSignatureException"
    )


def test_what_is_changed_after_signing_is_noticed(admin, pool):
    params = {"UserPoolId": pool.pool_id}
    body = json.dumps(params).encode()
    headers = signed_headers(admin.key.access_key_id, KEY_SECRET, "DescribeUserPool", body, path=admin.wire.path)
    mismatch = "InvalidSignatureException"
    assert error(admin.wire.raw("DescribeUserPool", body + b" ", **headers)) == mismatch
    target = {"X-Amz-Target": "AWSCognitoIdentityProviderService.DeleteUserPool"}
    assert error(admin.wire.raw("DescribeUserPool", body, **{**headers, **target})) == mismatch
    assert error(admin.wire.raw("DescribeUserPool", body, **{**headers, "Host": "localhost"})) == mismatch
    signature = headers["Authorization"]
    for changed in (
        signature[:-1] + ("0" if signature[-1] != "0" else "1"),
        signature.replace("us-east-1", "eu-west-1"),
    ):
        assert error(admin.wire.raw("DescribeUserPool", body, **{**headers, "Authorization": changed})) == mismatch
    unsigned_target = signature.replace("host;x-amz-date;x-amz-target", "host;x-amz-date")
    assert error(admin.wire.raw("DescribeUserPool", body, **{**headers, "Authorization": unsigned_target})) == mismatch
    assert UserPool.objects.filter(pk=pool.pk).exists()


@pytest.mark.parametrize("said", ["the first body's", "UNSIGNED-PAYLOAD"])
def test_the_bodys_hash_is_that_of_the_body_whatever_a_signed_header_says(admin, pool, said):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    digest = hashlib.sha256(body).hexdigest() if said == "the first body's" else said
    headers = signed_headers(
        admin.key.access_key_id,
        KEY_SECRET,
        "DescribeUserPool",
        body,
        path=admin.wire.path,
        extra={"X-Amz-Content-SHA256": digest},
    )
    assert "x-amz-content-sha256" in headers["Authorization"]
    assert (admin.wire.raw("DescribeUserPool", body, **headers).status_code == 200) is (digest != said)
    assert error(admin.wire.raw("DescribeUserPool", body + b" ", **headers)) == "InvalidSignatureException"


def test_any_header_may_be_signed_and_none_may_be_missing(admin, pool):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    headers = signed_headers(
        admin.key.access_key_id, KEY_SECRET, "DescribeUserPool", body, path=admin.wire.path, extra={"X-Shop": "a  b"}
    )
    assert admin.wire.raw("DescribeUserPool", body, **headers).status_code == 200
    for changed in ({**headers, "X-Shop": "a c"}, {name: value for name, value in headers.items() if name != "X-Shop"}):
        assert error(admin.wire.raw("DescribeUserPool", body, **changed)) == "InvalidSignatureException"


def test_a_wrong_secret_an_unknown_key_and_a_retired_one_are_refused(admin, pool):
    params = {"UserPoolId": pool.pool_id}
    admin.secret = "guessed"
    assert error(admin.raw("DescribeUserPool", params)) == "InvalidSignatureException"
    admin.secret = KEY_SECRET
    AccessKey.objects.update(is_active=False)
    assert error(admin.raw("DescribeUserPool", params)) == "UnrecognizedClientException"
    AccessKey.objects.all().delete()
    assert error(admin.raw("DescribeUserPool", params)) == "UnrecognizedClientException"


def test_a_signature_of_another_scope_or_with_a_session_token_is_refused(admin, pool):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    for changes in ({"region": "eu-west-1"}, {"service": "s3"}):
        headers = signed_headers(
            admin.key.access_key_id, KEY_SECRET, "DescribeUserPool", body, path=admin.wire.path, **changes
        )
        assert error(admin.wire.raw("DescribeUserPool", body, **headers)) == "InvalidSignatureException"
    assert error(admin.raw("DescribeUserPool", {}, **{"X-Amz-Security-Token": "x"})) == "UnrecognizedClientException"


@pytest.mark.parametrize("header", ["host", "x-amz-date", "x-amz-target"])
def test_where_to_when_and_what_for_must_be_signed(admin, pool, header):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    key = admin.key.access_key_id
    headers = signed_headers(key, KEY_SECRET, "DescribeUserPool", body, path=admin.wire.path, unsigned=[header])
    response = admin.wire.raw("DescribeUserPool", body, **headers)
    assert (error(response), decoded(response)["message"]) == (
        "InvalidSignatureException",
        "Headers that must be signed are not.",
    )


def test_the_date_of_the_scope_is_that_of_the_request(admin, pool):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    headers = signed_headers(admin.key.access_key_id, KEY_SECRET, "DescribeUserPool", body, path=admin.wire.path)
    today = headers["X-Amz-Date"][:8]
    for date in ("20200101", f"{int(today) + 1}"):
        scoped = {**headers, "Authorization": headers["Authorization"].replace(f"/{today}/", f"/{date}/")}
        assert error(admin.wire.raw("DescribeUserPool", body, **scoped)) == "InvalidSignatureException"
    assert admin.wire.raw("DescribeUserPool", body, **headers).status_code == 200


@pytest.mark.parametrize(("minutes", "good"), [(-16, False), (-14, True), (14, True), (16, False)])
def test_a_signature_is_good_for_fifteen_minutes_of_clock(admin, pool, minutes, good):
    body = json.dumps({"UserPoolId": pool.pool_id}).encode()
    now = datetime(2026, 1, 6, 12, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        headers = signed_headers(admin.key.access_key_id, KEY_SECRET, "DescribeUserPool", body, path=admin.wire.path)
    with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
        response = admin.wire.raw("DescribeUserPool", body, **headers)
    assert (response.status_code == 200) is good
    if not good:
        assert "15 minutes" in decoded(response)["message"]


@pytest.mark.parametrize("date", ["", "yesterday", "20260230T000000Z", "20260101T000000"])
def test_a_date_that_is_none_is_refused(admin, pool, date):
    assert error(admin.raw("DescribeUserPool", {}, **{"X-Amz-Date": date})) == "IncompleteSignatureException"


def test_a_key_is_limited_to_operations_and_pools(wire, pool):
    other = make_pool()
    reader = Admin(
        wire, make_access_key(pool, operations=("AdminList*", "DescribeUserPool", "ListUserPools", "CreateUserPool"))
    )
    denied = "AccessDeniedException"
    assert reader.call("DescribeUserPool", UserPoolId=pool.pool_id)
    assert error(reader.raw("DescribeUserPool", {"UserPoolId": other.pool_id})) == denied
    assert error(reader.raw("DescribeUserPool", {"UserPoolId": "us-east-1_Nobody"})) == denied
    assert error(reader.raw("DeleteUserPool", {"UserPoolId": pool.pool_id})) == denied
    assert error(reader.raw("CreateUserPool", {"PoolName": "mine"})) == denied
    listed = reader.call("ListUserPools", MaxResults=60)["UserPools"]
    assert [summary["Id"] for summary in listed] == [pool.pool_id]
    with pytest.raises(Refused, match=r"UserNotFoundException|ResourceNotFoundException"):
        reader.call("AdminListDevices", UserPoolId=pool.pool_id, Username="nobody")
    nothing = Admin(wire, make_access_key(operations=()))
    assert error(nothing.raw("DescribeUserPool", {"UserPoolId": pool.pool_id})) == denied


@pytest.mark.parametrize("by", ["staff", "cascade"])
def test_a_key_whose_last_pool_is_deleted_is_good_for_none(wire, pool, by):
    other, key = make_pool(), make_access_key(pool)
    if by == "staff":
        housekeeping.delete_pool(pool, by=By())
    else:
        UserPool.objects.filter(pk=pool.pk).delete()
    admin = Admin(wire, key)
    for operation, params in (
        ("DescribeUserPool", {"UserPoolId": other.pool_id}),
        ("DescribeUserPool", {"UserPoolId": pool.pool_id}),
        ("CreateUserPool", {"PoolName": "mine"}),
        ("AdminGetUser", {"UserPoolId": other.pool_id, "Username": "maria"}),
    ):
        assert error(admin.raw(operation, params)) == "AccessDeniedException"
    assert admin.call("ListUserPools", MaxResults=60)["UserPools"] == []


def test_a_key_for_all_pools_says_so_itself(wire, pool):
    key = make_access_key(pool, all_pools=True)
    admin = Admin(wire, key)
    made = admin.call("CreateUserPool", PoolName="mine")["UserPool"]["Id"]
    assert {each["Id"] for each in admin.call("ListUserPools", MaxResults=60)["UserPools"]} == {pool.pool_id, made}
    with pytest.raises(Refused, match="ResourceNotFoundException"):
        admin.call("DescribeUserPool", UserPoolId="us-east-1_Nobody")
