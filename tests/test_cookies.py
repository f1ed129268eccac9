"""The device-key cookie: what it holds, what it refuses, how long it may be."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import NOW
from trusted_devices import cookies
from trusted_devices.conf import secret_keys
from trusted_devices.cookies import MAX_DISPLACED, MAX_ENTRIES, MAX_LENGTH, REVIVAL_PERIOD, DeviceCookie
from trusted_devices.crypto.sealing import OVERHEAD, Sealer
from trusted_devices.types import DeviceCredential, Presented

DAY = timedelta(days=1)
EMPTY = DeviceCookie()
UNREADABLE = DeviceCookie(unreadable=True)


def credential(user_id="1", **values):
    defaults = {
        "user_id": user_id,
        "device_key": "local_0c6a7a5e-7f3e-4f0a-9a52-6f1d1b8a2f11",
        "secret": "s" * 43,
        "generation": 3,
        "group_key": "-Ab12Cd34",
        "expires_at": NOW + 60 * DAY,
    }
    return DeviceCredential(**defaults | values)


def sealed(payload):
    return Sealer(keys=secret_keys(), context=cookies.CONTEXT).seal(payload)


def test_what_a_browser_was_given_it_brings_back():
    held = EMPTY.put(credential("1")).put(credential("2", expires_at=None, group_key=""))
    assert cookies.load(cookies.dump(held)) == held


def test_a_user_who_declined_is_not_asked_until_they_trust_or_take_it_back():
    held = EMPTY.put(credential("1")).decline("2").decline("3").decline("2")
    assert cookies.load(cookies.dump(held)) == held
    assert held.declined == ("2", "3")
    assert held.drop("1").declined == ("2", "3")
    assert not held.drop("1").is_empty
    assert held.put(credential("2")).declined == ("3",)
    assert held.put(credential("4")).declined == ("2", "3")
    assert held.ask_again("2").ask_again("3") == EMPTY.put(credential("1"))


def test_a_browser_of_many_people_forgets_first_who_declined_first():
    held = EMPTY
    for number in range(MAX_ENTRIES + 1):
        held = held.decline(str(number))
    assert held.declined == tuple(str(number) for number in range(MAX_ENTRIES, 0, -1))


CREDENTIALS = st.builds(
    DeviceCredential,
    user_id=st.text(min_size=1, max_size=255),
    device_key=st.text(max_size=55),
    secret=st.text(max_size=43),
    generation=st.integers(0, 2**31),
    group_key=st.text(max_size=16),
    expires_at=st.none() | st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


@given(CREDENTIALS)
def test_any_single_credential_makes_the_round_trip(entry):
    assert cookies.load(cookies.dump(EMPTY.put(entry))).entries == (entry,)


@given(st.lists(CREDENTIALS, max_size=MAX_ENTRIES + 4))
@example([credential(str(number) * 255, secret="\U0001f600" * 43) for number in range(10)])
def test_however_many_users_share_a_browser_the_cookie_stays_below_its_ceiling(entries):
    held = EMPTY
    for entry in entries:
        held = held.put(entry)
    value = cookies.dump(held)
    assert len(value) <= MAX_LENGTH
    loaded = cookies.load(value)
    assert not loaded.unreadable
    assert loaded.entries == held.entries[: len(loaded.entries)], "the least recently used go first"


def test_sixteen_users_of_an_ordinary_site_find_room():
    held = EMPTY
    for number in range(MAX_ENTRIES):
        held = held.put(credential(str(1000 + number)))
    assert len(cookies.load(cookies.dump(held)).entries) >= 12


def test_each_user_presents_only_their_own_credential():
    held = EMPTY.put(credential("1")).put(credential("2"))
    assert held.present("2") == Presented(credential=credential("2"))
    assert held.present("3") == Presented()


def test_a_new_credential_takes_the_place_of_its_users_earlier_one():
    held = EMPTY.put(credential("1", generation=1)).put(credential("2")).put(credential("1", generation=2))
    assert [(entry.user_id, entry.generation) for entry in held.entries] == [("1", 2), ("2", 3)]


def test_the_least_recently_used_entry_goes_first():
    held = EMPTY
    for number in range(MAX_ENTRIES + 1):
        held = held.put(credential(str(number)))
    assert len(held.entries) == MAX_ENTRIES
    assert held.present("0").credential is None
    assert held.entries[0].user_id == str(MAX_ENTRIES)


def test_the_last_who_had_to_make_room_are_noted_until_they_are_back():
    held = EMPTY
    for number in range(MAX_ENTRIES + 6):
        held = held.put(credential(str(number), expires_at=NOW + number * DAY if number != 4 else None))
    assert list(held.displaced.items()) == [(str(number), NOW + number * DAY) for number in (5, 3, 2, 1)]
    kept = cookies.load(cookies.dump(held))
    assert kept.displaced.items() >= held.displaced.items() or len(kept.displaced) == MAX_DISPLACED
    back = held.put(credential("3"))
    assert list(back.displaced) == ["6", "5", "2", "1"]
    assert "5" not in back.drop("5").displaced


def test_who_is_displaced_by_length_is_noted_as_well_unless_the_note_is_long():
    held = EMPTY
    for number in range(MAX_ENTRIES):
        held = held.put(credential(str(UUID(int=number))))
    kept = cookies.load(cookies.dump(held))
    assert len(kept.entries) >= 12
    assert set(kept.displaced) == {entry.user_id for entry in held.entries[len(kept.entries) :]}
    for user_id, noted in (("x" * 40, True), ("x" * 41, False), ("é", False)):
        assert bool(EMPTY.put(credential(user_id)).without_oldest().displaced) is noted, user_id


def test_dropping_one_user_leaves_the_others_alone():
    held = EMPTY.put(credential("1")).put(credential("2")).drop("1")
    assert held.entries == (credential("2"),)
    assert held.drop("1") == held
    assert not held.is_empty
    assert held.drop("2").is_empty


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_browser_without_a_cookie_holds_nothing_and_is_not_blamed(nothing):
    assert cookies.load(nothing) == EMPTY


GARBAGE = {
    "text": "garbage",
    "not ascii": "käse",
    "control characters": "\x00\r\n",
    "base64 of nothing": "AAAA",
    "impossible base64 length": "A",
    "json": '[["1","k","s",0,"",null]]',
    "oversized": "A" * (MAX_LENGTH + 1),
    "huge": "A" * 100_000,
    "unsealed entries": json.dumps([["1", "k", "s", 0, "", None]]),
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_unreadable_empty_cookie(value):
    assert cookies.load(value) == UNREADABLE
    assert cookies.load(value).present("1") == Presented(unreadable=True)


@pytest.mark.django_db
@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE)
def test_garbage_costs_no_query(value, django_assert_num_queries):
    with django_assert_num_queries(0):
        cookies.load(value)


@given(st.text(max_size=400))
def test_no_text_makes_reading_fail(value):
    assert cookies.load(value) == (UNREADABLE if value else EMPTY)


def test_a_cookie_with_one_other_character_is_unreadable():
    value = cookies.dump(EMPTY.put(credential()))
    for position, character in enumerate(value):
        other = "B" if character == "A" else "A"
        assert cookies.load(value[:position] + other + value[position + 1 :]) == UNREADABLE


def test_a_truncated_cookie_is_unreadable():
    value = cookies.dump(EMPTY.put(credential()))
    for length in range(1, len(value)):
        assert cookies.load(value[:length]) == UNREADABLE


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"null",
        b"7",
        b'"text"',
        b"[7]",
        b"[[]]",
        b'[["1","k","s",0,""]]',
        b'[["1","k","s",0,"",null,"more"]]',
        b'[["1","k","s","zero","",null]]',
        b'[["1","k","s",0,"","soon"]]',
        b'[["1","k","s",0,"",1e300]]',
        b'[["1","k","s",0,"",99999999999999]]',
    ],
)
def test_what_our_seal_holds_in_another_shape_is_unreadable(payload):
    assert cookies.load(sealed(payload)) == UNREADABLE


def test_what_is_longer_than_we_ever_make_it_is_unreadable_even_under_our_seal():
    entry = b'["1","k","s",0,"",null]'
    short, long = (b"[" + b",".join([entry] * count) + b"]" for count in (2, 200))
    assert len(cookies.load(sealed(short)).entries) == 2
    assert cookies.load(sealed(long)) == UNREADABLE


def test_a_cookie_as_long_as_it_may_be_keeps_all_and_is_read():
    longest = MAX_LENGTH * 3 // 4 - OVERHEAD  # bytes before they are sealed, and four characters hold three of them
    room = longest - len(json.dumps([["1", "k", "", 0, "", None]], separators=(",", ":")))
    held = EMPTY.put(DeviceCredential(user_id="1", device_key="k", secret="s" * room, generation=0))
    value = cookies.dump(held)
    assert len(value) == MAX_LENGTH
    assert cookies.load(value) == held


def test_a_text_sealed_for_another_purpose_is_unreadable():
    entries = cookies.dump(EMPTY.put(credential()))
    payload = Sealer(keys=secret_keys(), context=cookies.CONTEXT).open(entries).plaintext
    foreign = Sealer(keys=secret_keys(), context="device session v1").seal(payload)
    assert cookies.load(foreign) == UNREADABLE


def test_a_cookie_of_another_site_is_unreadable(settings):
    value = cookies.dump(EMPTY.put(credential()))
    settings.SECRET_KEY = "another site's key"
    assert cookies.load(value) == UNREADABLE


def test_a_cookie_survives_a_rotated_secret_key_and_is_sealed_anew(settings):
    value = cookies.dump(EMPTY.put(credential()))
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a new key"
    settings.SECRET_KEY_FALLBACKS = [old]
    loaded = cookies.load(value)
    assert loaded.entries == (credential(),)
    assert loaded.outdated
    settings.SECRET_KEY_FALLBACKS = []
    assert cookies.load(value) == UNREADABLE
    assert cookies.load(cookies.dump(loaded)) == replace(loaded, outdated=False), "sealed under the new key"


def test_a_browser_keeps_its_key_for_some_time_after_its_trust():
    held = EMPTY.put(credential("1", expires_at=NOW + 60 * DAY)).put(credential("2", expires_at=NOW + 30 * DAY))
    assert cookies.max_age(held, NOW) == 60 * DAY + REVIVAL_PERIOD


@pytest.mark.parametrize("expires_at", [None, NOW - 500 * DAY])
def test_trust_that_has_ended_or_has_no_date_leaves_the_time_for_reviving(expires_at):
    assert cookies.max_age(EMPTY.put(credential(expires_at=expires_at)), NOW) == REVIVAL_PERIOD


def test_no_browser_is_asked_to_keep_a_cookie_for_more_than_400_days():
    assert cookies.max_age(EMPTY.put(credential(expires_at=NOW + 900 * DAY)), NOW) == 400 * DAY


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"COOKIE_SECURE": True}, "__Host-trusted_device"),
        ({"COOKIE_SECURE": None}, "__Host-trusted_device"),
        ({"COOKIE_SECURE": False}, "trusted_device"),
        ({"COOKIE_SECURE": True, "COOKIE_PATH": "/app/"}, "trusted_device"),
        ({"COOKIE_SECURE": True, "COOKIE_DOMAIN": "example.com"}, "trusted_device"),
        ({"COOKIE_SECURE": True, "COOKIE_NAME": "mine"}, "__Host-mine"),
    ],
)
def test_the_name_is_bound_to_the_host_where_the_settings_allow_it(settings, options, expected):
    settings.TRUSTED_DEVICES = options
    assert cookies.name() == expected


def test_while_debugging_the_cookie_works_without_https(settings):
    settings.TRUSTED_DEVICES = {}
    settings.DEBUG = True
    assert cookies.name() == "trusted_device"


def test_no_secret_shows_in_a_repr():
    assert "s" * 43 not in repr(EMPTY.put(credential()))
