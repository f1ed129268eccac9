"""What a device may be called, and what is shown of a name that a client gives."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trusted_devices.exceptions import InvalidDeviceName
from trusted_devices.words import names

LONGEST = 64
DEVELOPER = "\U0001f469\u200d\U0001f4bb"
RAINBOW = "\U0001f3f3\ufe0f\u200d\U0001f308"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
NEWER_EMOJI = "\U0001faea\U0001fadc"
HEBREW = "\u05de\u05d7\u05e9\u05d1 C++\u200e"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
KATSURAGI = "\u845b\U000e0100\u57ce"
"""A place, and a family, that is written with a variant of its first character."""

PIECES = st.text(max_size=8) | st.sampled_from(
    [
        DEVELOPER,
        RAINBOW,
        SCOTLAND,
        SCOTLAND[:-1],
        HEBREW,
        PERSIAN,
        "\u200b",
        "\ufeff",
        "\u2800",
        "\u202e",
        "\u0301",
        "e\xad",
    ]
)
NAMES = st.lists(PIECES, max_size=20).map("".join)


def clean(name):
    return names.clean(name, longest=LONGEST)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Work laptop", "Work laptop"),
        ("  Work \t\r\n laptop ", "Work laptop"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("Cafe\u00ad\u0301", "Caf\u00e9"),
        ("x" * 64, "x" * 64),
        ("x\u200b" * 64, "x" * 64),
        ("<b>bold</b>", "<b>bold</b>"),
        ("\ufeffPi\u00adxel\u200b 9\u2060", "Pixel 9"),
        ("Pixel\u2800\u2800 9", "Pixel 9"),
        ("a\U000e0068\U000e0069b", "ab"),
        ("a\ud800\ufdd0\ufffe\U0010ffffb", "ab"),
        ("Maria\u2019s \uf8ff", "Maria\u2019s \uf8ff"),
    ],
)
def test_a_name_is_stored_as_people_read_it(typed, stored):
    assert clean(typed) == stored
    assert names.shown(typed, longest=LONGEST) == stored


@pytest.mark.parametrize("name", [DEVELOPER, RAINBOW, SCOTLAND, NEWER_EMOJI, HEBREW, PERSIAN, KATSURAGI])
def test_scripts_and_emoji_keep_what_shapes_them(name):
    assert clean(f" {name}") == name
    assert names.shown(name, longest=LONGEST) == name


@pytest.mark.parametrize(
    "name", ["", "   ", "\u200d\u200c", "\ufeff \u200b", "\u00ad", "\u2800", "\u3164", "\ufe0f", "\u200f"]
)
def test_a_name_of_which_nothing_can_be_seen_is_refused(name):
    with pytest.raises(InvalidDeviceName) as refused:
        clean(name)
    assert names.why_refused(refused.value, longest=LONGEST).startswith("Nothing of this name can be seen.")
    assert names.shown(name, longest=LONGEST) == ""


@pytest.mark.parametrize("name", ["x" * 65, "x" * 5000, " " * 5000])
def test_a_name_that_is_too_long_is_refused(name):
    with pytest.raises(InvalidDeviceName) as refused:
        clean(name)
    assert "at most 64 characters" in names.why_refused(refused.value, longest=LONGEST)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x9b", "\u202a", "\u202e", "\u2066", "\u2069"])
def test_what_reaches_beyond_a_name_is_refused_and_not_shown(character):
    with pytest.raises(InvalidDeviceName) as refused:
        clean(f"a{character}b")
    assert "cannot be shown" in names.why_refused(refused.value, longest=LONGEST)
    assert names.shown(f"a{character}b", longest=LONGEST) == "a b"


@given(NAMES)
def test_a_name_that_is_taken_is_clean_for_good(name):
    try:
        cleaned = clean(name)
    except InvalidDeviceName:
        return
    assert clean(cleaned) == names.shown(name, longest=LONGEST) == cleaned
    assert 0 < len(cleaned) <= LONGEST
    assert not {unicodedata.category(character) for character in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
    assert cleaned.encode()


@given(NAMES, st.integers(1, LONGEST))
def test_what_is_shown_of_a_name_could_have_been_typed(name, longest):
    shown = names.shown(name, longest=longest)
    assert len(shown) <= longest
    assert not shown or names.clean(shown, longest=longest) == shown
