"""Tokens of pages on the wire."""

from datetime import timedelta

import pytest

from tests.cognito_idp.wire import Refused
from tests.conftest import NOW
from tests.factories import remembered
from trusted_devices.cognito_idp import accounts, devicelists
from trusted_devices.cognito_idp.errors import WireError
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.cognito_idp.pages import next_token, place_in
from trusted_devices.keyset import Page, Place
from trusted_devices.models import Device
from trusted_devices.services import activity
from trusted_devices.types import Binding, By, EventAction

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


@pytest.fixture
def pool_users(pool, user, other_user):
    """Two users of the pool, with two remembered devices each."""
    found = [accounts.get_pool_user(pool, each) for each in (user, other_user)]
    for each in (user, other_user):
        pools = {"device_group_key": pool.device_group_key, "binding": Binding.SRP}
        Device.objects.bulk_create([remembered(each, expires_at=NOW + timedelta(days=1), **pools) for _ in range(2)])
    return found


def test_the_token_of_ones_own_devices_is_no_place_in_another_list(pool_users):
    maria, tom = pool_users
    lists = {"own": devicelists.own_page, "all": devicelists.full_page}
    for name, pages in lists.items():
        token = pages(maria, limit=1, token=None, now=NOW)["PaginationToken"]
        assert len(pages(maria, limit=1, token=token, now=NOW)["Devices"]) == 1
        other = lists["all" if name == "own" else "own"]
        for pages_of_others, whose in ((pages, tom), (other, maria)):
            with pytest.raises(WireError, match="not of this list"):
                pages_of_others(whose, limit=1, token=token, now=NOW)


def test_the_token_of_ones_events_is_no_place_in_those_of_others(admin, pool_users):
    maria = pool_users[0]
    for event in range(2):
        activity.record(EventAction.SIGNED_IN, user=maria.user, by=By(note=str(event)))
    names = {"UserPoolId": maria.pool.pool_id, "MaxResults": 1}
    token = admin.call("AdminListUserAuthEvents", Username="maria", **names)["NextToken"]
    with pytest.raises(Refused, match="not of this list"):
        admin.call("AdminListUserAuthEvents", Username="tom", NextToken=token, **names)
