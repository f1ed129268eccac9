"""Authenticated encryption: what was sealed opens, and nothing else does."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trusted_devices.crypto.sealing import OVERHEAD, VERSION, Opened, Record, Sealer, Unsealable

KEY = b"the first key"
SEALER = Sealer(keys=[KEY], context="tests v1")
BASE64URL = string.ascii_letters + string.digits + "-_"


# Computed with HMAC-SHA256, step by step as in RFC 5869, and AES-GCM, not by this package.
KNOWN = [
    ("the first key", "tests v1", "text", "AQABAgMEBQYHCAkKCwwNDg98vk2FjIs-tO1sYuGKgNkeUt05dQ"),
    ("k", "", "", "Af____________________8D59R3-1f7kvxy3F67nOOO"),
    (
        "another-key-" + "y" * 40,
        "cognito_idp session v1",
        '{"a":1,"b":"k\\u00e4se"}',
        "AaChoqOkpaanqKmqq6ytrq-8tMHzOPDQ-IsxBRIxZCX6q5KznFaK0aPLyZK-IN4Pc-uMankj38o",
    ),
]


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(("key", "context", "plaintext", "sealed"), KNOWN)
def test_the_format_is_the_one_that_stored_and_issued_texts_have(key, context, plaintext, sealed):
    opened = Sealer(keys=[key.encode()], context=context).open(sealed)
    assert opened == Opened(plaintext.encode(), outdated=False)


def test_a_record_is_json_sealed_for_its_purpose():
    key, purpose, _plaintext, sealed = KNOWN[-1]
    assert Record(purpose, keys=lambda: [key.encode()]).open(sealed) == {"a": 1, "b": "käse"}


@given(st.binary(max_size=300))
def test_what_is_sealed_opens_again(plaintext):
    assert SEALER.open(SEALER.seal(plaintext)) == Opened(plaintext, outdated=False)


@given(st.binary(max_size=100))
def test_a_sealed_text_is_fit_for_a_cookie_and_a_url_and_as_long_as_it_says(plaintext):
    sealed = SEALER.seal(plaintext)
    assert set(sealed) <= set(BASE64URL)
    assert len(decode(sealed)) == len(plaintext) + OVERHEAD


def test_sealing_the_same_twice_gives_two_texts():
    assert SEALER.seal(b"same") != SEALER.seal(b"same")


@given(st.binary(max_size=60), st.data())
def test_any_flipped_bit_is_refused(plaintext, data):
    sealed = bytearray(decode(SEALER.seal(plaintext)))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unsealable):
        SEALER.open(encode(bytes(sealed)))


@given(st.binary(max_size=60), st.floats(0, 1, exclude_max=True), st.integers(1, len(BASE64URL) - 1))
def test_any_other_character_is_refused_so_that_one_text_has_one_spelling(plaintext, where, shift):
    sealed = SEALER.seal(plaintext)
    position = int(where * len(sealed))
    other = BASE64URL[(BASE64URL.index(sealed[position]) + shift) % len(BASE64URL)]
    with pytest.raises(Unsealable):
        SEALER.open(sealed[:position] + other + sealed[position + 1 :])


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_the_spare_bits_of_the_last_character_must_be_zero(length):
    sealed = SEALER.seal(b"x" * length)
    for other in BASE64URL.replace(sealed[-1], ""):
        with pytest.raises(Unsealable):
            SEALER.open(sealed[:-1] + other)


@given(st.binary(max_size=60), st.data())
def test_a_truncated_text_is_refused(plaintext, data):
    sealed = SEALER.seal(plaintext)
    with pytest.raises(Unsealable):
        SEALER.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@given(st.text(max_size=200))
def test_any_text_at_all_is_refused_without_another_error(text):
    with pytest.raises(Unsealable):
        SEALER.open(text)


@given(st.binary(max_size=200))
def test_any_bytes_that_were_not_sealed_are_refused(data):
    with pytest.raises(Unsealable):
        SEALER.open(encode(bytes([VERSION]) + data))


@pytest.mark.parametrize("extra", ["=", "==", "\n", " ", "A", "é", "\x00"])
def test_padding_and_appendages_are_refused(extra):
    with pytest.raises(Unsealable):
        SEALER.open(SEALER.seal(b"text") + extra)


def test_another_version_is_refused():
    sealed = decode(SEALER.seal(b"text"))
    with pytest.raises(Unsealable):
        SEALER.open(encode(bytes([VERSION + 1]) + sealed[1:]))


def test_another_context_is_refused_under_the_same_key():
    with pytest.raises(Unsealable):
        Sealer(keys=[KEY], context="tests v2").open(SEALER.seal(b"text"))


def test_another_key_is_refused():
    with pytest.raises(Unsealable):
        Sealer(keys=[b"the second key"], context="tests v1").open(SEALER.seal(b"text"))


def test_a_text_under_an_earlier_key_opens_and_is_called_outdated():
    rotated = Sealer(keys=[b"the second key", KEY], context="tests v1")
    assert rotated.open(SEALER.seal(b"text")) == Opened(b"text", outdated=True)


def test_the_first_key_is_the_one_that_seals():
    rotated = Sealer(keys=[b"the second key", KEY], context="tests v1")
    with pytest.raises(Unsealable):
        SEALER.open(rotated.seal(b"text"))


@pytest.mark.parametrize("keys", [[], [b""], [KEY, b""]])
def test_a_sealer_without_a_key_or_with_an_empty_one_is_refused(keys):
    with pytest.raises(ValueError, match="at least one key"):
        Sealer(keys=keys, context="tests")


def test_neither_key_nor_plaintext_is_in_a_repr():
    assert "first key" not in repr(SEALER)
    assert "plain" not in repr(SEALER.open(SEALER.seal(b"plain"))).replace("plaintext", "")


def record(purpose="tests v1", keys=(KEY,), longest=None):
    return Record(purpose, keys=lambda: keys, longest=longest)


def test_a_record_is_opened_as_it_was_sealed():
    values = {"text": "käse", "number": 2**70, "none": None, "list": [1, {"a": True}]}
    assert record().open(record().seal(values)) == values


def test_a_record_of_another_purpose_is_not_opened():
    with pytest.raises(Unsealable):
        record("tests v2").open(record().seal({"a": 1}))


def test_a_record_asks_for_its_keys_at_each_use():
    keys = [KEY]
    rotating = record(keys=keys)
    sealed = rotating.seal({"a": 1})
    keys.insert(0, b"the second key")
    assert rotating.open(sealed) == {"a": 1}
    fresh = rotating.seal({"a": 2})
    assert record(keys=[b"the second key"]).open(fresh) == {"a": 2}
    keys.pop()
    with pytest.raises(Unsealable):
        rotating.open(sealed)


def test_a_text_longer_than_a_record_may_be_is_not_opened():
    sealed = record().seal({"a": 1})
    assert record(longest=len(sealed)).open(sealed) == {"a": 1}
    with pytest.raises(Unsealable, match="longer"):
        record(longest=len(sealed) - 1).open(sealed)


def test_a_record_shows_its_purpose_and_no_key():
    assert repr(record()) == "<Record tests v1>"
