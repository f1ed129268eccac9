"""A pool that fails in every way while staff, users, the sweep or the comparison act on devices.

Whatever fails is said to have failed and can be done again; nothing is lost or logged twice, and mirror and pool agree
in the end.
"""

import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import signed_in
from tests.cognito.conftest import at, new_person
from tests.faults.conftest import EVERY, TO_A_QUESTION, TO_AN_ORDER, agree, compare
from trusted_devices.cognito import budget
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.owners import remote
from trusted_devices.services import comparison, devices, expiry
from trusted_devices.types import By, StatusReason

LATER = timedelta(days=61)
ATTRIBUTE = "custom:trusted_until"
AT_ONCE = 0.1
"""Seconds to wait: the call that is broken is the first."""
STATUS, FORGET = "AdminUpdateDeviceStatus", "AdminForgetDevice"
ACTS = {"stop_trusting": STATUS, "forget_device": FORGET}
"""What users and staff do, and the call that tells the pool."""
NOTE = {"note": "Lost"}
IN_THE_ADMIN = {"stop_trusting": "stop-trusting", "forget_device": "delete"}
LATER_PAGE = "This is not possible right now. Nothing was changed; try again in a minute."
LATER_ADMIN = "The act stopped before its end (backend_unavailable); it can be repeated."
LATER_API = "The devices cannot be reached now. Try again later."


@pytest.fixture
def desk(db):
    """An operator's browser."""
    return signed_in(get_user_model().objects.create_superuser("olga", "olga@example.com", "pw"))


def by_api(desk, act, device):
    """What staff's program is answered."""
    url = f"/api/admin/devices/{device.device_key}/"
    if act == "forget_device":
        return desk.delete(f"{url}?note=Lost")
    return desk.post(f"{url}stop-trusting/", NOTE, content_type="application/json")


def in_admin(desk, act, device):
    """What staff read after they confirmed."""
    url = f"/admin/trusted_devices/device/{device.pk}/{IN_THE_ADMIN[act]}/"
    return str(desk.post(url, {"confirm": "1"}, follow=True).content.decode())


def on_own_page(browser, act, device):
    """What users read after they confirmed."""
    url = reverse(f"trusted_devices:{act}", args=[device.device_key])
    return str(browser.http.post(url, follow=True).content.decode())


def logged():
    """What the log says was done to devices since they were trusted."""
    ends = DeviceEvent.objects.filter(action__in=("not_remembered", "forgotten", "expired"))
    return list(ends.values_list("action", flat=True))


@pytest.fixture
def device(browser, person):
    """What the user trusts, and has signed in from."""
    browser.password(person)
    browser.code(person.code())
    assert at(browser.trust()) == "home"
    return Device.objects.get()


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        *(("stop_trusting", fault) for fault in EVERY if fault != "empty"),
        *(("forget_device", fault) for fault in TO_AN_ORDER),
    ],
)
def test_what_could_not_be_done_is_not_said_to_be_done_and_can_be_done_again(
    broken, desk, browser, person, device, act, fault
):
    with broken(ACTS[act], fault, seconds=AT_ONCE):
        assert LATER_PAGE in on_own_page(browser, act, device)
        answer = by_api(desk, act, device)
        assert (answer.status_code, answer.json()["detail"]) == (503, LATER_API)
        assert LATER_ADMIN in in_admin(desk, act, device)
    assert Device.objects.get().is_remembered
    assert logged() == []
    assert by_api(desk, act, device).status_code in (200, 204)
    assert not Device.objects.remembered().exists()
    assert agree(person)
    assert logged() == ["forgotten" if act == "forget_device" else "not_remembered"]


@pytest.mark.parametrize("act", ACTS)
def test_what_the_pool_did_though_nobody_heard_of_it_is_found_by_the_comparison(broken, desk, person, device, act):
    with broken(ACTS[act], "lost answer"):
        assert by_api(desk, act, device).status_code == 503
    assert not agree(person)
    compare()
    assert not Device.objects.remembered().exists()
    assert agree(person)


@pytest.mark.parametrize("act", ACTS)
def test_what_the_pool_claimed_and_did_not_do_is_found_by_the_comparison(broken, desk, browser, person, device, act):
    with broken(ACTS[act], "empty"):
        assert by_api(desk, act, device).status_code in (200, 204)
    browser.sign_out()
    assert at(browser.password(person)) == "sign_in_code"
    compare()
    assert agree(person)
    assert at(browser.password(person)) == "sign_in_code"


@pytest.mark.parametrize("fault", TO_AN_ORDER)
def test_a_device_that_cannot_be_remembered_again_skips_no_mfa(broken, desk, browser, person, device, fault):
    devices.stop_trusting([device], reason=StatusReason.USER_STOPPED, by=By())
    url = f"/api/admin/devices/{device.device_key}/remember/"

    def remember():
        return int(desk.post(url, {"period": "P30D", **NOTE}, content_type="application/json").status_code)

    with broken(STATUS, fault):
        assert remember() == 503
    assert not Device.objects.remembered().exists()
    compare()
    assert agree(person)
    assert remember() == 200
    assert agree(person)
    browser.sign_out()
    assert at(browser.password(person)) == "home"


