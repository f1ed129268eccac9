"""How often one may ask."""

import pytest

from tests.broken_cache import CACHES, cache_away
from trusted_devices.api.throttles import DEFAULT_RATES


@pytest.fixture
def rates(settings):
    def rates(**chosen):
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": chosen}

    return rates


@pytest.mark.parametrize(
    ("scope", "ask"),
    [
        ("trusted_devices", lambda client, key: client.get("/api/devices/")),
        ("trusted_devices_remember", lambda client, key: client.post(f"/api/devices/{key}/remember/")),
        ("trusted_devices_admin", lambda client, key: client.get("/api/admin/devices/")),
        ("trusted_devices_bulk", lambda client, key: client.post("/api/admin/devices/bulk/")),
    ],
)
def test_each_scope_has_a_rate_that_a_site_may_change(scope, ask, rates, operator, device, by_token):
    assert scope in DEFAULT_RATES
    rates(**{scope: "1/hour"})
    client = by_token(operator)
    assert ask(client, device.device_key).status_code != 429
    refused = ask(client, device.device_key)
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 0 < int(refused["Retry-After"]) <= 3600
    rates(**{scope: None})
    assert ask(client, device.device_key).status_code != 429


def test_while_the_counters_cannot_be_reached_everything_is_answered(rates, settings, operator, device, by_token):
    rates(trusted_devices="1/hour", trusted_devices_admin="1/hour")
    settings.CACHES = CACHES
    client = by_token(operator)
    with cache_away():
        for path in ("/api/devices/", "/api/admin/devices/", f"/api/admin/devices/{device.device_key}/"):
            for _ in range(2):
                assert client.get(path).status_code == 200, path
    assert [client.get("/api/devices/").status_code for _ in range(2)] == [200, 429]


def test_one_users_requests_are_not_counted_for_another(rates, user, other_user, by_token):
    rates(trusted_devices="1/hour")
    assert [by_token(person).get("/api/devices/").status_code for person in (user, user, other_user)] == [200, 429, 200]


def test_scopes_are_counted_apart(rates, user, device, by_token):
    rates(trusted_devices="1/hour")
    client = by_token(user)
    client.get("/api/devices/")
    assert client.post(f"/api/devices/{device.device_key}/remember/").status_code == 400
