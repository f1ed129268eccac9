"""What the API is asked. A request that says anything unknown is refused, so that no typo is taken for consent."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from trusted_devices.api.filters import DeviceFilter, filters_of
from trusted_devices.api.periods import PeriodField
from trusted_devices.services.bulk import BulkKind

MAX_NOTE_LENGTH = 255


class TextField(serializers.CharField):
    """Text, and no number that could be read as such."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class YesNoField(serializers.BooleanField):
    """``true`` or ``false``, and nothing that could be read as such."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictSerializer(serializers.Serializer[Any]):
    """A request that is refused if it says anything that would be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(map(str, set(data) - set(self.fields)))):
            message = _("There is no such field.")
            raise serializers.ValidationError(dict.fromkeys(unknown, message), code="unknown_field")
        return super().to_internal_value(data)


@extend_schema_serializer(examples=[OpenApiExample("A new name", value={"name": "Work laptop"})])
class RenameSerializer(StrictSerializer):
    """A new name."""

    name = TextField(max_length=1024, help_text="At most as long as the site allows.")


@extend_schema_serializer(examples=[OpenApiExample("Why", value={"note": "Laptop stolen"})])
class NoteSerializer(StrictSerializer):
    """Why staff do something."""

    note = TextField(max_length=MAX_NOTE_LENGTH, help_text="Why; kept in the activity log.")


@extend_schema_serializer(
    examples=[
        OpenApiExample("After a recent second factor", value={"period": "P60D"}),
        OpenApiExample("With a code", value={"period": "P30D", "code": "123456"}),
    ]
)
class RememberSerializer(StrictSerializer):
    """For how long to remember a device, and the code where the session has no recent second factor."""

    period = PeriodField(help_text="One of the periods that the site's policy allows.")
    code = TextField(required=False, max_length=64, help_text="A code of the signed-in user.")
    method = TextField(
        required=False, max_length=255, help_text="Which second factor the code is of; the preferred one if left out."
    )


@extend_schema_serializer(
    examples=[OpenApiExample("With a code", value={"period": "P30D", "code": "123456", "note": "Asked by phone"})]
)
class StaffRememberSerializer(RememberSerializer, NoteSerializer):
    """The same by staff, whose own second factor it takes."""


BulkFilterSerializer = type(
    "BulkFilterSerializer",
    (StrictSerializer,),
    {
        "__doc__": "Which devices: the same filters as those of the list, together.",
        "__module__": __name__,
        **{
            name: TextField(required=False, help_text=narrowing.extra["help_text"])
            for name, narrowing in filters_of(DeviceFilter).items()
        },
    },
)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "How many would it be?",
            value={"operation": "stop_trusting", "filter": {"expires_after": "2026-05-01T00:00:00Z"}, "note": "Audit"},
        ),
        OpenApiExample(
            "Do it",
            value={"operation": "forget", "filter": {"username": "maria"}, "dry_run": False, "note": "Laptop stolen"},
        ),
    ]
)
class BulkSerializer(NoteSerializer):
    """What to do to many devices."""

    operation = serializers.ChoiceField([BulkKind.FORGET.value, BulkKind.STOP_TRUSTING.value])
    filter = BulkFilterSerializer(required=False)
    all = YesNoField(default=False, help_text="Every device there is, in place of a filter.")
    dry_run = YesNoField(default=True, help_text="Only count; nothing is done.")
