"""Every verb, and who may use it."""

import pytest

UNKNOWN = "local_00000000-0000-4000-8000-000000000000"
NOTE = {"note": "Laptop stolen"}

OWN = [
    ("get", "/api/devices/", None, 200),
    ("get", "/api/devices/{key}/", None, 200),
    ("patch", "/api/devices/{key}/", {"name": "Renamed"}, 200),
    ("delete", "/api/devices/{key}/", None, 204),
    ("post", "/api/devices/{key}/remember/", {"period": "P60D", "code": "{code}"}, 200),
    ("post", "/api/devices/{key}/stop-trusting/", None, 200),
    ("post", "/api/devices/forget-others/", None, 200),
    ("get", "/api/activity/", None, 200),
]
LOOKING = [
    ("get", "/api/admin/devices/", None, 200),
    ("get", "/api/admin/devices/{key}/", None, 200),
    ("get", "/api/admin/users/{user}/devices/", None, 200),
    ("get", "/api/admin/activity/", None, 200),
    ("get", "/api/admin/reports/", None, 200),
]
CHANGING = [
    ("post", "/api/admin/devices/{key}/remember/", {"period": "P30D", "code": "{code}", **NOTE}, 200),
    ("post", "/api/admin/devices/{key}/stop-trusting/", NOTE, 200),
    ("delete", "/api/admin/devices/{key}/?note=Stolen", None, 204),
    ("delete", "/api/admin/users/{user}/devices/?note=Stolen", None, 200),
    (
        "post",
        "/api/admin/devices/bulk/",
        {"operation": "forget", "filter": {"username": "maria"}, "dry_run": False, **NOTE},
        200,
    ),
    ("post", "/api/admin/devices/bulk/", {"operation": "stop_trusting", "filter": {"username": "maria"}, **NOTE}, 200),
]
EVERYTHING = [*OWN, *LOOKING, *CHANGING]


def name(case):
    method, url, _body, _status = case
    return f"{method} {url}"


def ask(client, case, device, code="", key=None):
    method, url, body, _status = case
    if body and "code" in body:
        body = {**body, "code": code}
    url = url.format(key=key or device.device_key, user=device.user_id)
    return getattr(client, method)(url, body, format="json")


@pytest.mark.parametrize("case", EVERYTHING, ids=name)
def test_nobody_gets_anything(case, device, by_token):
    response = ask(by_token(), case, device)
    assert response.status_code == 401
    assert response["WWW-Authenticate"]
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("case", OWN, ids=name)
def test_users_do_as_they_like_with_their_own_devices(case, user, device, by_token, new_code):
    assert ask(by_token(user), case, device, new_code(user)).status_code == case[3]


@pytest.mark.parametrize("case", [case for case in OWN if "{key}" in case[1]], ids=name)
def test_other_peoples_devices_do_not_exist_for_users(case, other_user, device, by_token, new_code):
    client, code = by_token(other_user), new_code(other_user)
    foreign = ask(client, case, device, code)
    unknown = ask(client, case, device, code, key=UNKNOWN)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() == unknown.json()
    device.refresh_from_db()
    assert (device.name, device.is_remembered) == ("Work laptop", True)


@pytest.mark.parametrize("case", OWN, ids=name)
def test_what_is_for_oneself_does_nothing_to_others(case, operator, device, by_token, new_code):
    response = ask(by_token(operator), case, device, new_code(operator))
    assert response.status_code == (404 if "{key}" in case[1] else 200)
    assert "Work laptop" not in response.content.decode()
    device.refresh_from_db()
    assert device.is_remembered


@pytest.mark.parametrize("role", ["user", "other_user", "staff"])
@pytest.mark.parametrize("case", [*LOOKING, *CHANGING], ids=name)
def test_administration_is_for_staff_with_permission(case, role, request, device, by_token, new_code):
    person = request.getfixturevalue(role)
    response = ask(by_token(person), case, device, new_code(person))
    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    device.refresh_from_db()
    assert device.is_remembered


@pytest.mark.parametrize("case", LOOKING, ids=name)
def test_the_help_desk_may_look(case, helpdesk, device, by_token):
    assert ask(by_token(helpdesk), case, device).status_code == 200


@pytest.mark.parametrize("case", CHANGING, ids=name)
def test_the_help_desk_may_not_act(case, helpdesk, device, by_token, new_code):
    assert ask(by_token(helpdesk), case, device, new_code(helpdesk)).status_code == 403
    device.refresh_from_db()
    assert device.is_remembered


@pytest.mark.parametrize("case", [*LOOKING, *CHANGING], ids=name)
def test_staff_with_permission_may_look_and_act(case, operator, device, by_token, new_code):
    assert ask(by_token(operator), case, device, new_code(operator)).status_code == case[3]


@pytest.mark.parametrize("case", [case for case in [*LOOKING, *CHANGING] if "{key}" in case[1]], ids=name)
def test_unknown_keys_are_not_found_by_staff_either(case, operator, device, by_token, new_code):
    response = ask(by_token(operator), case, device, new_code(operator), key=UNKNOWN)
    assert (response.status_code, response.json()["code"]) == (404, "device_not_found")


@pytest.mark.parametrize(
    ("missing", "case"),
    [
        ("view_device", LOOKING[0]),
        ("view_deviceevent", LOOKING[3]),
        ("change_device", CHANGING[1]),
        ("change_device", CHANGING[5]),
        ("delete_device", CHANGING[2]),
        ("delete_device", CHANGING[3]),
        ("delete_device", CHANGING[4]),
    ],
)
def test_each_act_hangs_on_its_own_permission(missing, case, operator, device, by_token):
    operator.user_permissions.remove(operator.user_permissions.get(codename=missing))
    assert ask(by_token(operator), case, device).status_code == 403


def test_permissions_are_nothing_without_being_staff(operator, device, by_token):
    operator.is_staff = False
    operator.save()
    assert by_token(operator).get("/api/admin/devices/").status_code == 403


@pytest.mark.parametrize("key", ["%00", "a%0Ab", "x" * 300, "%F0%9F%92%A9", "..%2F..", "%25", "None"])
@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_keys_that_cannot_be_are_not_found(key, method, user, device, by_token):
    body = {"name": "x"} if method == "patch" else None
    response = getattr(by_token(user), method)(f"/api/devices/{key}/", body, format="json")
    assert response.status_code == 404
