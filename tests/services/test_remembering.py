"""Remembering a device that is confirmed already."""

from contextlib import nullcontext
from datetime import timedelta
from functools import partial

import pytest

from tests import factories
from tests.conftest import NOW
from tests.services.owner import Away
from trusted_devices import signals
from trusted_devices.exceptions import (
    BackendUnavailable,
    DeviceNotFound,
    FreshMfaRequired,
    InvalidPeriod,
    TrustNotAllowed,
)
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, registration, remembering, trust
from trusted_devices.types import By, MfaVerification, Presented, StatusReason, TrackingMode, TrustReason

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def confirmed(user, totp, client_info, now):
    return registration.confirm(user=user, name="Tablet", by=By(client=client_info, at=now))


def remember(device, verified, client_info, now, period=30 * DAY, actor=None, note=""):
    return remembering.remember(
        device,
        period=period,
        verification=verified,
        by=By(actor=actor or device.user, note=note, client=client_info, at=now),
    )


def check(user, credential, client_info, now):
    presented = Presented(credential=credential)
    return trust.check(user=user, presented=presented, mfa_active=True, by=By(client=client_info, at=now))


def test_a_remembered_device_skips_mfa_until_its_date_and_not_on_it(confirmed, user, verified, client_info, now):
    device, credential = confirmed
    assert check(user, credential, client_info, now).decision.reason is TrustReason.NOT_REMEMBERED
    remember(device, verified, client_info, now)
    credential = check(user, credential, client_info, now + 29 * DAY).credential
    assert credential is not None
    assert check(user, credential, client_info, now + 30 * DAY).decision.reason is TrustReason.EXPIRED


def test_what_is_returned_is_what_is_stored(confirmed, verified, client_info, now):
    returned = remember(confirmed[0], verified, client_info, now)
    stored = Device.objects.get()
    for field in Device._meta.fields:
        assert getattr(returned, field.attname) == getattr(stored, field.attname), field.name


def test_the_signal_and_the_log_tell_of_it(confirmed, verified, client_info, now, django_capture_on_commit_callbacks):
    told = []

    def listen(sender, device, new, **rest):
        told.append((device.device_key, new))

    signals.device_remembered.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            remember(confirmed[0], verified, client_info, now)
            remember(confirmed[0], verified, client_info, now + DAY)
    finally:
        signals.device_remembered.disconnect(listen)
    assert told == [(confirmed[0].device_key, True), (confirmed[0].device_key, False)]
    assert DeviceEvent.objects.filter(action="remembered", reason="user_trusted").count() == 2


def test_staff_are_named_in_the_log_and_earn_it_with_no_factor_of_the_user(
    confirmed, other_user, verified, client_info, now
):
    device = remember(confirmed[0], verified, client_info, now, actor=other_user, note="Asked by phone")
    assert (device.status_reason, device.mfa_factor) == (StatusReason.STAFF_TRUSTED, "")
    event = DeviceEvent.objects.get(action="remembered")
    assert (event.actor, event.note) == (other_user, "Asked by phone")


@pytest.mark.parametrize(
    ("act", "by_staff", "after", "refused"),
    [
        (devices.forget, True, MINUTE, True),
        (devices.forget, True, -MINUTE, False),
        (devices.forget, False, MINUTE, False),
        (partial(devices.shorten_trust, until=NOW + DAY), True, MINUTE, False),
    ],
    ids=["ended by staff", "ended before by staff", "ended by the user", "shortened by staff"],
)
def test_mfa_from_before_staff_ended_trust_earns_none_on_any_device(
    confirmed, user, other_user, verified, client_info, now, act, by_staff, after, refused
):
    another = factories.remembered(user, expires_at=now + 30 * DAY)
    another.save()
    act([another], by=By(actor=other_user if by_staff else user, at=now + after))
    with pytest.raises(FreshMfaRequired) if refused else nullcontext():
        remember(confirmed[0], verified, client_info, now + 2 * MINUTE)


def test_a_period_outside_the_policy_is_refused_and_the_allowed_ones_named(confirmed, verified, client_info, now):
    with pytest.raises(InvalidPeriod) as refusal:
        remember(confirmed[0], verified, client_info, now, period=31 * DAY)
    assert refusal.value.allowed == (30 * DAY, 60 * DAY, 90 * DAY)
    assert not Device.objects.remembered().exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda user, device: setattr(user, "is_active", False) or user.save(),
        lambda user, device: user.totpdevice_set.all().delete(),
        lambda user, device: Device.objects.update(confirmed_at=None),
        lambda user, device: Device.objects.update(status_reason=StatusReason.COMPROMISED),
    ],
    ids=["disabled", "without MFA", "not confirmed", "copied"],
)
def test_some_devices_are_never_remembered_from_elsewhere(spoil, confirmed, user, verified, client_info, now):
    spoil(user, confirmed[0])
    with pytest.raises(TrustNotAllowed):
        remember(Device.objects.get(), verified, client_info, now)
    assert not Device.objects.remembered().exists()


def test_a_recovery_code_earns_no_trust_unless_the_site_says_so(confirmed, client_info, now, settings):
    recovered = MfaVerification(kind="recovery", factor_id="x", at=now, recovery=True)
    with pytest.raises(TrustNotAllowed):
        remember(confirmed[0], recovered, client_info, now)
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "TRUST_AFTER_RECOVERY_CODE": True}
    assert remember(confirmed[0], recovered, client_info, now).is_remembered


def test_nothing_is_remembered_where_no_device_is_tracked(confirmed, verified, client_info, now, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "TRACKING": TrackingMode.OFF.value}
    with pytest.raises(TrustNotAllowed):
        remember(confirmed[0], verified, client_info, now)


def test_a_device_that_was_forgotten_meanwhile_is_not_found(confirmed, verified, client_info, now):
    seen = Device.objects.select_related("user").get()
    devices.forget([seen], by=By(at=now))
    with pytest.raises(DeviceNotFound):
        remember(confirmed[0], verified, client_info, now)
    assert not Device.objects.exists()


def test_a_backend_that_cannot_be_reached_leaves_everything_as_it_was(
    confirmed, verified, client_info, now, monkeypatch
):
    monkeypatch.setattr(remembering, "get_owner", Away)
    with pytest.raises(BackendUnavailable):
        remember(confirmed[0], verified, client_info, now)
    assert not Device.objects.remembered().exists()
    assert not DeviceEvent.objects.filter(action="remembered").exists()
