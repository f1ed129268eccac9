"""The migrations: complete, reversible, and with the indexes that the promises rest on."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import timezone

import trusted_devices
from trusted_devices.models import Device, DeviceEvent, DeviceSession, SessionToEnd

MODELS = (Device, DeviceSession, SessionToEnd, DeviceEvent)
APPS = ("trusted_devices", "trusted_devices_cognito_idp")
PACKAGE = Path(trusted_devices.__file__).parent


def tables():
    return {name for name in connection.introspection.table_names() if name.startswith("trusted_devices_")}


def test_no_change_of_a_model_is_without_its_migration(db):
    call_command("makemigrations", "--check", "--dry-run", "--verbosity", "0")


def changes_of_models():
    """What makemigrations would write for our apps."""
    loader = MigrationLoader(None)
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    return detector.changes(loader.graph, trim_to_apps=set(APPS))


def columns_of_words():
    return [
        field
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.fields
        if field.choices
    ]


def test_a_new_reason_action_or_other_word_needs_no_migration(monkeypatch):
    columns = columns_of_words()
    assert {"status", "status_reason", "binding", "action"} <= {field.name for field in columns}
    for field in columns:
        monkeypatch.setattr(field, "choices", [*field.choices, ("new", "New")])
    assert changes_of_models() == {}


def imported(path):
    """The modules that a file imports, a relative one with its dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def test_migrations_import_nothing_of_the_package():
    """What they name has to stay where it is and as it is for as long as anybody upgrades over them."""
    written = [path for path in PACKAGE.glob("**/migrations/*.py") if path.name != "__init__.py"]
    assert {path.parent.parent.name for path in written} == {"trusted_devices", "cognito_idp"}
    names = {name for path in written for name in imported(path)}
    assert [name for name in names if name.startswith((".", "trusted_devices"))] == []
    assert "django.db" in names


@pytest.fixture
def migrated_again(shared_database):
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


def needs_no_default(field):
    """Whether a column may be left out by those who do not know it, or cannot be: each row has its own value."""
    given = field.has_default() or (field.empty_strings_allowed and field.blank)
    random = callable(field.default) and field.default not in (timezone.now, bytes, list, dict)
    return field.null or field.primary_key or random or not given


def test_code_from_before_a_migration_goes_on_writing_after_it():
    """If this fails: a column with a default needs the same ``db_default``. See docs/howto/rolling-deploys.md."""
    fields = [field for app in APPS for model in apps.get_app_config(app).get_models() for field in model._meta.fields]
    lacking = [str(field) for field in fields if not needs_no_default(field) and not field.has_db_default()]
    assert lacking == []


REQUIRED = {
    "Device": {"id", "user", "device_key", "device_group_key"},
    "DeviceSession": {"id", "device", "session_digest", "sealed_session_key"},
    "DeviceEvent": {"id", "action"},
    "CognitoUser": {"id", "user", "sub"},
}


def test_no_column_is_required_that_was_not_always_there():
    """If this fails: let the new column be null, or give it a ``db_default``."""
    for name, columns in REQUIRED.items():
        fields = apps.get_model("trusted_devices", name)._meta.fields
        assert {field.name for field in fields if not field.null and not field.has_db_default()} == columns


def test_a_row_of_required_columns_alone_is_a_device_like_a_new_one(user):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trusted_devices_device (user_id, device_key, device_group_key) VALUES (%s, %s, %s)",
            [user.pk, "local_key", "-group"],
        )
    stored, new = Device.objects.get(), Device(user=user, device_key="local_key", device_group_key="-group")
    times = {"status_changed_at", "created_at", "modified_at"}
    for field in Device._meta.fields:
        if field.name not in times | {"id"}:
            value, expected = (getattr(device, field.attname) for device in (stored, new))
            assert (bytes(value) if isinstance(value, memoryview) else value) == expected, field.name
    assert all(abs(timezone.now() - getattr(stored, name)) < timedelta(minutes=1) for name in times)
