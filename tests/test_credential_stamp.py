"""What was proved is good only while the password and all second factors stand, however they are changed."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core import serializers
from django.db import connection
from django.test import RequestFactory
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.conftest import NOW
from tests.web.views.browser import Browser, code_of, url
from trusted_devices.decorators import has_fresh_mfa
from trusted_devices.exceptions import FreshMfaRequired
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, granting, remembering, stamps
from trusted_devices.services.granting import TrustChoice
from trusted_devices.testing import make_device
from trusted_devices.types import By, MfaMethod, MfaVerification, Presented, StatusReason

KEY = "ab" * 20
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LATER = NOW + 2 * MINUTE


def users(user):
    return type(user).objects.filter(pk=user.pk)


def removed(user):
    rows = TOTPDevice.objects.filter(user=user)
    rows._raw_delete(rows.db)


def keyed_anew_by_a_fixture(user):
    kept = serializers.serialize("json", TOTPDevice.objects.filter(user=user))
    for row in serializers.deserialize("json", kept):
        row.object.key = KEY
        row.save()


def keyed_anew_by_sql(user):
    with connection.cursor() as cursor:
        column = connection.ops.quote_name("key")
        cursor.execute(f"UPDATE otp_totp_totpdevice SET {column} = %s WHERE user_id = %s", [KEY, user.pk])


def joined(user):
    HOTPDevice.objects.bulk_create([HOTPDevice(user=user, name="token", confirmed=True)])


def replaced(user):
    removed(user)
    TOTPDevice.objects.bulk_create([TOTPDevice(user=user, name="another", confirmed=True)])


def given_another_password(user):
    users(user).update(password=make_password("correct horse"))


CHANGES = {
    change.__name__: change
    for change in (removed, keyed_anew_by_a_fixture, keyed_anew_by_sql, joined, replaced, given_another_password)
}
"""Ways past Django's signals, and with the same password typed as before."""


@pytest.fixture(params=CHANGES)
def change(request, user, totp):
    return lambda: CHANGES[request.param](user)


