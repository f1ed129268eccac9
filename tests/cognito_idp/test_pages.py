"""Tokens of pages on the wire."""

import pytest

from trusted_devices.cognito_idp.errors import WireError
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.cognito_idp.pages import next_token, place_in
from trusted_devices.keyset import Page, Place

PAGE = Page([UserPool(pk=7)], has_next=True, has_previous=False)


def test_a_token_names_the_place_behind_the_last_row_of_its_page():
    assert place_in("pools", next_token("pools", "NextToken", PAGE)["NextToken"]) == Place(7, 7)
    assert place_in("pools", None) is None


def test_the_last_page_has_no_token():
    assert next_token("pools", "NextToken", Page([UserPool(pk=7)], has_next=False, has_previous=True)) == {}


def test_a_token_says_nothing_and_is_good_for_its_list_alone():
    token = next_token("own devices 1", "PaginationToken", PAGE)["PaginationToken"]
    assert "devices" not in token
    for name, brought in (("own devices 2", token), ("all devices 1", token), ("own devices 1", f"{token}x")):
        with pytest.raises(WireError, match="not of this list") as raised:
            place_in(name, brought)
        assert raised.value.name == "InvalidParameterException"
