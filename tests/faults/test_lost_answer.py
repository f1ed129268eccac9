"""The database commits, and the answer to that gets lost."""

from tests.broken_database import answer_lost
from tests.web.views.browser import Browser, url
from trusted_devices.models import Device
from trusted_devices.testing import force_mfa_login, trust_device


def test_forgetting_the_current_device_leaves_no_session_behind(transactional_db, user, totp):
    browser = Browser(raise_request_exception=False)
    device = trust_device(browser, user)
    force_mfa_login(browser, user, device=device)
    assert browser.get(url("devices")).status_code == 200
    with answer_lost("^DELETE FROM .trusted_devices_device. "):
        assert browser.post(url("forget_device", device.device_key)).status_code == 503
    assert not Device.objects.exists()
    assert browser.get(url("devices")).status_code == 302
