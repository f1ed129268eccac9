import locale
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trusted_devices.crypto.encoding import (
    decode_base64,
    encode_base64,
    encode_text,
    format_timestamp,
    pad,
    parse_hex,
    parse_signed,
    parse_timestamp,
    to_hex,
)
from trusted_devices.crypto.errors import Base64Error, HexError, LengthError, TextError, TimestampError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "00"),
        (1, "01"),
        (0x7F, "7f"),
        (0x80, "0080"),
        (0xFF, "00ff"),
        (0x100, "0100"),
        (0x7FFF, "7fff"),
        (0x8000, "008000"),
    ],
)
def test_pad_is_minimal_with_a_zero_byte_only_before_a_high_bit(value, expected):
    assert pad(value).hex() == expected


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**3100))
def test_pad_is_the_shortest_form_that_reads_back_as_the_same_integer(value):
    padded = pad(value)
    assert parse_signed(padded) == value
    assert len(padded) == 1 or parse_signed(padded[1:]) != value


def test_pad_has_no_form_for_a_negative_integer():
    with pytest.raises(OverflowError):
        pad(-1)


def test_signed_bytes_with_the_top_bit_set_are_negative():
    assert parse_signed(b"\x80") == -128
    assert parse_signed(b"") == 0


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**3100))
def test_hex_is_written_without_leading_zeros_and_reads_back(value):
    text = to_hex(value)
    assert text == "0" or not text.startswith("0")
    assert parse_hex(text, name="SALT", max_digits=776) == value
    assert parse_hex(text.upper(), name="SALT", max_digits=776) == value


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "0x10", "1_0", " 1", "1 ", "1\n", "g", "１２", "٣", "a\x00"],  # noqa: RUF001
    ids=ascii,
)
def test_a_hex_integer_is_digits_and_nothing_else(text):
    with pytest.raises(HexError, match="SRP_A is not a non-negative hexadecimal integer") as caught:
        parse_hex(text, name="SRP_A", max_digits=768)
    assert caught.value.code == "not_hex"


@pytest.mark.parametrize("digit", ["0", "f", "x"])
def test_a_hex_integer_is_measured_before_it_is_read(digit):
    with pytest.raises(LengthError, match="SRP_A is longer than 768"):
        parse_hex(digit * 769, name="SRP_A", max_digits=768)
    with pytest.raises(LengthError):
        parse_hex(digit * 1_000_000, name="SRP_A", max_digits=768)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_base64_round_trip(data):
    assert decode_base64(encode_base64(data), name="Salt", max_bytes=100) == data


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AAA", "AA=", "AA==\n", " AA==", "AA==AA==", "A===", "====", "-_-_", "AA=A", "é===", "AA==="],
)
def test_only_standard_padded_base64_is_read(text):
    with pytest.raises(Base64Error, match="Salt is not"):
        decode_base64(text, name="Salt", max_bytes=64)


@pytest.mark.parametrize("text", ["AB==", "AAB="])
def test_a_second_spelling_of_the_same_bytes_is_refused(text):
    with pytest.raises(Base64Error, match="canonical"):
        decode_base64(text, name="Salt", max_bytes=64)


@pytest.mark.parametrize("size", [5, 6, 7, 1_000_000])
def test_base64_of_too_many_bytes_is_refused(size):
    assert decode_base64(encode_base64(bytes(4)), name="Salt", max_bytes=4) == bytes(4)
    with pytest.raises(LengthError, match="Salt is longer than 4 bytes"):
        decode_base64(encode_base64(bytes(size)), name="Salt", max_bytes=4)


def test_base64_is_measured_before_it_is_decoded():
    with pytest.raises(LengthError):
        decode_base64("?" * 1_000_000, name="Salt", max_bytes=4)


def test_text_without_a_utf8_form_is_refused_without_keeping_it():
    assert encode_text("pässwörd", name="The password") == "pässwörd".encode()
    with pytest.raises(TextError, match="The password cannot be written in UTF-8") as caught:
        encode_text("half a pair: \ud83d", name="The password")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 6, 3, 4, 5, tzinfo=UTC), "Tue Jan 6 03:04:05 UTC 2026"),
        (datetime(2028, 2, 29, tzinfo=UTC), "Tue Feb 29 00:00:00 UTC 2028"),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "Thu Dec 31 23:59:59 UTC 2026"),
        (
            datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))),
            "Tue Jun 30 23:30:00 UTC 2026",
        ),
        (datetime(33, 4, 3, 15, tzinfo=UTC), "Sun Apr 3 15:00:00 UTC 0033"),
    ],
)
def test_a_timestamp_has_an_unpadded_day_and_padded_clock_fields(moment, text):
    assert format_timestamp(moment) == text
    assert parse_timestamp(text) == moment.replace(microsecond=0)


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_every_moment_survives_its_timestamp_to_the_second(moment):
    parsed = parse_timestamp(format_timestamp(moment))
    assert parsed == moment.replace(microsecond=0)
    assert parsed.utcoffset() == timedelta(0)


def test_a_timestamp_is_english_in_every_locale():
    moment = datetime(2026, 5, 5, tzinfo=UTC)
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "ja_JP.UTF-8", "C.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert format_timestamp(moment) == "Tue May 5 00:00:00 UTC 2026"
            assert parse_timestamp("Tue May 5 00:00:00 UTC 2026") == moment
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_a_naive_moment_has_no_timestamp():
    with pytest.raises(ValueError, match="naive"):
        format_timestamp(datetime(2026, 1, 6))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Tue Jan 06 03:04:05 UTC 2026",  # padded day
        "Tue Jan  6 03:04:05 UTC 2026",  # blank-padded day
        "Wed Jan 6 03:04:05 UTC 2026",  # wrong weekday
        "tue Jan 6 03:04:05 UTC 2026",
        "TUE JAN 6 03:04:05 UTC 2026",
        "Die Jan 6 03:04:05 UTC 2026",
        "Tue Jan 6 3:04:05 UTC 2026",
        "Tue Jan 6 03:04:05 GMT 2026",
        "Tue Jan 6 03:04:05 UTC 26",
        "Tue Jan 6 03:04:05 UTC 02026",
        "Tue Jan 6 03:04:05 UTC 2026 ",
        "Tue Jan 6 03:04:05 UTC 2026\n",
        " Tue Jan 6 03:04:05 UTC 2026",
        "Tue Jan 6 03:04:05.000 UTC 2026",
        "Tue Jan ６ 03:04:05 UTC 2026",  # noqa: RUF001
        "Tue Jan 6 24:00:00 UTC 2026",
        "Tue Jan 6 03:60:05 UTC 2026",
        "Tue Jan 6 03:04:60 UTC 2026",  # leap second
        "Tue Jan 0 03:04:05 UTC 2026",
        "Mon Feb 30 03:04:05 UTC 2026",
        "Sun Feb 29 03:04:05 UTC 2026",
        "Sat Jan 1 00:00:00 UTC 0000",
        "2026-01-06T03:04:05Z",
    ],
)
def test_a_timestamp_is_read_strictly(text):
    with pytest.raises(TimestampError, match="TIMESTAMP") as caught:
        parse_timestamp(text)
    assert caught.value.code == "bad_timestamp"
