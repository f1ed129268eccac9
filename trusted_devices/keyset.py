"""Paging by key: every page costs the same, nothing is counted, and rows that come or go shift no page.

A page begins at a place between two rows, not at a number. What lies behind it is asked for in a form that lets the
database start reading an index right there. Django REST framework's ``CursorPagination`` is no such thing where many
rows tie: it falls back on an offset into them, of up to 1,000 rows. Here the primary key breaks every tie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Place:
    """A place right behind a row, or in front of it (``backwards``). ``value`` is its value of the order's column."""

    value: Any
    pk: Any
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, in order. An empty page may have others before it: its rows have gone meanwhile."""

    rows: list[Row]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class Order:
    """An order by one column that is never null, and where rows tie by primary key."""

    column: str = "pk"
    descending: bool = False

    def place(self, row: Model, *, backwards: bool = False) -> Place:
        """Return the place behind or, ``backwards``, in front of ``row``."""
        return Place(getattr(row, self.column), row.pk, backwards)

    def beyond(self, found: QuerySet[Row], place: Place | None) -> QuerySet[Row]:
        """Return what of ``found`` lies behind ``place``, in this order; ``None`` is the place in front of all."""
        sign, past = ("-", "lt") if self.descending else ("", "gt")
        found = found.order_by(*(f"{sign}{column}" for column in dict.fromkeys((self.column, "pk"))))
        if place is None:
            return found
        later = Q((f"pk__{past}", place.pk))
        if self.column != "pk":
            later = Q((f"{self.column}__{past}e", place.value)) & (Q((f"{self.column}__{past}", place.value)) | later)
        return found.filter(later)

    def page(self, found: QuerySet[Row], place: Place | None, *, size: int) -> Page[Row]:
        """Return the page of at most ``size`` rows that begins or, if that looks backwards, ends at ``place``."""
        backwards = place is not None and place.backwards
        direction = replace(self, descending=self.descending is not backwards)
        rows = list(direction.beyond(found, place)[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            return Page(rows[::-1], has_next=True, has_previous=more)
        return Page(rows, has_next=more, has_previous=place is not None)
