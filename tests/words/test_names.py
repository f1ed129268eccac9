"""What a device may be called, and what is shown of a name that a client gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trusted_devices.exceptions import InvalidDeviceName
from trusted_devices.words import names

LONGEST = 64


def clean(name):
    return names.clean(name, longest=LONGEST)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Work laptop", "Work laptop"),
        ("  Work \t\r\n laptop ", "Work laptop"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("Marías Gerät", "Marías Gerät"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        (
            "\U0001f469\u200d\U0001f4bb \U0001f3f3\ufe0f\u200d\U0001f308",
            "\U0001f469\u200d\U0001f4bb \U0001f3f3\ufe0f\u200d\U0001f308",
        ),
        ("x" * 64, "x" * 64),
        ("<b>bold</b>", "<b>bold</b>"),
    ],
)
def test_a_name_is_stored_as_people_read_it(typed, stored):
    assert clean(typed) == stored


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200d\u200c",
        "x" * 65,
        "x" * 5000,
        " " * 5000,
        "a\x00b",
        "a\x1bb",
        "a\u202eb",
        "a\u2066b",
        "\ud800",
        "a\ue000b",
        "a\u0378b",
        "\ufeffb",
    ],
)
def test_a_name_that_is_empty_too_long_or_cannot_be_shown_is_refused(name):
    with pytest.raises(InvalidDeviceName):
        clean(name)


@given(st.text(max_size=80))
def test_a_name_that_is_taken_is_clean_for_good(name):
    try:
        cleaned = clean(name)
    except InvalidDeviceName:
        return
    assert clean(cleaned) == cleaned
    assert 0 < len(cleaned) <= 64
    assert cleaned.translate(dict.fromkeys((0x200C, 0x200D))).isprintable()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Pixel 9", "Pixel 9"),
        ("  Pixel\r\n\t9  ", "Pixel 9"),
        ("\u202eenohP\u0007", "enohP"),
        ("a\ud800\ue000\u0378b", "a b"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("x" * 5000, "x" * 64),
        ("\u0007", ""),
        ("", ""),
    ],
)
def test_of_a_name_from_elsewhere_is_shown_what_can_be(given, shown):
    assert names.shown(given, longest=LONGEST) == shown


@given(st.text(max_size=80))
def test_what_is_shown_of_a_name_could_have_been_typed(name):
    shown = names.shown(name, longest=LONGEST)
    if shown.strip("\u200c\u200d"):
        assert names.clean(shown, longest=4 * LONGEST)
    assert len(shown) <= LONGEST
