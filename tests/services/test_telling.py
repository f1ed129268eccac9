"""Telling whoever owns the devices of a change, before the mirror is written."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.services.owner import Elsewhere
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device
from trusted_devices.services import telling


@pytest.fixture(autouse=True)
def _elsewhere() -> None:
    Elsewhere.forget_everything()


def some(count: int) -> list[Device]:
    return [Device(user_id=7, device_key=f"key-{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("act", "words"), [(telling.no_longer_remembered, "not_remembered"), (telling.forgotten, "forgotten")]
)
def test_each_device_is_told_of(act: Any, words: str) -> None:
    devices = some(2)
    assert telling.tell(Elsewhere(), devices, act) == (devices, None)
    assert Elsewhere.told == [("key-0", words), ("key-1", words)]


@pytest.mark.parametrize(("count", "turns"), [(telling.AT_ONCE, 0), (telling.AT_ONCE + 1, telling.AT_ONCE + 1)])
def test_more_than_a_person_has_in_hand_wait_for_their_turn(count: int, turns: int) -> None:
    telling.tell(Elsewhere(), some(count), telling.forgotten)
    assert Elsewhere.turns == [7] * turns


@pytest.mark.parametrize("count", [3, 10])
def test_those_that_were_told_of_are_named_with_what_came_between(count: int, caplog: pytest.LogCaptureFixture) -> None:
    Elsewhere.away.add("key-2")
    devices = some(count)
    with caplog.at_level(logging.ERROR):
        told, failure = telling.tell(Elsewhere(), devices, telling.forgotten)
    assert told == devices[:2]
    assert isinstance(failure, BackendUnavailable)
    assert f"The owner of {count} devices was told of 2 only, not of key-2." in caplog.text
