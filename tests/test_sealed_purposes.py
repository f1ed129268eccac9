"""What is sealed for one purpose is opened for no other: each record of the package has a purpose of its own."""

import importlib
import pkgutil
from itertools import permutations

import pytest

import trusted_devices
from trusted_devices import cookies
from trusted_devices.crypto.sealing import Record, Unsealable


def records():
    found = {}
    for module in pkgutil.walk_packages(trusted_devices.__path__, "trusted_devices."):
        if ".migrations" not in module.name:
            names = vars(importlib.import_module(module.name))
            found |= {id(value): value for value in names.values() if isinstance(value, Record)}
    return list(found.values())


def test_no_two_records_have_one_purpose():
    purposes = [record.purpose for record in records()]
    assert len(purposes) > 8
    assert len({*purposes, cookies.CONTEXT}) == len(purposes) + 1


def test_no_record_opens_what_was_sealed_for_another():
    for one, other in permutations(records(), 2):
        with pytest.raises(Unsealable):
            other.open(one.seal({"a": 1}))
