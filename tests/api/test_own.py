"""Users and their own devices."""

from datetime import timedelta

from django.utils import timezone

from tests.geoip import write_database
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import devices, sessions
from trusted_devices.types import By, StatusReason


def test_a_device_is_shown_with_all_there_is_to_know(user, device, by_token):
    shown = by_token(user).get(f"/api/devices/{device.device_key}/").json()
    assert shown["device_key"] == device.device_key
    assert shown["name"] == "Work laptop"
    assert shown["description"] == "Chrome on Windows"
    assert (shown["status"], shown["status_reason"], shown["trust"]) == ("remembered", "user_trusted", "trusted")
    assert shown["trust_period"] == "P60D"
    assert shown["trusted_until"].startswith(device.trust_expires_at.date().isoformat())
    assert shown["last_ip"] == "203.0.113.0"
    assert shown["current"] is False


def test_trusted_until_is_what_the_policy_leaves_of_it(user, device, by_token, settings):
    settings.TRUSTED_DEVICES = {
        **settings.TRUSTED_DEVICES,
        "PERIODS": [timedelta(days=7)],
        "DEFAULT_PERIOD": timedelta(days=7),
        "MAX_PERIOD": timedelta(days=7),
    }
    shown = by_token(user).get("/api/devices/").json()["results"][0]
    assert shown["trusted_until"].startswith((device.trust_granted_at + timedelta(days=7)).date().isoformat())


def test_trust_that_has_ended_is_not_shown_as_trust_before_the_sweep_either(user, device, by_token):
    Device.objects.update(trust_expires_at=timezone.now())
    shown = by_token(user).get(f"/api/devices/{device.device_key}/").json()
    assert (shown["status"], shown["trust"], shown["trusted_until"]) == ("remembered", "expired", None)


def test_a_list_has_only_ones_own_devices(user, other_user, device, by_token, trust_device):
    trust_device(other_user)
    assert [shown["device_key"] for shown in by_token(user).get("/api/devices/").json()["results"]] == [
        device.device_key
    ]


def test_a_list_can_be_narrowed_to_a_status(user, device, by_token):
    client = by_token(user)
    assert len(client.get("/api/devices/?status=remembered").json()["results"]) == 1
    assert client.get("/api/devices/?status=not_remembered").json()["results"] == []
    assert client.get("/api/devices/?status=forgotten").status_code == 400


def test_renaming_changes_the_name_and_the_log(user, device, by_token):
    response = by_token(user).patch(f"/api/devices/{device.device_key}/", {"name": "  Kitchen   iPad "}, format="json")
    assert (response.status_code, response.json()["name"]) == (200, "Kitchen iPad")
    event = DeviceEvent.objects.get(action="renamed")
    assert (event.user, event.actor, event.device_key) == (user, user, device.device_key)


def test_names_that_cannot_be_are_refused_with_the_reason(user, device, by_token):
    complaints = {
        "": "may not be blank",
        "   ": "may not be blank",
        "\u200b": "Nothing of this name can be seen",
        "x" * 65: "at most 64 characters",
        "x" * 5000: "no more than 1024 characters",
        "a\u202eb": "cannot be shown",
        "a\x00b": "Null characters",
        "\x07": "cannot be shown",
    }
    for name, complaint in complaints.items():
        response = by_token(user).patch(f"/api/devices/{device.device_key}/", {"name": name}, format="json")
        assert response.status_code == 400, name
        (error,) = response.json()["errors"]
        assert error["field"] == "name", name
        assert complaint in error["detail"], name
        device.refresh_from_db()
        assert device.name == "Work laptop", name


def test_a_device_can_be_marked_as_not_remembered_more_than_once(user, device, by_token):
    client = by_token(user)
    for _again in range(2):
        shown = client.post(f"/api/devices/{device.device_key}/stop-trusting/").json()
        assert (shown["status"], shown["trusted_until"]) == ("not_remembered", None)
    device.refresh_from_db()
    assert device.status_reason == StatusReason.USER_STOPPED
    assert DeviceEvent.objects.filter(action="not_remembered", actor=user).count() == 1


