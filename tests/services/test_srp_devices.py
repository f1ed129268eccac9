"""Devices that prove a device password: confirming, remembering, and what their trust is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError

from tests.broken_database import broken, overlooked
from tests.bundled import bundled
from tests.conftest import NOW
from trusted_devices.crypto.verifier import SrpVerifier
from trusted_devices.exceptions import AlreadyAnswered, DeviceNotFound
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.policy import TrustPolicy
from trusted_devices.services import srp_devices
from trusted_devices.services.activity import stored_ip
from trusted_devices.services.srp_devices import Terms
from trusted_devices.types import (
    Binding,
    By,
    ClientInfo,
    DeviceStatus,
    MfaVerification,
    NewDevice,
    ProofState,
    StatusReason,
    TrackingMode,
    TrustReason,
)

DAY = timedelta(days=1)
GROUP = "-AbCdEf12"
READS_DEVICE = "^SELECT .*FROM .trusted_devices_device.?( |$)"
KEY = "us-east-1_0b6d5c1e-3f2a-4b77-9c55-2a7d1c0e9f10"
OPT_IN = Terms(tracking=TrackingMode.OPT_IN, skip_mfa=True)
ALWAYS = Terms(tracking=TrackingMode.ALWAYS, skip_mfa=True)


class Nobody(TrustPolicy):
    """No second factor earns trust."""

    def may_trust(self, *_arguments: Any) -> bool:
        return False


class OffersNothing(TrustPolicy):
    """Trust may be earned, and none is offered."""

    def offer(self, *_arguments: Any) -> None:
        return None


def new_device(device_key: str) -> NewDevice:
    return NewDevice(device_key=device_key, group_key=GROUP, secret="", binding=Binding.SRP)


@pytest.fixture
def confirm(user: Any, client_info: ClientInfo, verified: MfaVerification) -> Any:
    """Confirm a device of the user's, after MFA."""

    def confirm_it(terms: Terms = OPT_IN, **changes: Any) -> Device:
        arguments: dict[str, Any] = {
            "user": user,
            "new": new_device(KEY),
            "verifier": SrpVerifier(salt=5, verifier=7),
            "name": "Pixel 9",
            "terms": terms,
            "verification": verified,
            "client": client_info,
            "now": NOW,
        }
        return srp_devices.confirm(**bundled(arguments | changes))

    return confirm_it


@pytest.fixture
def remember(user: Any, client_info: ClientInfo, verified: MfaVerification) -> Any:
    """Have the user remember a device, after MFA."""

    def remember_it(device: Device, terms: Terms = OPT_IN, **changes: Any) -> Device:
        arguments = {"terms": terms, "verification": verified, "actor": user, "client": client_info, "now": NOW}
        srp_devices.remember(device, **bundled(arguments | changes))
        return Device.objects.get(pk=device.pk)

    return remember_it


@pytest.fixture
def decide(user: Any, client_info: ClientInfo) -> Any:
    """Why a device may or may not stand in for MFA."""

    def decide_it(device: Device, terms: Terms = OPT_IN, **changes: Any) -> TrustReason:
        arguments: dict[str, Any] = {"proof": ProofState.PASSED, "client": client_info, "now": NOW}
        device.refresh_from_db()
        return srp_devices.check(user=user, device=device, terms=terms, **bundled(arguments | changes)).reason

    return decide_it


def forget(device: Device) -> None:
    """Somebody else forgets the device meanwhile."""
    Device.objects.filter(pk=device.pk).delete()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Pixel 9", "Pixel 9"),
        ("  Pixel\r\n\t9  ", "Pixel 9"),
        ("\u202eenohP\u0007", "enohP"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("x" * 5000, "x" * 1024),
        ("\u0007", ""),
        ("", ""),
    ],
)
def test_a_clients_name_for_its_device_is_kept_as_far_as_it_can_be_shown(confirm: Any, given: str, kept: str) -> None:
    assert confirm(name=given).name == kept
    assert Device.objects.get().name == kept


def test_a_confirmed_device_is_found_by_its_own_user_pool_and_key_alone(
    confirm: Any, user: Any, other_user: Any
) -> None:
    device = confirm()
    assert srp_devices.find(user=user, group_key=GROUP, device_key=KEY) == device
    for wrong in (
        {"user": other_user, "group_key": GROUP, "device_key": KEY},
        {"user": user, "group_key": "-Other123", "device_key": KEY},
        {"user": user, "group_key": GROUP, "device_key": KEY.replace("0b", "0c")},
    ):
        with pytest.raises(DeviceNotFound):
            srp_devices.find(**wrong)


