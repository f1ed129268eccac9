"""How codes may be typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trusted_devices.mfa.codes import LONGEST_CODE, normalise


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        (" 123 456\n", "123456"),
        ("123-456", "123456"),
        ("123\u2011456", "123456"),
        ("123\u2013456", "123456"),
        ("123\u00a0456", "123456"),
        ("１２３４５６", "123456"),  # noqa: RUF001 - as some keyboards type it
        ("abcd-EFGH", "abcdEFGH"),
    ],
)
def test_a_code_may_be_typed_as_people_type_it(typed, code):
    assert normalise(typed) == code


@pytest.mark.parametrize(
    "typed", ["", " ", "---", "12_34", "+1234", "12.34", "\x00", "123\x00456", "½", "٣٤٥", "\ud800", "é", "1" * 65]
)
def test_what_cannot_be_a_code_is_none(typed):
    assert normalise(typed) == ""


@given(st.text(max_size=400))
def test_whatever_is_typed_one_spelling_or_nothing_comes_of_it(typed):
    code = normalise(typed)
    assert code == "" or (code.isascii() and code.isalnum() and len(code) <= LONGEST_CODE)
    assert normalise(code) == code
