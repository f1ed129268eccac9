"""Paging, ordering and what a page costs."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from trusted_devices.api.pagination import MAX_PAGE_SIZE, dump, load
from trusted_devices.keyset import Place
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices
from trusted_devices.types import DeviceStatus, EventAction

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def desk(operator, by_token):
    return by_token(operator)


@pytest.fixture
def people(db):
    """Five users, each in a group of their own, with ten remembered devices each; expiries come in pairs."""
    users = get_user_model().objects.bulk_create(
        get_user_model()(username=f"person{number}", email=f"{number}@example.com") for number in range(5)
    )
    soon = timezone.now() + timedelta(days=1)
    Device.objects.bulk_create(
        Device(
            user=user,
            device_key=devices.new_device_key(),
            device_group_key="-aaaaaaaa",
            name=f"{user.username}-{number}",
            status=DeviceStatus.REMEMBERED,
            confirmed_at=START,
            trust_granted_at=START,
            trust_period=timedelta(days=60),
            trust_expires_at=soon + timedelta(hours=number // 2),
        )
        for number in range(10)
        for user in users
    )
    for user in users:
        user.groups.add(Group.objects.get_or_create(name=user.username)[0])
    return users


@pytest.fixture
def events(user):
    """Thirty events of one user, all of the same moment."""
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, device_key=f"local_{number}", created_at=START)
        for number in range(30)
    )


LISTS = ["/api/admin/devices/", "/api/admin/activity/", "/api/devices/", "/api/activity/"]


def refusal(client, url, query):
    """What field is refused, and with which code."""
    response = client.get(url, query)
    assert response.status_code == 400, query
    (entry,) = response.json()["errors"]
    return entry["field"], entry["code"]


def walk(client, url, link="next"):
    pages = []
    while url:
        answer = client.get(url).json()
        pages.append(answer["results"])
        url = answer[link]
    return pages


@pytest.mark.parametrize("ordering", ["added", "-added", "trust_expires_at", "-trust_expires_at"])
def test_walking_the_pages_meets_every_device_once_and_in_order(ordering, people, desk):
    url = f"/api/admin/devices/?page_size=7&status=remembered&ordering={ordering}"
    pages = walk(desk, url)
    assert [len(page) for page in pages] == [7] * 7 + [1]
    met = [shown["name"] for page in pages for shown in page]
    column = {"added": "pk"}.get(ordering.lstrip("-"), ordering.lstrip("-"))
    sign = "-" if ordering.startswith("-") else ""
    assert met == list(Device.objects.order_by(f"{sign}{column}", f"{sign}pk").values_list("name", flat=True))


def test_walking_back_meets_the_same_pages(people, desk):
    url = "/api/admin/devices/?page_size=20&status=remembered&ordering=trust_expires_at"
    forwards = walk(desk, url)
    last = desk.get(desk.get(desk.get(url).json()["next"]).json()["next"])
    assert last.json()["next"] is None
    backwards = [last.json()["results"], *walk(desk, last.json()["previous"], "previous")]
    assert backwards[::-1] == forwards
    first = desk.get(url).json()
    assert first["previous"] is None


def test_events_of_one_moment_are_all_met(user, events, by_token):
    pages = walk(by_token(user), "/api/activity/?page_size=4")
    assert [event["device_key"] for page in pages for event in page] == [f"local_{n}" for n in reversed(range(30))]


def test_rows_that_come_and_go_shift_no_page(people, desk):
    first = desk.get("/api/admin/devices/?page_size=5").json()
    seen = {shown["name"] for shown in first["results"]}
    Device.objects.filter(name__in=seen).delete()
    Device.objects.create(user=people[0], device_key=devices.new_device_key(), name="newcomer")
    second = desk.get(first["next"]).json()["results"]
    expected = Device.objects.exclude(name="newcomer").order_by("-pk").values_list("name", flat=True)[:5]
    assert [shown["name"] for shown in second] == list(expected)


def test_a_user_deleted_between_two_pages_leaves_the_rest_to_be_walked(people, desk):
    first = desk.get("/api/admin/devices/?page_size=5").json()
    people[2].delete()
    rest = [shown["name"] for page in walk(desk, first["next"]) for shown in page]
    assert len(rest) == 36
    assert not any(name.startswith("person2") for name in rest)


@pytest.mark.parametrize("url", LISTS)
def test_pages_have_a_ceiling(url, desk):
    for size in ("0", "-1", "201", "1000000000", "1e3", "ten", "\u0661", "9" * 5000, "1_0", " 5"):
        assert refusal(desk, url, {"page_size": size}) == ("page_size", "invalid_page_size")
    assert str(MAX_PAGE_SIZE) in desk.get(url, {"page_size": "201"}).json()["errors"][0]["detail"]


@pytest.mark.parametrize("url", LISTS)
def test_only_indexed_columns_order(url, desk):
    secret = ("secret_digest", "-srp_verifier", "credential_stamp", "user__password")
    for ordering in (*secret, "name", "pk", "id", "--added", "added,pk"):
        assert refusal(desk, url, {"ordering": ordering}) == ("ordering", "invalid_ordering")


def test_ordering_by_expiry_takes_the_filter_that_its_index_has(people, desk):
    response = desk.get("/api/admin/devices/?ordering=trust_expires_at")
    assert response.status_code == 400
    assert "status=remembered" in response.json()["errors"][0]["detail"]


@pytest.mark.parametrize("url", LISTS)
def test_an_empty_parameter_is_refused(url, desk):
    for name in ("page_size", "ordering", "cursor"):
        assert refusal(desk, url, {name: ""}) == (name, "invalid_parameter")


def _cursor(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


MALFORMED = [
    "!", "x", "\u00e9", "A" * 10_000, "bnVsbA", "W10", "e30=",
    _cursor("-added", False, "1", "1", "1"), _cursor("-added", False, 1, 1), _cursor("-added", 0, "1", "1"),
    _cursor("-added", False, "one", "1"), _cursor("-added", False, "1", ""), _cursor("added", False, "1", "1"),
    _cursor("-added", False, "1", "1" * 300), _cursor("-added", False, "9" * 20, "9" * 20),
    _cursor("-added", False, "1\x00", "1"), _cursor("-added", False, None, "1"),
    base64.urlsafe_b64encode(b"[" * 300).decode(), base64.urlsafe_b64encode(b"\xff\xfe").decode(),
]  # fmt: skip


@pytest.mark.parametrize("url", ["/api/admin/devices/", "/api/devices/"])
def test_malformed_cursors_are_refused(url, desk):
    for cursor in MALFORMED:
        assert refusal(desk, url, {"cursor": cursor}) == ("cursor", "invalid_cursor")


def test_cursors_whose_moment_cannot_be_are_refused(desk):
    for moment in (
        "", "now", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
        "2026-02-30T00:00:00Z", "1" * 200,
    ):  # fmt: skip
        cursor = _cursor("-created_at", False, moment, "1")
        assert refusal(desk, "/api/admin/activity/", {"cursor": cursor}) == ("cursor", "invalid_cursor")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_cursors_at_the_ends_of_time_work(moment, desk):
    assert desk.get("/api/admin/activity/", {"cursor": _cursor("created_at", False, moment, "1")}).status_code == 400
    query = {"cursor": _cursor("created_at", False, moment, "1"), "ordering": "created_at"}
    assert desk.get("/api/admin/activity/", query).status_code == 200


def test_a_cursor_survives_being_written_and_read():
    (created_at, key) = (DeviceEvent._meta.get_field("created_at"), DeviceEvent._meta.pk)
    place = Place(datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC), 7, backwards=True)
    assert load(dump("-created_at", place), "-created_at", created_at, key) == place


MEANINGLESS = [
    {"expires_after": "tomorrow"}, {"expires_after": "2026-01-01"}, {"expires_after": "9999-12-31T23:59:59-14:00"},
    {"last_used_before": "0001-01-01T00:00:00+14:00"}, {"user": "maria"}, {"user": "9" * 30}, {"user": "1.5"},
    {"status": "forgotten"}, {"binding": "x"}, {"username": "a\x00b"}, {"device_key": "\x00"},
    {"stauts": "remembered"}, {"secret_digest": "0"}, {"user__password": "x"}, {"offset": "10"}, {"": "x"},
    {"user": ""}, {"expires_before": ""}, {"status": ["remembered", "not_remembered"]},
]  # fmt: skip


def test_filters_that_mean_nothing_are_refused(desk):
    for query in MEANINGLESS:
        field, _code = refusal(desk, "/api/admin/devices/", query)
        assert [field] == list(query)


def test_a_page_of_many_users_costs_as_many_queries_as_a_page_of_one(people, desk, django_assert_num_queries, settings):
    groups = {f"person{number}": timedelta(days=30) for number in range(5)}
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "GROUP_MAX_PERIODS": groups}
    desk.get("/api/admin/devices/")
    for size in (1, 50):
        # token, permissions (of user and groups), devices with users, groups
        with django_assert_num_queries(5):
            assert len(desk.get("/api/admin/devices/", {"page_size": size}).json()["results"]) == size


def test_a_page_of_ones_own_devices_costs_a_fixed_number_of_queries(people, by_token, django_assert_num_queries):
    client = by_token(people[0])
    for size in (1, 10):
        with django_assert_num_queries(2 + 4):  # factors of four kinds
            assert len(client.get("/api/devices/", {"page_size": size}).json()["results"]) == size


def test_a_page_of_activity_costs_a_fixed_number_of_queries(
    user, operator, events, by_token, desk, django_assert_num_queries
):
    DeviceEvent.objects.update(actor=operator)
    for client, url, cost in ((by_token(user), "/api/activity/", 2), (desk, "/api/admin/activity/", 4)):
        for size in (1, 30):
            with django_assert_num_queries(cost):
                assert len(client.get(url, {"page_size": size}).json()["results"]) == size


def test_nothing_is_ever_counted(people, desk, django_assert_num_queries):
    with django_assert_num_queries(4) as captured:
        desk.get("/api/admin/devices/?page_size=1")
    assert not any("COUNT(" in query["sql"] for query in captured)
