"""Remembering takes a fresh second factor and a period that the policy allows."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice

from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices
from trusted_devices.types import By, StatusReason, VerifiedBy


@pytest.fixture
def stopped(device):
    devices.stop_trusting([device], reason=StatusReason.USER_STOPPED, by=By())
    return device


@pytest.fixture
def url(stopped):
    return f"/api/devices/{stopped.device_key}/remember/"


def remembered():
    return Device.objects.remembered().exists()


def test_a_session_with_a_fresh_second_factor_may(user, url, by_session):
    shown = by_session(user).post(url, {"period": "P30D"}, format="json").json()
    assert (shown["status"], shown["trust"], shown["trust_period"]) == ("remembered", "trusted", "P30D")
    device = Device.objects.get()
    assert timedelta(days=29) < device.trust_expires_at - timezone.now() <= timedelta(days=30)
    assert DeviceEvent.objects.filter(action="remembered", actor=user, reason="user_trusted").count() == 2


@pytest.mark.parametrize("by", [VerifiedBy.PASSWORD, VerifiedBy.TRUSTED_DEVICE])
def test_a_session_without_one_may_not(by, user, url, by_session):
    response = by_session(user, verified_by=by).post(url, {"period": "P30D"}, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "fresh_mfa_required")
    assert not remembered()


def test_a_session_whose_second_factor_was_long_ago_may_not(user, url, by_session):
    client = by_session(user, age=timedelta(minutes=10))
    assert client.post(url, {"period": "P30D"}, format="json").json()["code"] == "fresh_mfa_required"
    assert not remembered()


def test_tokens_say_nothing_of_a_second_factor_and_are_told_which_to_send(user, url, totp, by_token):
    problem = by_token(user).post(url, {"period": "P30D"}, format="json").json()
    assert problem["code"] == "fresh_mfa_required"
    assert problem["methods"] == [{"id": totp.persistent_id, "kind": "totp"}]
    assert not remembered()


def test_a_session_of_somebody_else_does_not_vouch_for_a_token(user, other_user, url, by_token, by_session):
    client = by_session(other_user)
    client.credentials(HTTP_AUTHORIZATION=by_token(user)._credentials["HTTP_AUTHORIZATION"])
    assert client.post(url, {"period": "P30D"}, format="json").status_code in (403, 404)
    assert not remembered()


def test_tokens_send_a_code_and_it_is_good_for_once(user, url, by_token, new_code):
    client, asked = by_token(user), {"period": "P60D", "code": new_code(user)}
    assert client.post(url, asked, format="json").status_code == 200
    again = client.post(url, asked, format="json")
    assert (again.status_code, again.json()["code"]) == (400, "code_used")
    assert again.json()["errors"][0]["field"] == "code"


def test_a_code_freshens_the_session_as_well(user, url, by_session, new_code):
    client = by_session(user, verified_by=VerifiedBy.TRUSTED_DEVICE)
    assert client.post(url, {"period": "P60D", "code": new_code(user)}, format="json").status_code == 200
    assert client.post(url, {"period": "P30D"}, format="json").status_code == 200


def test_wrong_codes_are_refused_logged_and_slowed_down(user, url, by_token, new_code):
    wrong = f"{(int(new_code(user)) + 500_000) % 1_000_000:06d}"
    client = by_token(user)
    first, second = (client.post(url, {"period": "P60D", "code": wrong}, format="json") for _again in range(2))
    assert (first.status_code, first.json()["code"]) == (400, "code_mismatch")
    assert first.json()["errors"][0]["field"] == "code"
    assert (second.status_code, second.json()["code"]) == (429, "too_many_attempts")
    assert int(second["Retry-After"]) >= 1
    assert DeviceEvent.objects.filter(action="sign_in_failed", user=user).count() == 1
    assert not remembered()


@pytest.mark.parametrize("code", ["", " ", "x" * 65, None, 123456.5, [], "\uff11\uff12\uff13"])
def test_codes_that_cannot_be_are_refused(code, user, url, totp, by_token):
    response = by_token(user).post(url, {"period": "P60D", "code": code}, format="json")
    assert response.status_code in (400, 403)
    assert not remembered()


def test_factors_of_somebody_else_cannot_be_named(user, other_user, url, by_token, new_code):
    code = new_code(other_user)
    foreign = other_user.totpdevice_set.get().persistent_id
    response = by_token(user).post(url, {"period": "P60D", "code": code, "method": foreign}, format="json")
    assert (response.status_code, response.json()["code"]) == (400, "unknown_method")


def test_recovery_codes_earn_no_trust(user, url, by_token):
    static = StaticDevice.objects.create(user=user, name="recovery", confirmed=True)
    static.token_set.create(token="abcdefgh")
    asked = {"period": "P60D", "code": "abcdefgh", "method": static.persistent_id}
    response = by_token(user).post(url, asked, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "trust_not_allowed")
    assert not remembered()


def test_a_session_freshened_by_a_recovery_code_earns_no_trust_either(user, url, by_session):
    response = by_session(user, verified_by=VerifiedBy.RECOVERY).post(url, {"period": "P60D"}, format="json")
    assert response.json()["code"] == "trust_not_allowed"


@pytest.mark.parametrize("period", ["P61D", "P1D", "P0D", "P400D", "P9999D", "PT1S"])
def test_other_periods_are_refused_and_the_allowed_ones_named(period, user, url, by_session):
    response = by_session(user).post(url, {"period": period}, format="json")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "invalid_period")
    assert problem["allowed_periods"] == ["P30D", "P60D", "P90D"]
    assert problem["errors"][0]["field"] == "period"
    assert not remembered()


@pytest.mark.parametrize("period", [None, 60, "", "60 days", "-P60D", [], {"days": 60}, True])
def test_what_is_no_period_is_refused(period, user, url, by_session):
    response = by_session(user).post(url, {"period": period}, format="json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "period"


def test_a_period_that_is_refused_uses_up_no_code(user, url, by_token, new_code):
    client, code = by_token(user), new_code(user)
    assert client.post(url, {"period": "P61D", "code": code}, format="json").status_code == 400
    assert client.post(url, {"period": "P60D", "code": code}, format="json").status_code == 200


def test_a_device_whose_key_was_copied_has_to_sign_in_again(user, device, by_session, client_info):
    devices.mark_compromised(device, by=By(client=client_info, at=timezone.now()))
    response = by_session(user).post(f"/api/devices/{device.device_key}/remember/", {"period": "P60D"}, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "trust_not_allowed")
    assert not remembered()


def test_nobody_remembers_while_impersonating(user, url, by_session):
    client = by_session(user)
    session = client.session
    session["hijack_history"] = ["1"]
    session.save()
    assert client.post(url, {"period": "P60D"}, format="json").json()["code"] == "trust_not_allowed"


def test_staff_remember_under_the_policy_of_the_devices_user(stopped, operator, by_session, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "STAFF_MAX_PERIOD": timedelta(days=30)}
    url = f"/api/admin/devices/{stopped.device_key}/remember/"
    shown = by_session(operator).post(url, {"period": "P90D", "note": "Broken phone"}, format="json").json()
    assert (shown["status_reason"], shown["trust"], shown["trust_period"]) == ("staff_trusted", "trusted", "P90D")
    event = DeviceEvent.objects.filter(action="remembered").latest("pk")
    assert (event.actor, event.note, event.user) == (operator, "Broken phone", stopped.user)


def test_staff_need_a_second_factor_of_their_own(stopped, operator, by_token, new_code):
    url = f"/api/admin/devices/{stopped.device_key}/remember/"
    asked = {"period": "P60D", "note": "Asked by phone"}
    client = by_token(operator)
    assert client.post(url, asked, format="json").json()["code"] == "fresh_mfa_required"
    wrong_person = client.post(url, {**asked, "code": new_code(stopped.user)}, format="json")
    assert wrong_person.json()["code"] == "fresh_mfa_required"
    assert not remembered()
    assert client.post(url, {**asked, "code": new_code(operator)}, format="json").status_code == 200


def test_no_device_of_a_user_without_mfa_is_remembered(stopped, operator, by_session):
    stopped.user.totpdevice_set.all().delete()
    url = f"/api/admin/devices/{stopped.device_key}/remember/"
    response = by_session(operator).post(url, {"period": "P60D", "note": "Please"}, format="json")
    assert response.json()["code"] == "trust_not_allowed"
    assert not remembered()


def test_no_device_of_a_disabled_user_is_remembered(stopped, operator, by_session):
    type(stopped.user).objects.update(is_active=False)
    type(stopped.user).objects.filter(pk=operator.pk).update(is_active=True)
    url = f"/api/admin/devices/{stopped.device_key}/remember/"
    response = by_session(operator).post(url, {"period": "P60D", "note": "Please"}, format="json")
    assert response.json()["code"] == "trust_not_allowed"
