"""Paging by key: every page costs the same, nothing is counted, and rows that come or go shift no page."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import Field, Model, Q
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
MAX_CURSOR_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: everything after (or before) ``value`` and, where that ties, after ``pk``."""

    ordering: str
    backwards: bool
    value: Any
    pk: Any

    def dump(self) -> str:
        """Return the cursor as text for a link. It holds what the page shows anyway, and so needs no seal."""
        value = self.value.isoformat() if isinstance(self.value, datetime) else str(self.value)
        text = json.dumps([self.ordering, self.backwards, value, str(self.pk)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def load(cls, text: str, ordering: str, column: Field[Any, Any], key: Field[Any, Any]) -> Cursor:
        """Read what :meth:`dump` made for that ordering. Raises ``ValueError`` for anything else."""
        if len(text) > MAX_CURSOR_LENGTH:
            raise ValueError("too long")
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            raw = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            made_for, backwards, value, pk = raw
            if made_for != ordering or type(backwards) is not bool or type(value) is not str or type(pk) is not str:
                raise ValueError("made for something else")
            return cls(ordering, backwards, _clean(column, value), _clean(key, pk))
        except (binascii.Error, UnicodeError, TypeError, InvalidValue, OverflowError, RecursionError) as error:
            raise ValueError("garbled") from error


class KeysetPagination(BasePagination):
    """``page_size``, ``ordering`` and ``cursor``. The view's ``orderings`` name the columns, each of them indexed."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        size = _page_size(request)
        ordering = _ordering(request, view)
        model: type[Model] = queryset.model
        column, key = _column(model, view.orderings[ordering.lstrip("-")]), _column(model, "pk")
        cursor = _cursor(request, ordering, column, key)
        backwards = cursor is not None and cursor.backwards
        descending = ordering.startswith("-") is not backwards
        sign = "-" if descending else ""
        queryset = queryset.order_by(f"{sign}{column.name}", *([] if column is key else [f"{sign}{key.name}"]))
        if cursor is not None:
            queryset = queryset.filter(_beyond(cursor, column, key, descending=descending))
        rows = list(queryset[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()

        def link(row: Any, *, to_previous: bool) -> str:
            place = Cursor(ordering, to_previous, getattr(row, column.attname), row.pk)
            return str(replace_query_param(request.build_absolute_uri(), "cursor", place.dump()))

        self.next = link(rows[-1], to_previous=False) if rows and (more or backwards) else None
        before = more if backwards else cursor is not None
        self.previous = link(rows[0], to_previous=True) if rows and before else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "example": None}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        orderings = [sign + name for name in view.orderings for sign in ("-", "")]
        ordering = {"type": "string", "enum": orderings, "default": view.default_ordering}
        size = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE}
        described = {
            "cursor": ("The place that a link of an earlier page names.", {"type": "string"}),
            "ordering": ("How to order; only by what has an index.", ordering),
            "page_size": ("How many rows a page has at most.", size),
        }
        return [
            {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
            for name, (description, schema) in described.items()
        ]


PARAMETERS = frozenset({"cursor", "ordering", "page_size"})


def _page_size(request: Request) -> int:
    raw = request.query_params.get("page_size")
    if raw is None:
        return PAGE_SIZE
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 10 and 1 <= int(raw) <= MAX_PAGE_SIZE):  # noqa: PLR2004
        message = _("A page has from 1 to %(most)s rows.") % {"most": MAX_PAGE_SIZE}
        raise ValidationError({"page_size": message}, code="invalid_page_size")
    return int(raw)


def _ordering(request: Request, view: Any) -> str:
    chosen: str = request.query_params.get("ordering", view.default_ordering)
    if chosen.removeprefix("-") not in view.orderings:
        message = _("Order by one of: %(names)s.") % {"names": ", ".join(view.orderings)}
        raise ValidationError({"ordering": message}, code="invalid_ordering")
    return chosen


def _cursor(request: Request, ordering: str, column: Field[Any, Any], key: Field[Any, Any]) -> Cursor | None:
    raw = request.query_params.get("cursor")
    if raw is None:
        return None
    try:
        return Cursor.load(raw, ordering, column, key)
    except ValueError as error:
        message = _("This cursor was not made for this list.")
        raise ValidationError({"cursor": message}, code="invalid_cursor") from error


def _beyond(cursor: Cursor, column: Field[Any, Any], key: Field[Any, Any], *, descending: bool) -> Q:
    """Return the rows past the cursor, in a form that lets the database start reading its index right there."""
    past = "lt" if descending else "gt"
    if column is key:
        return Q((f"{key.name}__{past}", cursor.pk))
    ties = Q((f"{column.name}__{past}", cursor.value)) | Q((f"{key.name}__{past}", cursor.pk))
    return Q((f"{column.name}__{past}e", cursor.value)) & ties


def _column(model: type[Model], name: str) -> Field[Any, Any]:
    found: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    column: Field[Any, Any] = found
    return column


def _clean(column: Field[Any, Any], text: str) -> Any:
    value = column.to_python(text)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without an offset")
        return value.astimezone(UTC)
    column.run_validators(value)
    return value
