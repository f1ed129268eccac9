"""The session's note of how its user was verified."""

from datetime import timedelta

import pytest

from tests.conftest import NOW
from trusted_devices.policy import CLOCK_SKEW
from trusted_devices.types import VerifiedBy
from trusted_devices.web import session_note
from trusted_devices.web.session_note import SESSION_KEY, Verification

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def note(verified_by=VerifiedBy.MFA, **values):
    return Verification(**{"user_id": "7", "verified_by": verified_by, "at": NOW} | values)


@pytest.mark.parametrize("by", VerifiedBy)
def test_a_note_is_read_as_it_was_written(by):
    session = {}
    written = note(by, device_key="local_1", session_digest="d")
    session_note.write(session, written)
    assert session_note.read(session, "7") == written


def test_a_note_belongs_to_one_user():
    session = {}
    session_note.write(session, note())
    assert session_note.read(session, "8") is None
    assert session_note.read(session, "") is None


def test_a_session_without_a_note_has_none():
    assert session_note.read({}, "7") is None


def test_a_later_note_takes_the_place_of_an_earlier_one():
    session = {}
    session_note.write(session, note(VerifiedBy.PASSWORD))
    session_note.write(session, note(VerifiedBy.MFA))
    assert session_note.read(session, "7").verified_by is VerifiedBy.MFA


def test_a_note_can_be_removed_even_where_there_is_none():
    session = {}
    session_note.clear(session)
    session_note.write(session, note())
    session_note.clear(session)
    assert session == {}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        "text",
        [],
        ["user"],
        {},
        {"user": "7"},
        {"user": "7", "by": "mfa", "at": "noon", "device": "", "session": ""},
        {"user": "7", "by": "magic", "at": 1.0, "device": "", "session": ""},
        {"user": "7", "by": "mfa", "at": 1e300, "device": "", "session": ""},
        {"user": "7", "by": "mfa", "at": float("nan"), "device": "", "session": ""},
        {"user": "7", "by": "mfa", "at": 1.0},
    ],
)
def test_a_garbled_note_is_no_note(raw):
    assert session_note.read({SESSION_KEY: raw}, "7") is None


@pytest.mark.parametrize(
    ("by", "fresh"),
    [
        (VerifiedBy.MFA, True),
        (VerifiedBy.RECOVERY, True),
        (VerifiedBy.TRUSTED_DEVICE, False),
        (VerifiedBy.PASSWORD, False),
    ],
)
def test_only_a_real_second_factor_is_fresh(by, fresh):
    assert note(by).is_fresh(max_age=HOUR, now=NOW) is fresh


@pytest.mark.parametrize(
    ("by", "passed"),
    [
        (VerifiedBy.MFA, True),
        (VerifiedBy.RECOVERY, True),
        (VerifiedBy.TRUSTED_DEVICE, True),
        (VerifiedBy.PASSWORD, False),
    ],
)
def test_behind_everything_but_a_mere_password_stands_a_second_factor(by, passed):
    assert note(by).passed_mfa is passed


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(0), True),
        (HOUR - MICROSECOND, True),
        (HOUR, False),
        (-CLOCK_SKEW, True),
        (-CLOCK_SKEW - MICROSECOND, False),
    ],
    ids=["just now", "just within", "on the limit", "another clock is ahead", "from the future"],
)
def test_freshness_ends_at_the_very_limit(age, fresh):
    assert note().is_fresh(max_age=HOUR, now=NOW + age) is fresh
