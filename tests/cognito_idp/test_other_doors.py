"""A device that an SDK confirmed, as the site's other doors show and treat it."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import signed_in
from tests.admin.test_bulk_operations import choose, confirm
from tests.cognito_idp.wire import Refused
from trusted_devices.models import Device
from trusted_devices.tasks import expire_devices
from trusted_devices.types import StatusReason

NAME = "Pixel of Maria"


@pytest.fixture
def sdk(mfa_app, totp):
    """An app whose device its user confirmed and remembered."""
    mfa_app.sign_in(totp)
    mfa_app.confirm(NAME)
    mfa_app.set_status("remembered")
    return mfa_app


@pytest.fixture
def browser(user):
    """The user's browser, which is no device of theirs."""
    return signed_in(user)


@pytest.fixture
def desk(db):
    """A superuser's browser."""
    return signed_in(get_user_model().objects.create_superuser("olga", "olga@example.com", "pw"))


def listed(app):
    """The keys that ListDevices names."""
    return [device["DeviceKey"] for device in app.wire.call("ListDevices", AccessToken=app.access_token)["Devices"]]


def test_its_user_sees_it_on_their_page_and_over_rest(sdk, browser):
    page = browser.get(reverse("trusted_devices:devices")).content.decode()
    assert NAME in page
    assert reverse("trusted_devices:forget_device", args=[sdk.device_key]) in page
    (device,) = browser.get("/api/devices/").json()["results"]
    assert (device["device_key"], device["name"], device["status"]) == (sdk.device_key, NAME, "remembered")


def test_its_user_stops_trusting_it_and_forgets_it_on_their_page(sdk, browser):
    browser.post(reverse("trusted_devices:stop_trusting", args=[sdk.device_key]))
    assert listed(sdk) == []
    assert sdk.password_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    browser.post(reverse("trusted_devices:forget_device", args=[sdk.device_key]))
    with pytest.raises(Refused, match="ResourceNotFoundException: Device does not exist\\."):
        sdk.password_sign_in()
    with pytest.raises(Refused, match="NotAuthorizedException: Access Token has been revoked"):
        listed(sdk)


def test_staff_see_it_in_the_admin_and_forget_it_there(sdk, desk):
    page = desk.get(reverse("admin:trusted_devices_device_changelist")).content.decode()
    assert NAME in page
    device = Device.objects.get()
    assert confirm(desk, choose(desk, "stop_trusting", [device])).status_code == 200
    assert sdk.password_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert confirm(desk, choose(desk, "forget", [device])).status_code == 200
    with pytest.raises(Refused, match="Device does not exist\\."):
        sdk.password_sign_in()


@pytest.mark.parametrize("sweep", [expire_devices, lambda: call_command("expire_devices")])
def test_the_sweep_expires_it_and_its_next_sign_in_is_asked_for_mfa(sdk, totp, sweep):
    assert listed(sdk) == [sdk.device_key]
    with time_machine.travel(timezone.now() + timedelta(days=60, seconds=1), tick=False):
        sweep()
        device = Device.objects.get()
        assert (device.is_remembered, device.status_reason) == (False, StatusReason.EXPIRED)
        answer = sdk.password_sign_in()
        sdk.tokens = sdk.prove_device(sdk.answer_mfa(answer, totp))["AuthenticationResult"]
        assert listed(sdk) == []
        sdk.set_status("remembered")
        assert sdk.password_sign_in()["ChallengeName"] == "DEVICE_SRP_AUTH"
        assert (Device.objects.get().pk, Device.objects.get().name) == (device.pk, NAME)
