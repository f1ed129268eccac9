"""The owner of the devices cannot be reached: every act is refused as a whole, every look still works."""

import pytest

from tests.api.test_roles import EVERYTHING, OWN, ask, name
from trusted_devices.models import Device, DeviceEvent


def _tells(case):
    method, _url, body, _status = case
    if method in ("get", "patch"):
        return False
    return not (body and "operation" in body and body.get("dry_run", True))


ACTS = [case for case in EVERYTHING if _tells(case)]
"""What changes status or existence. Names are nobody else's business, and a dry run tells nobody anything."""


@pytest.fixture
def unreachable(device, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"BACKEND": "tests.services.owner.AWAY"}
    return device


def person_for(case, user, operator):
    return user if case in OWN else operator


@pytest.mark.parametrize("case", ACTS, ids=name)
def test_no_act_is_half_done(case, unreachable, user, operator, by_token, new_code):
    person = person_for(case, user, operator)
    before = Device.objects.values().get()
    events = DeviceEvent.objects.count()
    response = ask(by_token(person), case, unreachable, new_code(person))
    assert (response.status_code, response.json()["code"]) == (503, "backend_unavailable")
    assert Device.objects.values().get() == before
    assert DeviceEvent.objects.count() == events


@pytest.mark.parametrize("case", [case for case in EVERYTHING if case not in ACTS], ids=name)
def test_what_tells_nobody_anything_still_works(case, unreachable, user, operator, by_token, new_code):
    person = person_for(case, user, operator)
    assert ask(by_token(person), case, unreachable, new_code(person)).status_code == case[3]
