"""Staff and anybody's devices."""

import pytest
from django.contrib.auth import get_user_model

from trusted_devices.models import Device, DeviceEvent
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.types import StatusReason

BULK = "/api/admin/devices/bulk/"


@pytest.fixture
def desk(operator, by_token):
    return by_token(operator)


def search(client, **query):
    response = client.get("/api/admin/devices/", query)
    assert response.status_code == 200, response.json()
    return {shown["device_key"] for shown in response.json()["results"]}


def test_staff_see_whose_a_device_is(device, desk):
    shown = desk.get(f"/api/admin/devices/{device.device_key}/").json()
    assert shown["user"] == {"id": str(device.user_id), "username": "maria"}
    assert shown["user_agent"].startswith("Mozilla/5.0")


def test_devices_are_found_by_what_they_are(device, other_user, trust_device, desk):
    other = trust_device(other_user).device
    assert search(desk) == {device.device_key, other.device_key}
    assert search(desk, user=device.user_id) == {device.device_key}
    assert search(desk, username="maria") == {device.device_key}
    assert search(desk, username="mari") == set()
    assert search(desk, device_key=other.device_key[:20]) == {other.device_key}
    assert search(desk, status="remembered", binding="cookie", status_reason="user_trusted") >= {device.device_key}
    assert search(desk, status="not_remembered") == set()
    moment = device.trust_expires_at.isoformat()
    assert search(desk, expires_before=moment) == set()
    assert search(desk, expires_after=moment) == {device.device_key, other.device_key}
    assert search(desk, last_used_after="2000-01-01T00:00:00Z", last_used_before="2000-01-02T00:00:00Z") == set()


def test_the_devices_of_one_user(device, other_user, trust_device, desk):
    trust_device(other_user)
    found = desk.get(f"/api/admin/users/{device.user_id}/devices/").json()["results"]
    assert [shown["device_key"] for shown in found] == [device.device_key]


@pytest.mark.parametrize("key", ["0", "-1", "99999999999999999999999", "maria", "%00", "1e3", "x" * 400])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_users_that_do_not_exist_are_not_found(key, method, desk):
    url = f"/api/admin/users/{key}/devices/" + ("?note=x" if method == "delete" else "")
    assert getattr(desk, method)(url).status_code == 404


def test_every_act_records_who_and_why(device, operator, desk):
    desk.post(f"/api/admin/devices/{device.device_key}/stop-trusting/", {"note": "Lost on a train"}, format="json")
    desk.delete(f"/api/admin/devices/{device.device_key}/?note=Never found")
    acts = DeviceEvent.objects.filter(actor=operator).order_by("pk").values_list("action", "note", "user__username")
    assert list(acts) == [("not_remembered", "Lost on a train", "maria"), ("forgotten", "Never found", "maria")]


@pytest.mark.parametrize("note", ["", "   ", "x" * 256, "a\x00b", None])
def test_nothing_is_done_without_saying_why(note, device, desk):
    url = f"/api/admin/devices/{device.device_key}/"
    body = {} if note is None else {"note": note}
    assert desk.post(url + "stop-trusting/", body, format="json").status_code == 400
    query = {} if note is None else {"note": note}
    assert desk.delete(url, QUERY_STRING="&".join(f"{key}={value}" for key, value in query.items())).status_code == 400
    assert Device.objects.remembered().exists()


def test_forgetting_twice_is_no_error_for_staff_either(device, desk):
    for _again in range(2):
        assert desk.delete(f"/api/admin/devices/{device.device_key}/?note=Gone").status_code == 204
    assert DeviceEvent.objects.filter(action="forgotten").count() == 1


def test_all_of_a_users_devices_are_forgotten_and_nobody_elses(device, other_user, trust_device, desk):
    trust_device(device.user)
    foreign = trust_device(other_user).device
    response = desk.delete(f"/api/admin/users/{device.user_id}/devices/?note=Account taken over")
    assert response.json() == {"forgotten": 2}
    assert list(Device.objects.all()) == [foreign]
    assert DeviceEvent.objects.filter(action="forgotten", note="Account taken over").count() == 2


def test_a_users_devices_are_gone_with_the_user(device, desk):
    url = f"/api/admin/users/{device.user_id}/devices/"
    get_user_model().objects.get(pk=device.user_id).delete()
    assert desk.get(url).status_code == 404
    assert desk.get(f"/api/admin/devices/{device.device_key}/").status_code == 404
    log = desk.get("/api/admin/activity/", {"device_key": device.device_key}).json()["results"]
    assert log
    assert all(event["user"] is None for event in log)


