"""Pages of the API's lists, by key: sizes, orderings, and cursors as text."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import Field, Model
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from trusted_devices.keyset import Order, Place

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
MAX_CURSOR_LENGTH = 512


def dump(ordering: str, place: Place) -> str:
    """Return ``place`` in that ordering as text for a link. It holds what the page shows, and so needs no seal."""
    value = place.value.isoformat() if isinstance(place.value, datetime) else str(place.value)
    text = json.dumps([ordering, place.backwards, value, str(place.pk)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def load(text: str, ordering: str, column: Field[Any, Any], key: Field[Any, Any]) -> Place:
    """Read what :func:`dump` made for that ordering. Raises ``ValueError`` for anything else."""
    if len(text) > MAX_CURSOR_LENGTH:
        raise ValueError("too long")
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        raw = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        made_for, backwards, value, pk = raw
        if made_for != ordering or type(backwards) is not bool or type(value) is not str or type(pk) is not str:
            raise ValueError("made for something else")
        return Place(_clean(column, value), _clean(key, pk), backwards)
    except (binascii.Error, UnicodeError, TypeError, InvalidValue, OverflowError, RecursionError) as error:
        raise ValueError("garbled") from error


class KeysetPagination(BasePagination):
    """``page_size``, ``ordering`` and ``cursor``. The view's ``orderings`` name the columns, each of them indexed."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        ordering = _ordering(request, view)
        order = Order(view.orderings[ordering.removeprefix("-")], descending=ordering.startswith("-"))
        place = _place(request, ordering, queryset.model, order)
        page = order.page(queryset, place, size=_page_size(request))

        def link(row: Model, *, backwards: bool) -> str:
            cursor = dump(ordering, order.place(row, backwards=backwards))
            return str(replace_query_param(request.build_absolute_uri(), "cursor", cursor))

        self.next = link(page.rows[-1], backwards=False) if page.rows and page.has_next else None
        self.previous = link(page.rows[0], backwards=True) if page.rows and page.has_previous else None
        return page.rows

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


def _place(request: Request, ordering: str, model: type[Model], order: Order) -> Place | None:
    raw = request.query_params.get("cursor")
    if raw is None:
        return None
    try:
        return load(raw, ordering, _field(model, order.column), _field(model, "pk"))
    except ValueError as error:
        message = _("This cursor was not made for this list.")
        raise ValidationError({"cursor": message}, code="invalid_cursor") from error


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    found: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    field: Field[Any, Any] = found
    return field


def _clean(column: Field[Any, Any], text: str) -> Any:
    value = column.to_python(text)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without an offset")
        return value.astimezone(UTC)
    column.run_validators(value)
    return value