@pytest.mark.parametrize(
    ("act", "fault"), [("stop_trusting", "lost answer"), ("stop_trusting", "throttled"), ("forget", "html")]
)
def test_a_bulk_operation_that_breaks_off_is_finished_by_repeating_it(
    proxy,
    desk,
    browser,
    process,
    monkeypatch,
    act,
    fault,
):
    monkeypatch.setattr(remote, "AT_ONCE", 2)
    people = [new_person(process, totp=True) for _ in range(3)]
    for person in people:
        browser.trusted_sign_in(person)
    step = FORGET if act == "forget" else STATUS
    fields = {"action": act, "_selected_action": [*Device.objects.values_list("pk", flat=True)], "confirm": "1"}
    proxy.breaks(step, "slow", times=1)
    proxy.meanwhile = lambda: proxy.breaks(step, fault)
    said = desk.post("/admin/trusted_devices/device/", fields, follow=True).content.decode()
    assert LATER_ADMIN in said
    assert Device.objects.remembered().count() == 2
    assert len(logged()) == 1
    proxy.heals()
    desk.post("/admin/trusted_devices/device/", fields, follow=True)
    assert not Device.objects.remembered().exists()
    assert len(logged()) == 3
    kept = {device.device_key: device.status for device in Device.objects.all()}
    assert kept == {owned["key"]: owned["status"] for person in people for owned in person.devices()}


@pytest.mark.parametrize("fault", TO_AN_ORDER)
def test_the_sweep_leaves_to_the_next_what_it_could_not_do(broken, person, device, fault):
    later = timezone.now() + LATER
    with broken(STATUS, fault):
        assert sum(expiry.expire_due(now=later)) == 0
    assert Device.objects.get().is_remembered
    assert logged() == []
    assert sum(expiry.expire_due(now=later)) == 1
    assert agree(person)
    assert logged() == ["expired"]


@pytest.mark.parametrize(
    ("step", "fault"),
    # An empty answer to the question for devices is one that says that there are none.
    [
        *(("AdminListDevices", fault) for fault in ("reset", "throttled", "html")),
        *((STATUS, fault) for fault in TO_AN_ORDER),
    ],
)
def test_the_comparison_leaves_to_the_next_whom_it_could_not_compare(broken, person, device, step, fault):
    Device.objects.update(status="not_remembered")
    now = timezone.now()
    with broken(step, fault):
        assert list(comparison.compare(since=now, now=now)) == []
    assert comparison.count(since=now) == 1
    assert Device.objects.get().pk == device.pk
    assert [found.drift for found in comparison.compare(since=now, now=now)] in (
        [{device.device_key: comparison.Drift.REMEMBERED_THERE_ONLY}],
        [{}],  # the pool had done it, though nobody heard of it
    )
    assert agree(person)
    assert comparison.count(since=now) == 0


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *(("AdminGetUser", fault) for fault in TO_A_QUESTION),
        *(("AdminUpdateUserAttributes", fault) for fault in TO_AN_ORDER),
    ],
)
def test_a_date_that_could_not_be_published_is_published_later(broken, person, device, settings, step, fault):
    options = {**settings.TRUSTED_DEVICES["COGNITO"], "EXPIRY_ATTRIBUTE": ATTRIBUTE}
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "COGNITO": options}
    with broken(step, fault):
        compare()
    assert CognitoUser.objects.get().synced_at is not None
    assert agree(person)
    compare()
    published = person.process.act("attribute", sub=person.sub, attribute=ATTRIBUTE)["value"]
    assert json.loads(published) == {device.device_key: int(device.trust_expires_at.timestamp())}


STORMS = {
    "AdminListDevices": lambda device: compare(),
    STATUS: lambda device: sum(expiry.expire_due(now=timezone.now() + LATER)),
    FORGET: lambda device: devices.forget([device], by=By()),
}


@pytest.mark.parametrize("step", STORMS)
def test_a_storm_that_ends_is_sat_out_in_the_background(proxy, person, device, monkeypatch, step):
    monkeypatch.setattr(remote, "AT_ONCE", 0)
    storm = budget.ATTEMPTS - 1
    proxy.breaks(step, "throttled", times=storm)
    proxy.seen.clear()
    STORMS[step](device)
    assert proxy.seen == [step] * (storm + 1)
    assert agree(person)
    assert Device.objects.remembered().exists() is (step == "AdminListDevices")


def test_a_sweep_gives_up_on_a_pool_that_is_away_and_says_so(proxy, browser, process, db):
    for _ in range(remote.GIVE_UP_AFTER + 1):
        browser.trusted_sign_in(new_person(process, totp=True))
    proxy.breaks("*", "reset")
    with pytest.raises(BackendUnavailable):
        list(expiry.expire_due(now=timezone.now() + LATER))
    assert Device.objects.remembered().count() == remote.GIVE_UP_AFTER + 1
    proxy.heals()
    assert sum(expiry.expire_due(now=timezone.now() + LATER)) == remote.GIVE_UP_AFTER + 1