def test_a_key_is_confirmed_once(confirm: Any, other_user: Any) -> None:
    device = confirm()
    for owner in ({}, {"user": other_user}):
        with pytest.raises(AlreadyAnswered):
            confirm(**owner, name="another")
    assert Device.objects.get().name == device.name
    assert DeviceEvent.objects.count() == 1


def test_a_key_that_is_confirmed_twice_at_once_is_confirmed_once(confirm: Any) -> None:
    confirm()
    with overlooked(READS_DEVICE, "trusted_devices_device"), pytest.raises(AlreadyAnswered) as refused:
        confirm(name="another")
    assert isinstance(refused.value.__cause__, IntegrityError)
    assert [device.name for device in Device.objects.all()] == ["Pixel 9"]
    assert DeviceEvent.objects.count() == 1


def test_a_device_whose_confirmation_cannot_be_logged_is_not_confirmed(confirm: Any) -> None:
    with pytest.raises(DatabaseError), broken("^INSERT INTO .trusted_devices_deviceevent") as refused:
        confirm()
    assert refused
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("terms", "status", "reason"),
    [
        (OPT_IN, DeviceStatus.NOT_REMEMBERED, StatusReason.CONFIRMED),
        (ALWAYS, DeviceStatus.REMEMBERED, StatusReason.TRACKING_ALWAYS),
    ],
)
def test_confirming_remembers_where_every_device_is(
    confirm: Any, terms: Terms, status: DeviceStatus, reason: StatusReason
) -> None:
    device = confirm(terms)
    device.refresh_from_db()
    assert (device.status, device.status_reason) == (status, reason)
    assert (device.trust_expires_at == NOW + 60 * DAY) is (terms is ALWAYS)


@pytest.mark.parametrize(
    ("terms", "expires"),
    [
        (OPT_IN, NOW + 60 * DAY),
        (replace(OPT_IN, period=7 * DAY), NOW + 7 * DAY),
        (replace(OPT_IN, period=365 * DAY), NOW + 90 * DAY),
    ],
)
def test_trust_lasts_as_long_as_the_pool_says_and_the_site_allows(
    confirm: Any, remember: Any, decide: Any, terms: Terms, expires: Any
) -> None:
    device = remember(confirm(), terms)
    assert device.trust_expires_at == expires
    assert decide(device, terms) is TrustReason.TRUSTED
    assert decide(device, terms, now=expires) is TrustReason.EXPIRED


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (OPT_IN, TrustReason.TRUSTED),
        (replace(OPT_IN, skip_mfa=False), TrustReason.POLICY_FORBIDS),
        (replace(OPT_IN, tracking=TrackingMode.OFF), TrustReason.POLICY_FORBIDS),
        (replace(OPT_IN, period=timedelta(0)), TrustReason.EXPIRED),
    ],
)
def test_a_pool_may_ask_for_more_than_the_site(
    confirm: Any, remember: Any, decide: Any, terms: Terms, reason: TrustReason
) -> None:
    device = remember(confirm())
    assert decide(device, terms) is reason
    refusals = DeviceEvent.objects.filter(action="trust_refused").values_list("reason", flat=True)
    assert list(refusals) == ([] if reason is TrustReason.TRUSTED else [reason])


@pytest.mark.parametrize(
    ("proof", "reason"),
    [(ProofState.MISSING, TrustReason.PROOF_MISSING), (ProofState.FAILED, TrustReason.PROOF_FAILED)],
)
def test_a_device_that_does_not_prove_itself_is_not_trusted(
    confirm: Any, remember: Any, decide: Any, proof: ProofState, reason: TrustReason
) -> None:
    assert decide(remember(confirm()), proof=proof) is reason


@pytest.mark.parametrize("policy", [Nobody, OffersNothing])
def test_a_device_remembered_without_trust_is_asked_for_mfa(
    confirm: Any, remember: Any, decide: Any, settings: Any, policy: type[TrustPolicy]
) -> None:
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "POLICY": f"{__name__}.{policy.__name__}"}
    device = remember(confirm())
    assert (device.is_remembered, device.trust_granted_at) == (True, None)
    assert decide(device) is not TrustReason.TRUSTED
    if policy is OffersNothing:
        # The pool's own period needs no offer.
        assert remember(device, replace(OPT_IN, period=DAY)).trust_expires_at == NOW + DAY


def test_an_mfa_longer_ago_than_its_period_earns_nothing(
    confirm: Any, remember: Any, verified: MfaVerification
) -> None:
    device = remember(confirm(), replace(OPT_IN, period=DAY), verification=replace(verified, at=NOW - DAY))
    assert (device.is_remembered, device.trust_expires_at) == (True, None)


