"""The migrations: complete, reversible, and with the indexes that the promises rest on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from trusted_devices.models import Device, DeviceEvent, DeviceSession

MODELS = (Device, DeviceSession, DeviceEvent)


def tables() -> set[str]:
    return {name for name in connection.introspection.table_names() if name.startswith("trusted_devices_")}


def test_no_change_of_a_model_is_without_its_migration(db):
    call_command("makemigrations", "--check", "--dry-run", "--verbosity", "0")


@pytest.fixture
def migrated_again(shared_database: None) -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def test_the_app_can_be_taken_out_and_put_in_again(migrated_again):
    expected = {model._meta.db_table for model in MODELS}
    assert expected <= tables()
    call_command("migrate", "trusted_devices", "zero", verbosity=0)
    assert tables() == set()
    call_command("migrate", verbosity=0)
    assert expected <= tables()
    assert not Device.objects.exists()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_index_of_a_model_exists_in_the_database(db, model):
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    expected = {
        index.name: [model._meta.get_field(name).column for name, _ in index.fields_orders]
        for index in model._meta.indexes
    }
    assert {name: found[name]["columns"] for name in expected} == expected


def test_a_device_key_a_session_and_an_answer_are_each_stored_once(db):
    with connection.cursor() as cursor:
        unique = {
            tuple(constraint["columns"])
            for model in MODELS
            for constraint in connection.introspection.get_constraints(cursor, model._meta.db_table).values()
            if constraint["unique"]
        }
    assert {("device_key",), ("session_digest",), ("grant_id",)} <= unique
