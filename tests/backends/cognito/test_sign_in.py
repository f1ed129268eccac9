"""Signing in on the pages, with a pool in another process as the owner of users and devices."""

from __future__ import annotations

from tests.backends.cognito.conftest import Browser, Person, at
from trusted_devices.models import CognitoUser, Device, DeviceEvent


def test_a_trusted_device_signs_in_without_mfa_until_it_is_forgotten(browser: Browser, person: Person) -> None:
    assert at(browser.password(person)) == "sign_in_code"
    assert not browser.is_signed_in
    assert at(browser.code(person.code())) == "sign_in_trust"
    assert at(browser.trust("laptop")) == "home"
    assert browser.is_signed_in

    device = Device.objects.get()
    (owned,) = person.devices()
    assert owned == {"key": device.device_key, "status": "remembered", "name": "laptop"}
    assert (device.binding, device.status, device.name) == ("srp", "remembered", "laptop")
    assert (device.srp_salt, device.srp_verifier) == (None, None)
    assert CognitoUser.objects.get(sub=person.sub).user == device.user

    browser.sign_out()
    assert at(browser.password(person)) == "home"
    assert browser.is_signed_in
    assert DeviceEvent.objects.filter(action="signed_in", reason="trusted_device", device=device).exists()
