"""The device secret: digested, compared, succeeded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trusted_devices.crypto import device_secret
from trusted_devices.crypto.device_secret import digest, match, new_nonce, new_secret, successor
from trusted_devices.types import SecretMatch

SECRETS = st.text(alphabet="abcdefABCDEF0123456789-_", min_size=1, max_size=43)
NONCES = st.binary(min_size=16, max_size=16)


def how(secret, *, generation=0, current="current", following="next", current_generation=3):
    return match(
        secret,
        generation=generation,
        current_digest=digest(current) if current else "",
        next_digest=digest(following) if following else "",
        current_generation=current_generation,
    )


def test_a_secret_has_256_bits_and_is_never_the_same():
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert {len(secret) for secret in secrets} == {43}


def test_a_nonce_has_128_bits_and_is_never_the_same():
    nonces = {new_nonce() for _ in range(50)}
    assert len(nonces) == 50
    assert {len(nonce) for nonce in nonces} == {16}


def test_a_digest_does_not_show_its_secret():
    secret = new_secret()
    assert len(digest(secret)) == 64
    assert secret not in digest(secret)


@given(SECRETS, NONCES)
def test_one_nonce_gives_one_successor_of_full_length(secret, nonce):
    assert successor(secret, nonce=nonce) == successor(secret, nonce=nonce)
    assert len(successor(secret, nonce=nonce)) == 43


@given(SECRETS, SECRETS, NONCES, NONCES)
def test_another_secret_or_another_nonce_gives_another_successor(secret, other, nonce, another):
    assert (successor(secret, nonce=nonce) == successor(other, nonce=nonce)) is (secret == other)
    assert (successor(secret, nonce=nonce) == successor(secret, nonce=another)) is (nonce == another)


@pytest.mark.parametrize("generation", [0, 3, 4, 5, 100])
def test_the_current_secret_is_current_whatever_its_generation(generation):
    assert how("current", generation=generation) is SecretMatch.CURRENT


@pytest.mark.parametrize("generation", [0, 3, 4, 5, 100])
def test_the_next_secret_is_the_successor_whatever_its_generation(generation):
    assert how("next", generation=generation) is SecretMatch.SUCCESSOR


@pytest.mark.parametrize("generation", [0, 2, 3, 4])
def test_another_secret_of_a_generation_that_was_handed_out_is_superseded(generation):
    assert how("other", generation=generation) is SecretMatch.SUPERSEDED


@pytest.mark.parametrize("generation", [5, 6, 100])
def test_another_secret_of_a_later_generation_is_merely_wrong(generation):
    assert how("other", generation=generation) is SecretMatch.WRONG


def test_a_successor_unknown_to_a_restored_database_is_merely_wrong():
    assert how("other", generation=1, following="", current_generation=0) is SecretMatch.WRONG
    assert how("other", generation=0, following="", current_generation=0) is SecretMatch.SUPERSEDED


@given(st.text(max_size=60))
def test_a_device_without_a_secret_matches_nothing(secret):
    matched = match(secret, generation=0, current_digest="", next_digest="", current_generation=0)
    assert matched is SecretMatch.SUPERSEDED


def test_an_empty_secret_does_not_match_an_empty_digest():
    assert how("", current="", following="") not in (SecretMatch.CURRENT, SecretMatch.SUCCESSOR)


def test_digests_are_compared_in_constant_time(monkeypatch):
    compared = []
    compare = device_secret.hmac.compare_digest
    monkeypatch.setattr(device_secret.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or compare(a, b))
    how("other")
    assert compared == [(digest("other"), digest("current")), (digest("other"), digest("next"))]
