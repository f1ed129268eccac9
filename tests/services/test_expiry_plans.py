"""How the database carries the sweep out: which index it uses, and how much of it a batch reads."""

import json
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction

from tests import factories
from tests.shared_database import update_statistics
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import expiry
from trusted_devices.types import EventAction

# On MariaDB new statistics commit.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")

DUE = 400
BATCH = 40


@pytest.fixture
def many_devices(user, now):
    """A table as it looks after years: many trusted devices, many long expired ones, a few that are due."""
    factories.store_expired(user, 3000, now=now)
    factories.store_trusted(user, 3000, now=now)
    factories.store_due(user, DUE, now=now)
    update_statistics(Device)


def _plan_nodes(plan):
    """Every node of an execution plan in JSON, of PostgreSQL or MariaDB."""
    if isinstance(plan, dict):
        yield plan
        plan = list(plan.values())
    if isinstance(plan, list):
        for part in plan:
            yield from _plan_nodes(part)


def _nodes(queryset, **options):
    with transaction.atomic():
        plan = json.loads(queryset.explain(format="JSON", **options))
    return list(_plan_nodes(json.loads(plan) if isinstance(plan, str) else plan))


@pytest.mark.postgres
def test_the_sweep_reads_the_partial_index_and_no_more_of_it_than_a_batch(many_devices, now):
    nodes = _nodes(Device.objects.due(now).claim()[:BATCH], analyze=True)
    [scan] = [node for node in nodes if "Scan" in node.get("Node Type", "")]
    assert scan["Index Name"] == "td_device_due"
    assert scan["Actual Rows"] == BATCH
    assert not any("Sort" in node.get("Node Type", "") for node in nodes)


@pytest.mark.postgres
def test_the_partial_index_holds_remembered_devices_only(many_devices):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'td_device_due'")
        [definition] = cursor.fetchone()
    assert definition.endswith("WHERE ((status)::text = 'remembered'::text)")


@pytest.mark.mariadb
def test_the_sweep_uses_the_index_that_takes_the_partial_ones_place(many_devices, now):
    [table] = [node for node in _nodes(Device.objects.due(now).claim()[:BATCH]) if "access_type" in node]
    assert (table["access_type"], table["key"]) == ("range", "td_device_due")
    assert table["used_key_parts"] == ["status", "trust_expires_at"]
    assert table["rows"] <= 2 * DUE


@pytest.mark.postgres
@pytest.mark.mariadb
def test_the_sweep_looks_for_the_first_due_device_in_the_index_alone(many_devices, now):
    nodes = _nodes(Device.objects.due(now).values_list("trust_expires_at", flat=True)[:1])
    assert "td_device_due" in {node.get("Index Name") or node.get("key") for node in nodes}


@pytest.mark.postgres
@pytest.mark.mariadb
def test_the_retention_of_the_log_uses_its_index(user, now):
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=now - timedelta(seconds=age))
        for age in range(3000)
    )
    update_statistics(DeviceEvent)
    old = DeviceEvent.objects.older_than(now - timedelta(seconds=2900)).claim()
    nodes = _nodes(old.values_list("pk", "created_at")[:BATCH])
    assert "td_event_time" in {node.get("Index Name") or node.get("key") for node in nodes}


@pytest.mark.postgres
@pytest.mark.mariadb
def test_dead_devices_are_found_by_their_index(many_devices, now):
    longest_dead = Device.objects.order_by("modified_at").values_list("modified_at", flat=True)[10]
    nodes = _nodes(Device.objects.dead(longest_dead)[:BATCH])
    assert "td_device_dead" in {node.get("Index Name") or node.get("key") for node in nodes}


@contextmanager
def _old_open_transaction():
    """Somebody else's report or backup that goes on for hours: rows that it may still see cannot be cleaned away."""
    with closing(connection.Database.connect(**connection.get_connection_params())) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM trusted_devices_device")
        yield


@contextmanager
def _as_in_a_large_table():
    """Have the planner use the index throughout; in a table this small it reads the end of the work in one go."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SET enable_bitmapscan = off")
        yield
        cursor.execute("RESET ALL")


def _blocks(nodes):
    return nodes[1]["Shared Hit Blocks"] + nodes[1]["Shared Read Blocks"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_an_old_open_transaction_makes_no_batch_dearer_than_the_one_before(user, now):
    with connection.cursor() as cursor:  # what other tests left in the index
        cursor.execute("TRUNCATE trusted_devices_device CASCADE")
    factories.store_due(user, 50 * BATCH, now=now)
    update_statistics(Device)
    with_date, without = [], []

    def measure(execute, sql, params, many, context):
        if "FOR UPDATE" in sql and not sql.startswith("EXPLAIN"):
            with context["connection"].cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                with_date.append(_blocks(list(_plan_nodes(cursor.fetchone()[0]))))
            without.append(_blocks(_nodes(Device.objects.due(now).claim()[:BATCH], analyze=True, buffers=True)))
        return execute(sql, params, many, context)

    with _as_in_a_large_table(), _old_open_transaction(), connection.execute_wrapper(measure):
        assert sum(expiry.expire_due(now=now, batch_size=BATCH)) == 50 * BATCH
    with_date, without = with_date[:50], without[:50]  # the last claim finds nothing any more
    assert max(with_date[25:]) <= 1.5 * max(with_date[:5])
    assert without[-1] > 2 * max(with_date)  # what it would have been: this measure can tell
