"""What is shown of an authenticator that is being set up."""

import sys

from trusted_devices.web.views import authenticator

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_an_address_names_the_site_and_the_account_whatever_they_are_called():
    uri = authenticator.key_uri(key=KEY, account="maria peña:1@x?", issuer="example.com")
    assert uri == (f"otpauth://totp/example.com:maria%20pe%C3%B1a%3A1%40x%3F?secret={KEY}&issuer=example.com")


def test_a_key_is_shown_in_groups_and_as_a_picture():
    shown = authenticator.shown(key=KEY, uri="otpauth://totp/a:b")
    assert shown["key_groups"] == ["GEZD", "GNBV", "GY3T", "QOJQ"] * 2
    assert shown["qr"].startswith("<svg")


def test_where_nothing_can_draw_it_the_key_is_enough(monkeypatch):
    monkeypatch.setitem(sys.modules, "segno", None)
    assert authenticator.shown(key=KEY, uri="otpauth://totp/a:b")["qr"] == ""


def test_what_is_too_long_for_a_picture_is_shown_without_one():
    uri = authenticator.key_uri(key=KEY, account="\U0001f600" * 200, issuer="example.com")
    shown = authenticator.shown(key=KEY, uri=uri)
    assert (shown["qr"], shown["uri"]) == ("", uri)