def test_forgetting_twice_is_no_error_and_is_logged_once(user, device, by_token):
    client = by_token(user)
    for _again in range(2):
        response = client.delete(f"/api/devices/{device.device_key}/")
        assert (response.status_code, response.content) == (204, b"")
    assert DeviceEvent.objects.filter(action="forgotten", actor=user).count() == 1
    assert not Device.objects.exists()


def test_what_somebody_else_forgot_is_still_unknown(user, other_user, device, by_token):
    by_token(user).delete(f"/api/devices/{device.device_key}/")
    assert by_token(other_user).delete(f"/api/devices/{device.device_key}/").status_code == 404


def test_forgetting_ends_the_sessions_of_the_device(user, device, by_token, by_session):
    elsewhere = by_session(user, device=device)
    sessions.attach(device=device, session_key=elsewhere.session.session_key, now=timezone.now())
    by_token(user).delete(f"/api/devices/{device.device_key}/")
    assert elsewhere.get("/api/devices/").status_code == 401


def test_forgetting_the_device_in_hand_signs_out(user, device, by_session):
    client = by_session(user, device=device)
    sessions.attach(device=device, session_key=client.session.session_key, now=timezone.now())
    assert client.delete(f"/api/devices/{device.device_key}/").status_code == 204
    assert client.get("/api/devices/").status_code == 401
    assert not DeviceSession.objects.exists()


def test_forgetting_all_others_keeps_the_one_in_hand(user, other_user, device, by_session, trust_device):
    others = [trust_device(user), trust_device(user)]
    foreign = trust_device(other_user)
    response = by_session(user, device=device).post("/api/devices/forget-others/")
    assert response.json() == {"forgotten": len(others)}
    assert set(Device.objects.values_list("device_key", flat=True)) == {device.device_key, foreign.device.device_key}


def test_activity_says_who_did_what_without_the_notes_of_staff(user, operator, device, by_token):
    devices.stop_trusting([device], reason=StatusReason.STAFF_STOPPED, by=By(actor=operator, note="Looks odd"))
    response = by_token(user).get("/api/activity/")
    newest, *_, oldest = response.json()["results"]
    assert (newest["action"], newest["reason"], newest["by"]) == ("not_remembered", "staff_stopped", "staff")
    assert (oldest["action"], oldest["by"]) == ("confirmed", "system")
    assert "odd" not in response.content.decode()
    assert "olga" not in response.content.decode()


def test_activity_can_be_narrowed(user, device, by_token, trust_device):
    second = trust_device(user).device
    client = by_token(user)
    found = client.get(f"/api/activity/?device_key={second.device_key}&action=remembered").json()["results"]
    assert [(event["device_key"], event["action"]) for event in found] == [(second.device_key, "remembered")]
    later = (timezone.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert client.get(f"/api/activity/?after={later}").json()["results"] == []
    assert len(client.get(f"/api/activity/?before={later}").json()["results"]) == 4


def test_places_are_told_where_the_site_looks_them_up(user, device, operator, by_token, settings, tmp_path):
    Device.objects.update(last_ip="203.0.113.0")
    DeviceEvent.objects.update(ip_address="198.51.100.0")

    def told():
        asked = [(by_token(user), "/api/devices/"), (by_token(user), "/api/activity/")]
        asked += [(by_token(operator), "/api/admin/devices/"), (by_token(operator), "/api/admin/activity/")]
        return [client.get(url).json()["results"][0]["place"] for client, url in asked]

    assert told() == ["", "", "", ""]
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"GEOIP": True}
    settings.GEOIP_PATH = write_database(tmp_path)
    assert told() == ["Boxford, United Kingdom", "Chile"] * 2