def test_remembering_again_by_the_same_mfa_changes_and_logs_nothing(
    confirm: Any, remember: Any, verified: MfaVerification
) -> None:
    device = remember(confirm())
    for verification in (verified, None):
        again = remember(device, verification=verification, now=NOW + DAY)
        assert again.modified_at == device.modified_at
    later = remember(device, verification=replace(verified, at=NOW + DAY), now=NOW + DAY)
    assert later.trust_expires_at == NOW + 61 * DAY
    assert DeviceEvent.objects.filter(action="remembered").count() == 2


@pytest.mark.parametrize("was_remembered", [True, False])
def test_who_stopped_trust_is_kept_also_where_there_was_none(
    confirm: Any, remember: Any, client_info: ClientInfo, was_remembered: bool
) -> None:
    device = confirm()
    if was_remembered:
        device = remember(device)
    srp_devices.stop(device, reason=StatusReason.STAFF_STOPPED, by=By(actor=None, client=client_info, at=NOW + DAY))
    device.refresh_from_db()
    assert (device.is_remembered, device.status_reason) == (False, StatusReason.STAFF_STOPPED)
    assert device.status_changed_at == NOW + DAY
    assert DeviceEvent.objects.filter(action="not_remembered").count() == was_remembered


@pytest.mark.parametrize(
    ("terms", "stopped", "renewed"),
    [
        (OPT_IN, None, False),
        (OPT_IN, StatusReason.EXPIRED, False),
        (ALWAYS, StatusReason.EXPIRED, True),
        (ALWAYS, StatusReason.USER_STOPPED, False),
        (ALWAYS, StatusReason.STAFF_STOPPED, False),
        (ALWAYS, StatusReason.COMPROMISED, False),
    ],
)
def test_mfa_renews_trust_only_unasked_and_unless_ended_on_purpose(
    confirm: Any,
    client_info: ClientInfo,
    verified: MfaVerification,
    terms: Terms,
    stopped: StatusReason | None,
    renewed: bool,
) -> None:
    device = confirm(terms)
    if stopped is not None:
        srp_devices.stop(device, reason=stopped, by=By(actor=None, client=client_info, at=NOW))
    later = NOW + DAY
    srp_devices.authenticated(
        device, terms=terms, verification=replace(verified, at=later), by=By(client=client_info, at=later)
    )
    device.refresh_from_db()
    assert (device.is_remembered, device.last_authenticated_at) == (renewed, later)


def test_a_device_that_is_forgotten_meanwhile_is_neither_remembered_nor_noted(
    confirm: Any, remember: Any, client_info: ClientInfo, verified: MfaVerification
) -> None:
    device = confirm()
    forget(device)
    with pytest.raises(DeviceNotFound):
        remember(device)
    with pytest.raises(DeviceNotFound):
        srp_devices.authenticated(device, terms=ALWAYS, verification=verified, by=By(client=client_info, at=NOW))
    assert not Device.objects.exists()


def test_a_sign_in_without_an_agent_leaves_the_one_that_is_known(confirm: Any, client_info: ClientInfo) -> None:
    device = confirm()
    nameless = replace(client_info, user_agent="", ip_address="198.51.100.9")
    srp_devices.authenticated(device, terms=OPT_IN, verification=None, by=By(client=nameless, at=NOW + DAY))
    device.refresh_from_db()
    assert (device.user_agent, device.last_ip) == (client_info.user_agent, stored_ip("198.51.100.9"))
    assert not device.is_remembered


def test_a_device_counts_as_remembered_until_its_trust_ends_not_the_sweep(
    confirm: Any, remember: Any, user: Any
) -> None:
    never = confirm()
    without_mfa = remember(confirm(new=new_device(KEY.replace("0b", "0c"))), verification=None)
    trusted = remember(confirm(new=new_device(KEY.replace("0b", "0d"))))
    for now, expected in ((NOW + 60 * DAY - timedelta(seconds=1), True), (NOW + 60 * DAY, False)):
        counts = srp_devices.remembered_at(now, user=user, terms=OPT_IN)
        assert [counts(device) for device in (never, without_mfa, trusted)] == [False, True, expected]


@pytest.mark.parametrize(
    ("later", "expires"), [(59 * DAY, NOW + 60 * DAY), (60 * DAY, None)], ids=["not ended", "ended"]
)
def test_staff_take_up_trust_that_was_earned_and_has_not_ended_and_make_none(
    confirm: Any, remember: Any, client_info: ClientInfo, later: timedelta, expires: Any
) -> None:
    device = remember(confirm())
    srp_devices.stop(device, reason=StatusReason.STAFF_STOPPED, by=By(actor=None, client=client_info, at=NOW))
    device = remember(device, verification=None, actor=None, now=NOW + later)
    assert (device.is_remembered, device.status_reason) == (True, StatusReason.STAFF_TRUSTED)
    assert device.trust_expires_at == expires
