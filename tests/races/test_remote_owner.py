"""Trust that several requests give at the same moment while somebody elsewhere owns the devices."""

from threading import Barrier

import pytest

from tests import factories
from tests.services.owner import GivesKeys
from tests.shared_database import PATIENCE, at_once
from trusted_devices.exceptions import AlreadyAnswered
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, granting
from trusted_devices.types import By

ROUNDS = 5


@pytest.fixture(autouse=True)
def owner(settings):
    GivesKeys.forget_everything()
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "tests.services.owner.GIVES_KEYS"}
    return GivesKeys


@pytest.fixture
def all_together(owner, monkeypatch):
    """Have so many requests wait for each other when the owner has done all that they asked for."""

    def wait_for(count):
        barrier, update = Barrier(count), owner.update_device_status

        def update_and_wait(self, device, status):
            update(self, device, status)
            barrier.wait(PATIENCE)

        monkeypatch.setattr(owner, "update_device_status", update_and_wait)

    return wait_for


def theirs(user):
    """The keys of the devices that the owner remembers."""
    return sorted(key for key, device in GivesKeys.owned[user.pk].items() if device.status == "remembered")


def ours():
    return sorted(Device.objects.remembered().values_list("device_key", flat=True))


@pytest.mark.parametrize("one_key", [False, True], ids=["a key for each", "one key for both"])
def test_two_tabs_that_answer_one_question_leave_one_device(user, owner, grant, one_key):
    for round_number in range(ROUNDS):
        question = f"question {round_number}"
        owner.keys += [f"eu-central-1_{round_number}"] * 2 * one_key
        answers = at_once(*[lambda question=question: grant(grant_id=question)] * 2)
        assert {type(answer) for answer in answers} == {granting.Grant, AlreadyAnswered}
        assert len(ours()) == round_number + 1
        assert ours() == theirs(user)


def test_two_tabs_with_keys_of_their_own_trust_one_device(user, grant, all_together):
    all_together(2)
    answers = at_once(*[lambda: grant(grant_id="question")] * 2)
    assert {type(answer) for answer in answers} == {granting.Grant, AlreadyAnswered}
    assert ours() == theirs(user)
    assert len(ours()) == 1


@pytest.mark.parametrize("stored", [0, 4, 5])
def test_tabs_that_confirm_devices_at_once_end_within_the_limit_on_both_sides(
    user, owner, now, grant, settings, all_together, stored
):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAX_DEVICES_PER_USER": 5}
    for device in factories.store_trusted(user, stored, now=now):
        owner.has(device)
    all_together(6)
    answers = at_once(*[grant] * 6)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert len(ours()) == Device.objects.of(user).count() == 5
    assert ours() == theirs(user)
    forgotten = DeviceEvent.objects.filter(action="forgotten", note="limit")
    assert forgotten.count() == stored + 6 - 5


def test_while_the_owner_is_asked_anybody_may_change_the_users_devices(user, owner, now, grant, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MAX_DEVICES_PER_USER": 3}
    for device in factories.store_trusted(user, 3, now=now):
        owner.has(device)
    asked, renamed = owner._asked, []

    def rename_all(self, about):
        asked(self, about)
        name = f"Name {len(renamed)}"
        renamed.extend(
            at_once(
                lambda: [
                    devices.rename(device=device, name=name, by=By(actor=user)) for device in Device.objects.of(user)
                ]
            )
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, "_asked", rename_all)
        grant()
    assert [len(done) for done in renamed] == [3, 3, 4]  # confirmed, remembered, and the longest unused forgotten
