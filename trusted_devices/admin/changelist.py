"""Lists that cost the same on every page and at every size: newest first, paged by primary key, never counted whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db import DataError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext

from trusted_devices.admin import searching
from trusted_devices.keyset import Order, Page, Place

Row = TypeVar("Row", bound=Model)

if TYPE_CHECKING:

    class ModelAdminBase(admin.ModelAdmin[Row]):
        """Generic for the type checker."""

else:

    class ModelAdminBase(Generic[Row], admin.ModelAdmin):
        """Generic at run time, too."""


NEWEST_FIRST = Order(descending=True)
COUNT_LIMIT = 1000
"""Beyond so many matching rows the list only says that there are more."""

_PLACE = re.compile(r"(older|newer)-(\d{1,18})")


class KeysetChangeList(ChangeList):
    """A change list whose page is named by the row next to it: ``?p=older-123`` is what comes after the row 123.

    Instead of page numbers it has ``newest_url``, ``newer_url`` and ``older_url``, empty where there is no such page;
    ``counted`` is the number of matching rows in words.
    """

    newest_url = newer_url = older_url = ""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Sort by primary key whatever the query string says: no other order is free at every size."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page, one row more than fits, and count up to ``COUNT_LIMIT``."""
        place = _place(request.GET.get(PAGE_VAR, ""))
        page = self._page(place)
        if place is not None and place.backwards and not page.has_previous:
            page = self._page(None)
        rows = page.rows
        if rows and page.has_previous:
            self.newer_url = self._url(f"newer-{rows[0].pk}")
        if rows and page.has_next:
            self.older_url = self._url(f"older-{rows[-1].pk}")
        if page.has_previous:
            self.newest_url = self.get_query_string()
        several_pages = page.has_previous or page.has_next
        self.result_list = rows
        self.result_count = self.queryset[: COUNT_LIMIT + 1].count() if several_pages else len(rows)
        # Equal counts are how the search form is told to say nothing about them.
        self.full_result_count = self.result_count
        self.show_full_result_count = False
        self.show_admin_actions = bool(rows)
        self.can_show_all = True
        self.multi_page = False

    @property
    def counted(self) -> str:
        """How many rows match, such as "12" or "more than 1,000"."""
        if self.result_count <= COUNT_LIMIT:
            return number_format(self.result_count)
        return gettext("more than %(count)s") % {"count": number_format(COUNT_LIMIT, force_grouping=True)}

    def _page(self, place: Place | None) -> Page[Any]:
        try:
            return NEWEST_FIRST.page(self.queryset, place, size=self.list_per_page)
        except (DataError, OverflowError) as error:
            # A key in the query string that no column can hold.
            raise IncorrectLookupParameters from error

    def _url(self, cursor: str) -> str:
        return self.get_query_string({PAGE_VAR: cursor})


def _place(value: str) -> Place | None:
    """Return what the query string names; anything else means the first page."""
    found = _PLACE.fullmatch(value)
    return Place(int(found[2]), int(found[2]), backwards=found[1] == "newer") if found else None


class KeysetModelAdmin(ModelAdminBase[Row]):
    """What both lists have in common: paging by key, search by beginnings, and no question about secrets."""

    list_per_page = 50
    ordering = ("-pk",)
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    lookups: tuple[str, ...] = ()
    """What the query string may ask for. Everything else is refused: by asking, secrets could be found out."""

    def matches(self, term: str, users: list[Any]) -> Q:
        """Return what finds the rows of these users and those that ``term`` itself names."""
        raise NotImplementedError

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """Page by key."""
        return KeysetChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Call the list by what it lists."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow what the filters and the links of other pages ask."""
        return lookup.removesuffix("__exact") in self.lookups

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Row], search_term: str) -> Any:
        """Find by the beginning of a user name or an e-mail address, and what else :meth:`matches` looks at."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = searching.users(term)
        if found.too_many and request.method == "GET":
            message = gettext("This search fits too many users; only the first %(count)d are looked at.")
            self.message_user(request, message % {"count": searching.USER_LIMIT}, messages.WARNING)
        return queryset.filter(self.matches(term, found.users)), False
