"""How the API describes itself in OpenAPI, by drf-spectacular."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from trusted_devices.api.problems import MEDIA_TYPE
from trusted_devices.api.requests import MAX_NOTE_LENGTH, StrictSerializer
from trusted_devices.api.serializers import ProblemSerializer

View = TypeVar("View", bound=Callable[..., Any])

ALWAYS = (400, 401, 403, 404, 406, 429)
WITH_BODY = (413, 415)
MEANINGS = {
    400: "The request is not valid; `errors` says where.",
    401: "Nobody is signed in.",
    403: "Not allowed, or `fresh_mfa_required`.",
    404: "There is no such device, or it is another user's.",
    406: "Only JSON is to be had.",
    409: "Something that this is about has gone meanwhile.",
    412: "The device has changed since `If-Match` was taken.",
    413: "The request is too large.",
    415: "Requests are JSON.",
    429: "Too many requests, or too many wrong codes.",
    503: "The owner of the devices cannot be reached.",
}

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` last seen; if the device has changed since, nothing is done.",
)
ETAG = OpenApiParameter(
    "ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200], description="The device's version."
)
NOTE = OpenApiParameter(
    "note",
    {"type": "string", "minLength": 1, "maxLength": MAX_NOTE_LENGTH},
    required=True,
    description="Why; kept in the activity log.",
)


def responses(success: dict[int, Any], *also: int) -> dict[Any, Any]:
    """Return the answers of an operation: how it succeeds, and the problems it may have beside the usual ones."""
    return {**success, **_problems((*ALWAYS, *also))}


def changing(success: dict[int, Any], *also: int) -> dict[Any, Any]:
    """Return the answers of an operation that changes a device."""
    return responses(success, 409, 412, 503, *also)


def _problems(statuses: Iterable[int]) -> dict[Any, Any]:
    return {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, MEANINGS[HTTPStatus(status)])
        for status in sorted(set(statuses))
    }


class Schema(AutoSchema):
    """Says of requests that unknown fields are refused, and of those that patch, too, which fields they need."""

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
            if needed := sorted(name for name, field in serializer.fields.items() if field.required):
                schema["required"] = needed
        return schema


def describe(**what: Any) -> Callable[[View], View]:
    """Describe an action like ``extend_schema``, whatever the site's ``DEFAULT_SCHEMA_CLASS`` is."""

    def decorate(action: View) -> View:
        described: Any = action
        described.kwargs = {"schema": Schema}  # where extend_schema looks for what to extend
        return extend_schema(**what)(action)

    return decorate
