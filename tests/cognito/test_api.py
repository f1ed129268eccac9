"""The REST API of a site whose devices a pool in another process owns."""

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from tests.cognito.conftest import site_settings
from trusted_devices.models import Device


@pytest.fixture
def device(browser, person):
    cache.clear()
    browser.trusted_sign_in(person, "laptop")
    return Device.objects.get()


def client_of(user):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    return client


@pytest.fixture
def staff(db):
    return get_user_model().objects.create_superuser("olga", "olga@example.com", "pw")


def test_users_see_their_devices_and_stop_trusting_and_forget_them_in_the_pool(person, device):
    client = client_of(device.user)
    (shown,) = client.get("/api/devices/").json()["results"]
    assert (shown["device_key"], shown["name"], shown["trust"]) == (device.device_key, "laptop", "trusted")
    assert client.post(f"/api/devices/{device.device_key}/stop-trusting/").status_code == 200
    assert [there["status"] for there in person.devices()] == ["not_remembered"]
    assert client.delete(f"/api/devices/{device.device_key}/").status_code == 204
    assert person.devices() == []
    assert not Device.objects.exists()


def test_staff_stop_trusting_and_forget_devices_in_the_pool(person, device, staff):
    desk = client_of(staff)
    url = f"/api/admin/devices/{device.device_key}/"
    assert desk.post(f"{url}stop-trusting/", {"note": "Lost"}, format="json").status_code == 200
    assert [there["status"] for there in person.devices()] == ["not_remembered"]
    assert desk.delete(f"{url}?note=Lost").status_code == 204
    assert person.devices() == []


@pytest.mark.parametrize("act", ["stop", "forget"])
def test_while_the_pool_is_away_nothing_is_said_to_be_done(person, device, process, settings, act):
    settings.TRUSTED_DEVICES = site_settings(process, ENDPOINT_URL="http://127.0.0.1:9", CONNECT_TIMEOUT=0.2)
    client, url = client_of(device.user), f"/api/devices/{device.device_key}/"
    response = client.post(f"{url}stop-trusting/") if act == "stop" else client.delete(url)
    assert response.status_code == 503
    assert response.json()["code"] == "backend_unavailable"
    assert Device.objects.get().is_remembered
    assert [there["status"] for there in person.devices()] == ["remembered"]
