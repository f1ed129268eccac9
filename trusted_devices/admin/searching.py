"""Finding devices and their activity by who and which, through indexes: beginnings, never the middle of a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q

USER_LIMIT = 500
"""How many users one search looks at."""


@dataclass(frozen=True, slots=True)
class Found:
    """The primary keys of the users that a search term fits; ``too_many`` if there are more of them."""

    users: list[Any]
    too_many: bool


def users(term: str) -> Found:
    """Return the users whose name or e-mail address begins with ``term``, also in lower case or capitalised."""
    condition = Q()
    for field in _name_fields():
        for spelling in {term, term.lower(), term.capitalize()}:
            condition |= Q(**{f"{field}__startswith": spelling})
    matching = get_user_model()._default_manager.filter(condition).order_by("pk")
    found = list(matching.values_list("pk", flat=True)[: USER_LIMIT + 1])
    return Found(found[:USER_LIMIT], too_many=len(found) > USER_LIMIT)


def _name_fields() -> set[str]:
    model = get_user_model()
    fields = {model.USERNAME_FIELD, model.get_email_field_name()}
    return {name for name in fields if _is_column(name)}


def _is_column(name: str) -> bool:
    try:
        return bool(get_user_model()._meta.get_field(name).concrete)
    except FieldDoesNotExist:
        return False
