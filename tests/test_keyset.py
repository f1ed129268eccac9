"""Paging by key: pages that meet every row once, whatever ties, comes or goes."""

from datetime import UTC, datetime, timedelta

import pytest

from trusted_devices.keyset import Order, Page
from trusted_devices.models import DeviceEvent
from trusted_devices.types import EventAction

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = [Order(column, descending=descending) for column in ("pk", "created_at") for descending in (False, True)]


@pytest.fixture
def rows(user):
    """Eleven rows in no order of time; several moments are those of four rows each."""
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=START + timedelta(days=(number * 7) % 3))
        for number in range(11)
    )
    return DeviceEvent.objects.all()


def keys(page):
    return [row.pk for row in page.rows]


def expected(order):
    def place(row):
        return (getattr(row, order.column), row.pk)

    return [row.pk for row in sorted(DeviceEvent.objects.all(), key=place, reverse=order.descending)]


def walk(order, found, size):
    pages = [order.page(found, None, size=size)]
    while pages[-1].has_next:
        pages.append(order.page(found, order.place(pages[-1].rows[-1]), size=size))
    return pages


@pytest.mark.parametrize("order", ORDERS, ids=repr)
@pytest.mark.parametrize("size", [1, 4, 11, 12])
def test_walking_on_meets_every_row_once_and_in_order(rows, order, size):
    pages = walk(order, rows, size)
    assert [key for page in pages for key in keys(page)] == expected(order)
    assert [page.has_previous for page in pages] == [False] + [True] * (len(pages) - 1)


@pytest.mark.parametrize("order", ORDERS, ids=repr)
def test_walking_back_meets_the_same_pages(rows, order):
    forwards = walk(order, rows, 4)
    backwards = [order.page(rows, order.place(forwards[-1].rows[0], backwards=True), size=4)]
    while backwards[-1].has_previous:
        backwards.append(order.page(rows, order.place(backwards[-1].rows[0], backwards=True), size=4))
    assert [keys(page) for page in reversed(backwards)] == [keys(page) for page in forwards[:-1]]
    assert all(page.has_next for page in backwards)


@pytest.mark.parametrize("order", ORDERS, ids=repr)
def test_a_place_outlasts_the_row_that_it_was_taken_from(rows, order):
    first = order.page(rows, None, size=5)
    place = order.place(first.rows[-1])
    rest = expected(order)[5:]
    DeviceEvent.objects.filter(pk__in=keys(first)).delete()
    assert keys(order.page(rows, place, size=20)) == rest


def test_behind_the_last_row_is_an_empty_page_with_others_before_it(rows):
    order = Order("created_at")
    place = order.place(rows.order_by("created_at", "pk").last())
    assert order.page(rows, place, size=5) == Page([], has_next=False, has_previous=True)


def test_a_page_is_one_query_without_offset_or_count(rows, django_assert_num_queries):
    order = Order("created_at")
    place = order.place(rows[3])
    with django_assert_num_queries(1) as captured:
        order.page(rows, place, size=3)
    (sql,) = (query["sql"] for query in captured)
    assert "OFFSET" not in sql
    assert "COUNT(" not in sql
