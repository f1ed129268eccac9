"""Sessions, tokens and JWTs; which device is in hand; the header that stands in for the cookie."""

import base64
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from trusted_devices import conf, cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.models import Device
from trusted_devices.types import VerifiedBy

HEADER = "Trusted-Device"


def sealed(granted):
    return cookies.dump(DeviceCookie().put(granted.credential))


def test_a_token_authenticates(user, device, by_token):
    assert by_token(user).get("/api/devices/").status_code == 200


def test_a_jwt_authenticates(user, device):
    client = APIClient(headers={"Authorization": f"Bearer {AccessToken.for_user(user)}"})
    assert client.get("/api/devices/").json()["results"][0]["device_key"] == device.device_key


def test_a_session_authenticates(user, device, by_session):
    assert by_session(user).get("/api/devices/").status_code == 200


def test_a_password_alone_does_not(user, device):
    password = base64.b64encode(b"maria:correct horse").decode()
    response = APIClient(headers={"Authorization": f"Basic {password}"}).get("/api/devices/")
    assert response.status_code == 401
    assert "Basic" not in response["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["Token 0", "Token", "Token a b", "Bearer x.y.z", "Bearer", "Nonsense", "\xff"])
def test_wrong_credentials_are_refused_as_a_problem(header, device):
    response = APIClient(headers={"Authorization": header}).get("/api/devices/")
    assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json")
    assert response.json()["code"]


@pytest.mark.parametrize("alive", ["token", "jwt", "session"])
def test_a_user_deleted_in_between_is_nobody(alive, user, device, by_token, by_session):
    client = {
        "token": lambda: by_token(user),
        "jwt": lambda: APIClient(headers={"Authorization": f"Bearer {AccessToken.for_user(user)}"}),
        "session": lambda: by_session(user),
    }[alive]()
    user.delete()
    assert client.get("/api/devices/").status_code == 401


def test_sessions_keep_csrf_protection(user, device, by_session):
    client = by_session(user, csrf=True)
    url = f"/api/devices/{device.device_key}/"
    assert client.get(url).status_code == 200
    for response in (client.delete(url), client.patch(url, {"name": "x"}, format="json")):
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert Device.objects.get().name == "Work laptop"


def test_tokens_need_no_csrf_protection(user, device, by_token):
    client = by_token(user)
    client.handler.enforce_csrf_checks = True
    assert client.delete(f"/api/devices/{device.device_key}/").status_code == 204


def test_the_cookie_tells_which_device_is_in_hand(user, granted, trust_device, by_session):
    trust_device(user)
    client = by_session(user)
    client.cookies[cookies.name()] = sealed(granted)
    current = {shown["device_key"]: shown["current"] for shown in client.get("/api/devices/").json()["results"]}
    assert current.pop(granted.device.device_key) is True
    assert list(current.values()) == [False]


def test_clients_without_cookies_carry_the_device_in_a_header(user, granted, by_token):
    url = f"/api/devices/{granted.device.device_key}/"
    client = by_token(user)
    assert client.get(url, headers={HEADER: sealed(granted)}).json()["current"] is True
    assert client.get(url).json()["current"] is False


@pytest.mark.parametrize("value", ["", "nonsense", "x" * 5000, "\xff"])
def test_a_header_that_is_not_ours_is_no_device_and_no_error(value, user, granted, by_token):
    response = by_token(user).get(f"/api/devices/{granted.device.device_key}/", headers={HEADER: value})
    assert (response.status_code, response.json()["current"]) == (200, False)


def test_the_device_of_somebody_else_is_never_in_hand(user, other_user, granted, trust_device, by_token):
    foreign = trust_device(other_user)
    response = by_token(user).get("/api/devices/", headers={HEADER: sealed(foreign)})
    assert [shown["current"] for shown in response.json()["results"]] == [False]


def test_forgetting_the_device_in_hand_takes_it_from_the_client(user, granted, by_token):
    response = by_token(user).delete(f"/api/devices/{granted.device.device_key}/", headers={HEADER: sealed(granted)})
    assert (response.status_code, response[HEADER]) == (204, "")


def test_forgetting_another_device_leaves_the_client_its_own(user, granted, trust_device, by_token):
    other = trust_device(user).device
    response = by_token(user).delete(f"/api/devices/{other.device_key}/", headers={HEADER: sealed(granted)})
    assert response.status_code == 204
    assert HEADER not in response


def test_remembering_the_device_in_hand_tells_the_client_its_new_date(user, granted, by_token, new_code):
    before = sealed(granted)
    response = by_token(user).post(
        f"/api/devices/{granted.device.device_key}/remember/",
        {"period": "P90D", "code": new_code(user)},
        format="json",
        headers={HEADER: before},
    )
    (entry,) = cookies.load(response[HEADER]).entries
    assert entry.secret == granted.credential.secret
    assert entry.expires_at - timezone.now() > timedelta(days=89)


def test_staff_sessions_must_have_passed_mfa(operator, device, by_session, settings):
    by_password = by_session(operator, verified_by=VerifiedBy.PASSWORD)
    response = by_password.get("/api/admin/devices/")
    assert (response.status_code, response.json()["code"]) == (403, "mfa_required")
    assert by_session(operator, verified_by=VerifiedBy.TRUSTED_DEVICE).get("/api/admin/devices/").status_code == 200
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "ADMIN_REQUIRES_MFA": False}
    assert by_password.get("/api/admin/devices/").status_code == 200


def test_a_session_without_a_note_of_mfa_is_not_enough_for_staff(operator, device):
    client = APIClient()
    client.force_login(operator, "django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/admin/devices/").json()["code"] == "mfa_required"


def test_answers_are_for_nobody_elses_cache(user, device, by_token):
    for response in (by_token(user).get("/api/devices/"), by_token().get("/api/devices/")):
        assert response["Cache-Control"] == "private, no-store"
    assert conf.get_settings().HEADER_NAME == HEADER