def test_bulk_only_counts_unless_told_otherwise(device, desk):
    body = {"operation": "forget", "filter": {"status": "remembered"}, "note": "Audit"}
    answer = desk.post(BULK, body, format="json").json()
    assert answer == {"dry_run": True, "devices": 1, "users": 1, "sessions": 0, "done": 0, "complete": False}
    assert Device.objects.count() == 1
    assert not DeviceEvent.objects.filter(action="forgotten").exists()


@pytest.mark.parametrize("operation", ["forget", "stop_trusting"])
def test_bulk_does_what_its_filter_finds_and_no_more(operation, device, other_user, trust_device, desk):
    foreign = trust_device(other_user).device
    body = {"operation": operation, "filter": {"username": "maria"}, "dry_run": False, "note": "Phished"}
    answer = desk.post(BULK, body, format="json").json()
    assert (answer["done"], answer["complete"]) == (1, True)
    again = desk.post(BULK, body, format="json").json()
    assert (again["devices"], again["done"], again["complete"]) == (0, 0, True)
    assert list(Device.objects.remembered()) == [foreign]
    assert DeviceEvent.objects.filter(note="Phished").count() == 1


def test_bulk_goes_on_with_what_is_left(device, user, trust_device, desk, monkeypatch):
    trust_device(user)
    trust_device(user)
    monkeypatch.setattr(DeviceOwner, "batch_size", 1)
    body = {"operation": "stop_trusting", "all": True, "dry_run": False, "note": "Incident"}
    answers = []
    while not answers or not answers[-1]["complete"]:
        answers.append(desk.post(BULK, body, format="json").json())
    assert [(answer["devices"], answer["done"]) for answer in answers] == [(3, 2), (1, 1)]
    assert not Device.objects.remembered().exists()
    assert set(Device.objects.values_list("status_reason", flat=True)) == {StatusReason.STAFF_STOPPED}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "filter"),
        ({"filter": {}}, "filter"),
        ({"filter": {"status": ""}}, "filter.status"),
        ({"filter": None}, "filter"),
        ({"filter": {"stauts": "remembered"}}, "filter.stauts"),
        ({"filter": {"status": "forgotten"}}, "filter.status"),
        ({"filter": {"user": "maria"}}, "filter.user"),
        ({"filter": {"user": "9" * 40}}, "filter.user"),
        ({"filter": {"expires_before": "tomorrow"}}, "filter.expires_before"),
        ({"filter": {"secret_digest": "0"}}, "filter.secret_digest"),
        ({"filter": {"username": "maria"}, "all": True}, "filter"),
        ({"filter": [], "all": True}, "filter"),
        ({"filter": {"username": "maria"}, "operation": "remember"}, "operation"),
        ({"filter": {"username": "maria"}, "dry_run": "perhaps"}, "dry_run"),
        ({"filter": {"username": "maria"}, "dryrun": True}, "dryrun"),
        ({"filter": {"username": "maria"}, "note": ""}, "note"),
    ],
)
def test_bulk_without_a_clear_filter_is_refused(body, field, device, desk):
    response = desk.post(BULK, {"operation": "forget", "dry_run": False, "note": "Oops", **body}, format="json")
    assert response.status_code == 400
    assert field in [entry["field"] for entry in response.json()["errors"]]
    assert Device.objects.count() == 1


def test_activity_is_searched_by_whom_and_by_what(device, operator, desk):
    desk.post(f"/api/admin/devices/{device.device_key}/stop-trusting/", {"note": "Lost"}, format="json")
    found = desk.get("/api/admin/activity/", {"actor": operator.pk, "user": device.user_id}).json()["results"]
    assert [(event["action"], event["note"], event["actor"]["username"]) for event in found] == [
        ("not_remembered", "Lost", "olga")
    ]
    assert desk.get("/api/admin/activity/", {"reason": "staff_stopped"}).json()["results"] == found


def test_a_report_counts(device, desk):
    figures = desk.get("/api/admin/reports/").json()
    assert {"status": "remembered", "count": 1} in figures["by_status"]
    assert figures["expiring_within"] == [
        {"days": 7, "count": 0},
        {"days": 30, "count": 0},
        {"days": 60, "count": 1},
        {"days": 90, "count": 1},
    ]
    assert figures["trusted_per_day"][-1]["count"] == 1
    assert len(figures["trusted_per_day"]) == 30
