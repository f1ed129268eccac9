"""Tokens: whose they must be, and where the keys come from."""

import json
import time
from datetime import timedelta
from functools import cache

import pytest
from botocore.exceptions import EndpointConnectionError
from django.utils import timezone
from joserfc.jwk import OctKey, RSAKey

from tests.cognito.stubs import KID, SUB, StubbedPool, signing_key, stubbed_settings
from trusted_devices.cognito import tokens
from trusted_devices.cognito.errors import MalformedAnswer
from trusted_devices.exceptions import BackendUnavailable


@pytest.fixture
def pool(settings):
    settings.TRUSTED_DEVICES = stubbed_settings()
    stubbed = StubbedPool()
    yield stubbed
    stubbed.close()


def verify(pool, result, **later):
    return tokens.verify(result, pool.options, now=timezone.now() + timedelta(**later))


def test_good_tokens_bring_their_claims_and_show_nothing(pool):
    found = verify(pool, pool.tokens())
    assert (found.claims["sub"], found.claims["cognito:username"]) == (SUB, "maria")
    assert found.expires_at > time.time()
    assert found.refresh
    assert "eyJ" not in repr(found)


@cache
def another_key():
    return RSAKey.generate_key(2048, {"kid": KID}, private=True)


def of_any_algorithm(pool):
    """The pool's key, which from now on is published without the algorithm that it is for."""
    key = RSAKey.import_key(
        {name: value for name, value in signing_key().as_dict(private=True).items() if name != "alg"}
    )
    tokens._kept[pool.options.issuer].keys[KID] = key
    return key


def as_secret(pool):
    """What is published, taken for a secret that both sides have."""
    modulus = of_any_algorithm(pool).as_dict(private=False)["n"]
    return OctKey.import_key({"kty": "oct", "k": modulus})


WRONG = {
    "none": lambda pool: {},
    "not text": lambda pool: None,
    "garbage": lambda pool: {"AccessToken": "a.b.c", "IdToken": "a.b.c"},
    "without signature": lambda pool: _each(pool, lambda token: token.rpartition(".")[0] + "."),
    "algorithm none": lambda pool: _each(pool, lambda token: "eyJhbGciOiJub25lIn0." + token.split(".")[1] + "."),
    "under another key": lambda pool: pool.tokens(key=another_key()),
    "of another issuer": lambda pool: pool.tokens(iss="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_X"),
    "under another algorithm": lambda pool: pool.tokens(key=of_any_algorithm(pool), algorithm="RS512"),
    "under the published key as a secret": lambda pool: pool.tokens(key=as_secret(pool), algorithm="HS256"),
    "of another client": lambda pool: pool.tokens(client_id="other"),
    "for another client": lambda pool: pool.tokens(aud="other"),
    "for another use": lambda pool: pool.tokens(token_use="access"),
    "for no access": lambda pool: pool.tokens(token_use="id"),
    "swapped": lambda pool: _swapped(pool.tokens()),
    "without end": lambda pool: pool.tokens(exp=None),
    "over": lambda pool: pool.tokens(exp=int(time.time()) - 300),
    "end in words": lambda pool: pool.tokens(exp="tomorrow"),
    "of nobody": lambda pool: pool.tokens(sub=None),
    "of two people": lambda pool: {**pool.tokens(), "IdToken": pool.tokens(sub="somebody-else")["IdToken"]},
}


def _each(pool, change):
    found = pool.tokens()
    return {**found, "AccessToken": change(found["AccessToken"]), "IdToken": change(found["IdToken"])}


def _swapped(found):
    return {**found, "AccessToken": found["IdToken"], "IdToken": found["AccessToken"]}


@pytest.mark.parametrize("wrong", WRONG)
def test_tokens_that_are_not_this_pool_s_for_this_site_are_refused(pool, wrong):
    with pytest.raises(MalformedAnswer):
        verify(pool, WRONG[wrong](pool))


def test_clocks_may_differ_a_little(pool):
    result = pool.tokens()
    assert verify(pool, result, seconds=3600 + 100)
    with pytest.raises(MalformedAnswer):
        verify(pool, result, seconds=3600 + 130)


def keys_of(kid):
    """What a pool publishes."""
    return json.dumps({"keys": [{**signing_key().as_dict(private=False), "kid": kid}]}).encode()


class Published:
    """What the pool publishes, and how often it was asked."""

    def __init__(self):
        self.status = 200
        self.body = keys_of(KID)
        self.asked = 0
        self.away = False

    def send(self, request):
        self.asked += 1
        if self.away:
            raise EndpointConnectionError(endpoint_url=request.url)
        self.url = request.url
        return self

    @property
    def status_code(self):
        return self.status

    @property
    def content(self):
        return self.body

    def close(self):
        pass


@pytest.fixture
def published(pool, monkeypatch):
    found = Published()
    monkeypatch.setattr(tokens, "URLLib3Session", lambda **options: found)
    tokens.forget_keys()
    return found


def grow_old(pool, seconds):
    tokens._kept[pool.options.issuer].fetched_at -= seconds


def test_the_keys_are_fetched_once_from_below_the_issuer(pool, published):
    for _ in range(3):
        verify(pool, pool.tokens())
    assert published.asked == 1
    assert published.url == f"{pool.options.issuer}/.well-known/jwks.json"


def test_keys_of_a_kind_that_nobody_knows_are_passed_over(pool, published):
    strange = [{"kty": "QUANTUM", "kid": KID}, {"kty": "oct", "kid": KID, "k": "c2VjcmV0"}]
    published.body = json.dumps({"keys": [*json.loads(published.body)["keys"], *strange]}).encode()
    assert verify(pool, pool.tokens()).claims["sub"] == SUB


def test_keys_are_fetched_anew_after_an_hour(pool, published):
    verify(pool, pool.tokens())
    grow_old(pool, tokens.KEEP_SECONDS + 1)
    verify(pool, pool.tokens())
    assert published.asked == 2


def test_a_key_that_is_not_known_is_looked_for_but_not_for_every_token(pool, published):
    good, published.body = published.body, keys_of("another-key")
    for _ in range(3):
        with pytest.raises(MalformedAnswer):
            verify(pool, pool.tokens())
    assert published.asked == 1
    published.body = good
    grow_old(pool, tokens.RETRY_SECONDS + 1)
    assert verify(pool, pool.tokens())


def test_keys_that_were_good_an_hour_ago_are_good_while_the_pool_is_away(pool, published):
    verify(pool, pool.tokens())
    grow_old(pool, tokens.KEEP_SECONDS + 1)
    published.away = True
    for _ in range(3):
        assert verify(pool, pool.tokens())
    assert published.asked == 2  # and not once for everybody who signs in
    grow_old(pool, tokens.RETRY_SECONDS + 1)
    assert verify(pool, pool.tokens())
    assert published.asked == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": [{"kty": "RSA"}]}', b'{"keys": 3}', b"{}"])
@pytest.mark.parametrize("status", [200, 500])
def test_without_keys_nobody_is_let_in(pool, published, body, status):
    published.body, published.status = body, status
    with pytest.raises(BackendUnavailable):
        verify(pool, pool.tokens())


def test_a_pool_that_is_away_from_the_start_is_unavailable(pool, published):
    published.away = True
    with pytest.raises(BackendUnavailable):
        verify(pool, pool.tokens())
