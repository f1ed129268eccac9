"""System checks of where the tables are, of what can be stored there, and of what the settings say about rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connections, router
from django.db.models import Model

from trusted_devices import conf, database
from trusted_devices.mfa import get_provider
from trusted_devices.models import Device
from trusted_devices.policy import TrustPolicy
from trusted_devices.services.site_policy import get_policy

APPS = ("trusted_devices", "trusted_devices_cognito_idp")
OTHER_TABLE = "trusted_devices_trusteddevice"


def check_router(**_: Any) -> list[CheckMessage]:
    """E010, E011: the router keeps in one database what refers to each other, and lets it."""
    by_alias: dict[str, list[str]] = defaultdict(list)
    for model in _related_models():
        by_alias[router.db_for_write(model)].append(model._meta.label)
    if len(by_alias) > 1:
        listed = "; ".join(f"{alias!r} for {', '.join(sorted(labels))}" for alias, labels in sorted(by_alias.items()))
        return [
            Error(
                f"DATABASE_ROUTERS names several databases for tables that refer to each other: {listed}.",
                hint="No database keeps a foreign key into another one. Keep users, their second factors and the "
                "tables of trusted_devices in one database, which need not be 'default'.",
                id="trusted_devices.E010",
            )
        ]
    user, device = get_user_model()(), Device()
    user._state.db = device._state.db = database.alias()
    if not router.allow_relation(user, device):
        return [
            Error(
                "DATABASE_ROUTERS allows no relation between a user and a device: none can be stored.",
                hint="Let allow_relation() of your router return True or None for two rows of one database.",
                id="trusted_devices.E011",
            )
        ]
    return []


def check_other_table(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """W007, when a database is checked: it holds no tables of another package of the same import name."""
    return [
        Warning(
            f"The database {alias!r} has the table {OTHER_TABLE!r} of another package that migrates under the "
            "same name.",
            hint="Undo that package's migrations with it, 'migrate trusted_devices zero', before you migrate.",
            id="trusted_devices.W007",
        )
        for alias in databases or ()
        if OTHER_TABLE in _tables(alias)
    ]


def check_characters(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """W009, when a database is checked: text in any script can be stored, and emoji."""
    alias = database.alias()
    if alias not in (databases or ()):
        return []
    narrow = database.narrow_columns([model._meta.db_table for model in _own_models()])
    if not narrow:
        return []
    where: dict[str, set[str]] = defaultdict(set)
    for table, _column, characters in narrow:
        where[characters].add(table)
    listed = "; ".join(f"{', '.join(sorted(tables))} in {characters}" for characters, tables in sorted(where.items()))
    return [
        Warning(
            f"The database {alias!r} cannot store every character: {listed}. A name with an emoji or in another "
            "script is refused.",
            hint="MariaDB, MySQL: ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4, and 'charset': 'utf8mb4' among the "
            "OPTIONS of the database. PostgreSQL: a database in UTF8.",
            id="trusted_devices.W009",
        )
    ]


def check_groups(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """W010, when a database is checked: the groups exist whose members are trusted for a shorter time."""
    wanted, groups = _limited_groups(), _group_model()
    if not wanted or groups is None:
        return []
    alias = router.db_for_read(groups)
    if alias not in (databases or ()) or groups._meta.db_table not in _tables(alias):
        return []
    known = set(groups._default_manager.using(alias).values_list("name", flat=True))
    return [
        Warning(
            f"{conf.NAME}['GROUP_MAX_PERIODS'] names the group {name!r}, which does not exist: it shortens nobody's "
            "trust.",
            hint=_nearest(name, known),
            id="trusted_devices.W010",
        )
        for name in sorted(wanted - known)
    ]


def check_group_model(**_: Any) -> list[CheckMessage]:
    """E012: users have groups, where the longest period depends on them."""
    if not _limited_groups() or _group_model() is not None:
        return []
    return [
        Error(
            f"{conf.NAME}['GROUP_MAX_PERIODS'] is set, and {get_user_model()._meta.label} has no groups.",
            hint="Take the option out, base the user model on PermissionsMixin, or let groups() of your policy say "
            "what groups a user is in.",
            id="trusted_devices.E012",
        )
    ]


def _related_models() -> Iterator[type[Model]]:
    yield get_user_model()
    yield from _own_models()
    try:
        yield from get_provider().factor_models()
    except (ImportError, ImproperlyConfigured, RuntimeError, TypeError):
        return  # another check says what is wrong with the provider


def _own_models() -> list[type[Model]]:
    return [model for app in apps.get_app_configs() if app.label in APPS for model in app.get_models()]


def _tables(alias: str) -> list[str]:
    connection = connections[alias]
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def _limited_groups() -> set[str]:
    """Return the groups that the settings name, where it is groups of the user model that count."""
    try:
        limited, policy = conf.get_settings().GROUP_MAX_PERIODS, get_policy()
    except (ImportError, ImproperlyConfigured, TypeError):
        return set()  # another check says what is wrong
    return set(limited) if type(policy).groups is TrustPolicy.groups else set()


def _group_model() -> Any:
    try:
        return get_user_model()._meta.get_field("groups").related_model
    except FieldDoesNotExist:
        return None


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"Is it {near[0]!r}?" if near else "Create it, or take it out of the setting."
