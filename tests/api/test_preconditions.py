"""Two people editing one device."""

import pytest

from trusted_devices.models import Device
from trusted_devices.services import trust
from trusted_devices.types import By, Presented

NOTE = {"note": "Audit"}


@pytest.fixture
def url(device):
    return f"/api/devices/{device.device_key}/"


@pytest.fixture
def maria(user, by_token):
    return by_token(user)


EDITS = [
    ("patch", "", {"name": "Mine"}, 200),
    ("post", "stop-trusting/", None, 200),
    ("post", "remember/", {"period": "P90D", "code": "{code}"}, 200),
    ("delete", "", None, 204),
]


def edit(client, url, case, code, etag):
    method, path, body, _status = case
    body = {**body, "code": code} if body and "code" in body else body
    return getattr(client, method)(url + path, body, format="json", headers={"If-Match": etag})


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_of_what_was_seen_last_is_done(case, user, url, maria, new_code):
    etag = maria.get(url)["ETag"]
    assert edit(maria, url, case, new_code(user), etag).status_code == case[3]


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_of_what_has_changed_since_is_not(case, user, url, maria, new_code):
    etag = maria.get(url)["ETag"]
    maria.patch(url, {"name": "Somebody was faster"}, format="json")
    response = edit(maria, url, case, new_code(user), etag)
    assert (response.status_code, response.json()["code"]) == (412, "stale_device")
    device = Device.objects.get()
    assert (device.name, device.trust_period.days) == ("Somebody was faster", 60)


def test_staff_and_users_edit_the_same_state(url, maria, operator, by_token):
    etag = maria.get(url)["ETag"]
    by_token(operator).post(url.replace("/api/", "/api/admin/") + "stop-trusting/", NOTE, format="json")
    assert maria.patch(url, {"name": "x"}, format="json", headers={"If-Match": etag}).status_code == 412
    other = maria.get(url)["ETag"]
    assert maria.patch(url, {"name": "x"}, format="json", headers={"If-Match": other}).status_code == 200


def test_a_stale_edit_uses_up_no_code(user, url, maria, new_code):
    code = new_code(user)
    stale = edit(maria, url, EDITS[2], code, '"0"')
    assert stale.status_code == 412
    assert edit(maria, url, EDITS[2], code, maria.get(url)["ETag"]).status_code == 200


def test_each_answer_carries_the_version_to_go_on_with(url, maria):
    first = maria.get(url)
    assert first["ETag"] == f'"{first.json()["version"]}"'
    second = maria.patch(url, {"name": "Second"}, format="json", headers={"If-Match": first["ETag"]})
    assert second["ETag"] != first["ETag"]
    assert second["ETag"] == maria.get(url)["ETag"]
    third = maria.post(url + "stop-trusting/", headers={"If-Match": second["ETag"]})
    assert third["ETag"] == maria.get(url)["ETag"]


def test_signing_in_is_no_edit(granted, user, url, maria, client_info):
    etag = maria.get(url)["ETag"]
    presented = Presented(credential=granted.credential)
    assert trust.check(user=user, presented=presented, mfa_active=True, by=By(client=client_info)).decision.allowed
    assert maria.get(url)["ETag"] == etag


@pytest.mark.parametrize("header", ["nonsense", '"0", "1"', 'W/"{version}"', "", '"', ",,,"])
def test_other_versions_do_not_match(header, url, maria):
    header = header.format(version=maria.get(url).json()["version"])
    assert maria.patch(url, {"name": "x"}, format="json", headers={"If-Match": header}).status_code == 412


@pytest.mark.parametrize("header", ["*", '"0", "{version}"', '"{version}"'])
def test_any_of_several_versions_matches(header, url, maria):
    header = header.format(version=maria.get(url).json()["version"])
    assert maria.patch(url, {"name": "x"}, format="json", headers={"If-Match": header}).status_code == 200
