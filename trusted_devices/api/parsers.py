"""Request bodies: JSON only, small, and never an error page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from trusted_devices.api.problems import Problem

MAX_BODY = 16 * 1024
"""In bytes; the largest request that makes sense is a fraction of it."""


class BoundedJSONParser(JSONParser):
    """JSON of at most ``MAX_BODY`` bytes, however deep it nests."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", _("A request may have at most 16 KiB."))
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError as error:
            raise ParseError(_("The JSON nests too deeply.")) from error