@pytest.fixture
def browser(user, totp, settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0
    return Browser()


def test_a_trusted_device_skips_no_code_any_more(browser, totp, change):
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    change()
    browser.enter_password()
    assert not DeviceEvent.objects.filter(action="signed_in", reason="trusted_device").exists()


def test_the_devices_page_says_that_it_is_trusted_no_longer(browser, totp, user):
    browser.sign_in_and_trust(totp)
    joined(user)
    assert "Password or second factor changed" in browser.get(url("devices")).content.decode()


def test_nobody_earns_trust_who_waits_at_the_question(browser, totp, change):
    browser.enter_password()
    browser.enter_code(code_of(totp))
    change()
    assert browser.trust()["Location"].startswith(url("sign_in"))
    assert not browser.user_id
    assert not Device.objects.exists()


def test_nobody_gets_in_either_who_declines_then(browser, totp, user):
    browser.enter_password()
    browser.enter_code(code_of(totp))
    joined(user)
    browser.not_now()
    assert not browser.user_id


def test_nobody_gets_in_who_waits_at_the_code(browser, totp, user):
    browser.enter_password()
    joined(user)
    assert browser.enter_code(code_of(totp))["Location"].startswith(url("sign_in"))
    assert not browser.user_id


def test_a_second_factor_is_not_fresh_any_more(browser, totp, change):
    browser.sign_in_and_trust(totp)
    request = RequestFactory().get("/")
    request.session, request.user = browser.session, Device.objects.get().user
    assert has_fresh_mfa(request, timedelta(hours=1))
    change()
    request.user.refresh_from_db()
    assert not has_fresh_mfa(request, timedelta(hours=1))


def test_what_using_a_factor_changes_leaves_everything_as_it_is(browser, user, totp):
    mail = EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    hotp = HOTPDevice.objects.create(user=user, name="token", confirmed=True)
    before = stamps.current(user)
    mail.generate_challenge()
    type(totp).objects.update(
        last_t=7, drift=1, throttling_failure_count=3, name="Renamed", last_used_at=totp.created_at
    )
    type(hotp).objects.update(counter=9)
    StaticDevice.objects.create(user=user, name="recovery", confirmed=True)
    TOTPDevice.objects.create(user=user, name="begun", confirmed=False)
    assert stamps.current(user) == before


def test_codes_that_go_to_another_address_are_another_factor(user):
    EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    before = stamps.current(user)
    users(user).update(email="elsewhere@example.com")
    user.refresh_from_db()
    assert stamps.current(user) != before


def test_a_provider_that_cannot_tell_still_notices_which_factors_there_are(user):
    phone, key = (MfaMethod(id=name, kind="codes", label=name) for name in ("phone", "key"))
    recovery = MfaMethod(id="paper", kind="codes", label="paper", recovery=True)
    taken = stamps.credential_stamp(user, [phone])
    assert stamps.credential_stamp(user, [phone, recovery]) == taken
    assert len({taken, stamps.credential_stamp(user, [phone, key]), stamps.credential_stamp(user, [])}) == 3


class TestAnActThatEndedTrust:
    """Whoever waits with a second factor from before cannot undo it."""

    @pytest.fixture
    def grant(self, user, client_info, sixty_days):
        def grant_it(verified_at, credential=None):
            return granting.grant(
                user=user,
                verification=MfaVerification(kind="totp", factor_id="f", at=verified_at),
                presented=Presented(credential=credential),
                choice=TrustChoice(period=sixty_days),
                by=By(client=client_info, at=LATER),
            )

        return grant_it

    @pytest.mark.parametrize("act", ["stopped", "forgotten", "copied"])
    def test_by_staff_or_by_the_alarm_outdates_what_was_verified_before(self, act, grant, user, other_user):
        device = grant(NOW - DAY).device
        by = By(actor=other_user, at=NOW)
        if act == "stopped":
            devices.stop_trusting([device], reason=StatusReason.STAFF_STOPPED, by=by)
        elif act == "forgotten":
            devices.forget([device], by=by)
        else:
            devices.mark_compromised(device, by=By(at=NOW))
        with pytest.raises(FreshMfaRequired):
            grant(NOW - MINUTE)
        assert grant(NOW + MINUTE).device.is_remembered

    def test_by_the_user_outdates_it_for_the_device_in_hand(self, grant, user):
        granted = grant(NOW - DAY)
        devices.stop_trusting([granted.device], reason=StatusReason.USER_STOPPED, by=By(actor=user, at=NOW))
        with pytest.raises(FreshMfaRequired):
            grant(NOW - MINUTE, granted.credential)
        assert grant(NOW - MINUTE).device.is_remembered

    def test_and_for_remembering_from_elsewhere(self, grant, user, totp, sixty_days):
        device = grant(NOW - DAY).device
        devices.stop_trusting([device], reason=StatusReason.USER_STOPPED, by=By(actor=user, at=NOW))
        verification = MfaVerification(kind="totp", factor_id="f", at=NOW - MINUTE)
        with pytest.raises(FreshMfaRequired):
            remembering.remember(device, period=sixty_days, verification=verification, by=By(actor=user, at=LATER))

    def test_of_expiry_outdates_nothing(self, grant, user):
        granted = grant(NOW - DAY)
        Device.objects.update(status="not_remembered", status_reason="expired", status_changed_at=NOW)
        assert grant(NOW - MINUTE, granted.credential).device.is_remembered


def test_remembering_takes_a_second_factor_that_still_stands(user, totp, client_info, sixty_days):
    device = make_device(user, now=NOW)
    verification = MfaVerification(kind="totp", factor_id="f", at=NOW, stamp=stamps.current(user))
    joined(user)
    with pytest.raises(FreshMfaRequired):
        remembering.remember(device, period=sixty_days, verification=verification, by=By(actor=user, at=NOW))
