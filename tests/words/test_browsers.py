"""Browser and system in words."""

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CHROME
from trusted_devices.words import browsers

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (CHROME, "Chrome on Windows"),
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Mobile Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("", "Web browser"),
        ("nothing known", "Web browser"),
    ],
)
def test_a_browser_is_described_in_words(user_agent, words):
    with translation.override("en"):
        assert browsers.describe(user_agent) == words


def test_without_the_parser_every_browser_is_a_web_browser(monkeypatch):
    monkeypatch.setattr(browsers, "parse", None)
    browsers.families.cache_clear()
    try:
        with translation.override("en"):
            assert browsers.describe(CHROME) == "Web browser"
    finally:
        browsers.families.cache_clear()


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  Firefox \r\n", "Firefox"),
        ("a\r\nb\x00c\x1b[31m", "a b c [31m"),
        ("a\u2028b\x85c", "a b c"),
        ("a\ud800b", "a b"),
        ("x" * 600, "x" * 512),
    ],
)
def test_what_is_stored_and_logged_has_no_control_characters_and_an_end(raw, kept):
    assert browsers.clean(raw) == kept


@given(st.text(max_size=600))
def test_whatever_a_client_calls_itself_it_can_be_stored_and_described(user_agent):
    cleaned = browsers.clean(user_agent)
    assert len(cleaned) <= browsers.MAX_LENGTH
    cleaned.encode()
    assert "\x00" not in cleaned
    assert browsers.describe(cleaned)


BRAVE = '"Chromium";v="140", "Not=A?Brand";v="24", "Brave";v="140"'
EDGE = '"(Not(A:Brand";v="8", "Chromium";v="140", "Microsoft Edge";v="140"'


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        ({}, "Chrome on Windows"),
        ({"Sec-CH-UA": BRAVE, "Sec-CH-UA-Platform": '"Windows"'}, "Brave on Windows"),
        ({"Sec-CH-UA": EDGE, "Sec-CH-UA-Platform": '"Windows"'}, "Edge on Windows"),
        ({"Sec-CH-UA": EDGE}, "Edge on Windows"),
        ({"Sec-CH-UA": '"Google Chrome";v="140", "Chromium";v="140"'}, "Chrome on Windows"),
        ({"Sec-CH-UA": '"Chromium";v="140", " Not A;Brand";v="99"'}, "Chrome on Windows"),
        ({"Sec-CH-UA-Platform": '"Chrome OS"'}, "Chrome on Chrome OS"),
        ({"Sec-CH-UA-Platform": '"Windows"', "Sec-CH-UA-Platform-Version": '"15.0.0"'}, "Chrome on Windows 11"),
        ({"Sec-CH-UA-Platform": '"Windows"', "Sec-CH-UA-Platform-Version": '"10.0.0"'}, "Chrome on Windows"),
        ({"Sec-CH-UA-Platform": '"Windows"', "Sec-CH-UA-Platform-Version": '"²"'}, "Chrome on Windows"),
        ({"Sec-CH-UA-Platform": '"Unknown"'}, "Chrome on Windows"),
        ({"Sec-CH-UA": "garbage", "Sec-CH-UA-Platform": '"();\r\n"'}, "Chrome on Windows"),
    ],
)
def test_client_hints_say_it_better_where_the_browser_sends_them(hints, words):
    kept = browsers.stated({"User-Agent": CHROME} | hints)
    assert kept.startswith(CHROME)
    with translation.override("en"):
        assert browsers.describe(kept) == words


def test_client_hints_need_no_parser(monkeypatch):
    monkeypatch.setattr(browsers, "parse", None)
    browsers.families.cache_clear()
    kept = browsers.stated({"User-Agent": CHROME, "Sec-CH-UA": BRAVE, "Sec-CH-UA-Platform": '"macOS"'})
    with translation.override("en"):
        assert browsers.describe(kept) == "Brave on macOS"
    browsers.families.cache_clear()


@given(st.text(max_size=600), st.text(max_size=600), st.text(max_size=600), st.text(max_size=600))
def test_whatever_hints_a_client_sends_they_can_be_stored_and_described(user_agent, brands, system, version):
    headers = {"User-Agent": user_agent, "Sec-CH-UA": f'"{brands}";v="1"', "Sec-CH-UA-Platform": system}
    kept = browsers.stated(headers | {"Sec-CH-UA-Platform-Version": version})
    assert kept == browsers.clean(kept)
    assert browsers.describe(kept)
