"""What a request tells of whoever sent it."""

import pytest
from django.test import RequestFactory

from tests.conftest import CHROME
from trusted_devices.web.client import client_info

rf = RequestFactory()


def forwarded_for(request):
    """A site's own way of finding the address."""
    return request.META["HTTP_X_FORWARDED_FOR"].split(",")[0]


def test_the_client_is_known_by_address_and_user_agent():
    client = client_info(rf.get("/", REMOTE_ADDR="203.0.113.77", HTTP_USER_AGENT=CHROME))
    assert client.ip_address == "203.0.113.77"
    assert client.user_agent == CHROME
    assert not client.impersonated


@pytest.mark.parametrize("address", ["", None])
def test_a_client_without_an_address_is_not_given_one(address):
    request = rf.get("/")
    request.META["REMOTE_ADDR"] = address
    assert client_info(request).ip_address is None


def test_a_user_agent_is_cleaned_before_anybody_sees_it():
    assert client_info(rf.get("/", HTTP_USER_AGENT="a\x1b\n" + "x" * 600)).user_agent == ("a " + "x" * 600)[:512]


def test_what_client_hints_say_is_kept_with_the_user_agent():
    hints = {"HTTP_SEC_CH_UA": '"Chromium";v="140", "Microsoft Edge";v="140"', "HTTP_SEC_CH_UA_PLATFORM": '"Windows"'}
    assert (
        client_info(rf.get("/", HTTP_USER_AGENT=CHROME, **hints)).user_agent
        == f"{CHROME} (hints: browser=Edge; system=Windows)"
    )


def test_a_forwarded_address_is_not_believed():
    request = rf.get("/", REMOTE_ADDR="203.0.113.77", HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert client_info(request).ip_address == "203.0.113.77"


def test_a_site_behind_a_proxy_names_its_own_function(settings):
    settings.TRUSTED_DEVICES = {"CLIENT_IP": f"{__name__}.forwarded_for"}
    request = rf.get("/", HTTP_X_FORWARDED_FOR="198.51.100.1, 10.0.0.1")
    assert client_info(request).ip_address == "198.51.100.1"


@pytest.mark.parametrize("key", ["hijack_history", "_impersonate", "loginas_from_user"])
def test_staff_who_act_as_somebody_else_are_told_from_users(key):
    request = rf.get("/")
    request.session = {key: ["1"]}
    assert client_info(request).impersonated
    request.session = {key: None}
    assert not client_info(request).impersonated


def test_the_request_is_handed_on_but_not_shown_nor_compared():
    request = rf.get("/secret-path")
    client = client_info(request)
    assert client.request is request
    assert "secret-path" not in repr(client)
    assert client == client_info(rf.get("/other"))
