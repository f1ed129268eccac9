"""Tokens and the keys that sign them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.cognito_idp.factories import make_client
from tests.cognito_idp.wire import Refused
from trusted_devices.cognito_idp import signing
from trusted_devices.cognito_idp.models import SigningKey, TokenUse, UserPool, UserPoolClient


def read(app, name):
    """A token, verified with the published keys alone."""
    keys = KeySet.import_key_set({"keys": signing.published_keys(app.pool, now=datetime.now(UTC))})
    return jwt.decode(app.tokens[name], keys, algorithms=["RS256"])


def test_the_claims_of_both_tokens(app, user):
    user.groups.add(Group.objects.create(name="editors"))
    user.first_name = "Maria"
    user.save()
    app.sign_in()
    access, identity = read(app, "AccessToken"), read(app, "IdToken")
    assert access.header["kid"] != identity.header["kid"]
    assert set(access.claims) == {
        *("sub", "iss", "exp", "iat", "auth_time", "token_use", "client_id", "username", "scope", "device_key"),
        *("origin_jti", "jti", "event_id", "cognito:groups"),
    }
    assert set(identity.claims) == {
        *("sub", "iss", "exp", "iat", "auth_time", "token_use", "aud", "cognito:username", "origin_jti", "jti"),
        *("event_id", "cognito:groups", "email", "email_verified", "given_name"),
    }
    assert access.claims["iss"] == f"http://testserver/cognito-idp/{app.pool.pool_id}"
    assert access.claims["device_key"] == app.tokens["NewDeviceMetadata"]["DeviceKey"]
    assert access.claims["scope"] == "aws.cognito.signin.user.admin"
    assert identity.claims["aud"] == app.client.client_id
    assert identity.claims["email_verified"] is False
    assert all(isinstance(access.claims[name], int) for name in ("exp", "iat", "auth_time"))
    assert access.claims["jti"] != identity.claims["jti"]
    assert access.claims["exp"] - access.claims["iat"] == app.tokens["ExpiresIn"] == 3600


def test_the_issuer_is_configured_and_never_taken_from_the_request(app):
    app.wire.headers = {"Host": "localhost"}
    app.sign_in()
    assert read(app, "AccessToken").claims["iss"].startswith("http://testserver/")


def test_refreshing_keeps_the_time_and_origin_of_the_sign_in(app):
    UserPool.objects.update(tracking="off")
    app.pool.refresh_from_db()
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        app.sign_in()
        first = read(app, "AccessToken").claims
        clock.shift(timedelta(minutes=30))
        app.tokens |= app.initiate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=app.tokens["RefreshToken"])[
            "AuthenticationResult"
        ]
        second = read(app, "AccessToken").claims
    for name in ("sub", "auth_time", "origin_jti", "event_id"):
        assert first[name] == second[name]
    assert second["iat"] - first["iat"] == 1800
    assert second["jti"] != first["jti"]
    assert "device_key" not in second


def test_a_clients_lifetimes_hold(app):
    client = make_client(app.pool, access_token_validity=timedelta(minutes=5), id_token_validity=timedelta(hours=2))
    app.client = client
    app.sign_in()
    access, identity = read(app, "AccessToken").claims, read(app, "IdToken").claims
    assert (access["exp"] - access["iat"], identity["exp"] - identity["iat"]) == (300, 7200)


def test_tokens_have_only_the_letters_that_clients_send_back(app):
    app.sign_in()
    letters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.")
    assert all(set(app.tokens[name]) <= letters for name in ("AccessToken", "IdToken", "RefreshToken"))


def test_keys_rotate_with_overlap(app):
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False) as clock:
        app.sign_in()
        old = read(app, "AccessToken").header["kid"]
        signing.rotate(app.pool, now=start)
        published = {key["kid"] for key in signing.published_keys(app.pool, now=start)}
        assert len(published) == 4
        app.sign_in()
        assert read(app, "AccessToken").header["kid"] == old, "a new key is published before it signs"
        clock.shift(signing.LEAD)
        app.sign_in()
        assert read(app, "AccessToken").header["kid"] in published - {old}
        clock.shift(signing.LONGEST_TOKEN)
        assert old not in {key["kid"] for key in signing.published_keys(app.pool, now=datetime.now(UTC))}


def test_replacing_leaked_keys_ends_what_they_signed(app):
    app.sign_in()
    call_command("rotate_signing_keys", app.pool.pool_id, "--compromised", verbosity=0)
    with pytest.raises(Refused, match="Could not verify signature for Access Token"):
        app.wire.call("GetUser", AccessToken=app.access_token)
    app.sign_in()
    assert app.wire.call("GetUser", AccessToken=app.access_token)["Username"] == "maria"
    with pytest.raises(CommandError, match="us-east-1_Nobody"):
        call_command("rotate_signing_keys", "us-east-1_Nobody")


def test_a_pool_without_keys_is_given_some(app, capsys):
    SigningKey.objects.all().delete()
    app.sign_in()
    assert sorted(SigningKey.objects.values_list("token_use", flat=True)) == sorted(TokenUse.values)
    call_command("rotate_signing_keys")
    assert capsys.readouterr().out == "Pools with new keys: 1\n"
    assert SigningKey.objects.count() == 4


def test_private_keys_rest_sealed(app):
    key = SigningKey.objects.first()
    assert key is not None
    assert "PRIVATE" not in key.sealed_private_key
    assert "d" not in key.public_jwk


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"scope": "openid"}, "Access Token does not have required scopes"),
        ({"scope": ""}, "Access Token does not have required scopes"),
        ({"iss": "https://example.com/us-east-1_Other"}, "Invalid Access Token"),
        ({"token_use": "id"}, "Invalid Access Token"),
        ({"exp": 0}, "Access Token has expired"),
        ({"origin_jti": "00000000-0000-0000-0000-000000000000"}, "Access Token has been revoked"),
    ],
)
def test_a_token_with_a_good_signature_is_still_read(app, changes, message):
    app.sign_in()
    claims = {**read(app, "AccessToken").claims, **changes}
    token = signing.sign(app.pool, TokenUse.ACCESS, claims, now=datetime.now(UTC))
    if message is None:
        assert app.wire.call("GetUser", AccessToken=token)["Username"] == "maria"
        return
    with pytest.raises(Refused) as refused:
        app.wire.call("GetUser", AccessToken=token)
    assert (refused.value.name, refused.value.message) == ("NotAuthorizedException", message)


def test_refreshing_is_for_clients_that_may(app):
    app.sign_in()
    app.confirm()
    UserPoolClient.objects.update(auth_flows=["ALLOW_USER_PASSWORD_AUTH"])
    params = {
        "ClientId": app.client.client_id,
        "RefreshToken": app.tokens["RefreshToken"],
        "DeviceKey": app.device_key,
    }
    with pytest.raises(Refused, match=r"InvalidParameterException: REFRESH_TOKEN_AUTH is not enabled for the client\."):
        app.wire.call("GetTokensFromRefreshToken", **params)
    UserPoolClient.objects.update(rotate_refresh_tokens=True)
    assert app.wire.call("GetTokensFromRefreshToken", **params)["AuthenticationResult"]["RefreshToken"]
