"""What the API answers. Requests have classes of their own (``requests.py``), and no class knows a secret."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from trusted_devices.api.periods import PeriodField
from trusted_devices.models import DeviceEvent
from trusted_devices.services import versions
from trusted_devices.services.standings import Standing
from trusted_devices.types import Binding, DeviceStatus, EventAction, StatusReason, TrustReason
from trusted_devices.words import places

DEVICE = {
    "device_key": "eu-west-1_0f8c2f5e-4f4e-4c8e-9a55-3d1f0a6f8a11",
    "name": "Work laptop",
    "description": "Chrome on Windows",
    "status": "remembered",
    "status_reason": "user_trusted",
    "status_changed_at": "2026-03-01T12:00:00Z",
    "trust": "trusted",
    "trust_period": "P60D",
    "trusted_until": "2026-04-30T12:00:00Z",
    "binding": "cookie",
    "confirmed_at": "2026-03-01T12:00:00Z",
    "last_authenticated_at": "2026-03-12T08:15:00Z",
    "last_ip": "203.0.113.0",
    "place": "Boxford, United Kingdom",
    "created_at": "2026-03-01T12:00:00Z",
    "version": "4a7d1ed414474e4033ac29ccb8653d9b",
}
USER = {"id": "42", "username": "maria"}


def _values(words: type[StrEnum]) -> list[str]:
    return [word.value for word in words]


class BaseDeviceSerializer(serializers.Serializer[Standing]):
    """A device and how it stands."""

    device_key = serializers.CharField(source="device.device_key", help_text="Its public identifier.")
    name = serializers.CharField(source="device.name", help_text="What its user calls it; may be empty.")
    description = serializers.CharField(source="device.description", help_text="Browser and system in words.")
    status = serializers.ChoiceField(_values(DeviceStatus), source="device.status")
    status_reason = serializers.ChoiceField(_values(StatusReason), source="device.status_reason")
    status_changed_at = serializers.DateTimeField(source="device.status_changed_at")
    trust = serializers.ChoiceField(
        _values(TrustReason),
        source="decision.reason",
        help_text="What its next sign-in would be answered: `trusted`, or why MFA would be asked.",
    )
    trust_period = PeriodField(source="device.trust_period", allow_null=True, help_text="The period chosen last.")
    trusted_until = serializers.DateTimeField(
        allow_null=True, help_text="When it stops skipping MFA, as the policy is now; null if it does not skip it."
    )
    binding = serializers.ChoiceField(_values(Binding), source="device.binding")
    confirmed_at = serializers.DateTimeField(source="device.confirmed_at", allow_null=True)
    last_authenticated_at = serializers.DateTimeField(source="device.last_authenticated_at", allow_null=True)
    last_ip = serializers.CharField(
        source="device.last_ip", allow_null=True, help_text="The network address it was last used from, as stored."
    )
    place = serializers.SerializerMethodField(help_text="Where that address is, if the site looks it up; may be empty.")
    created_at = serializers.DateTimeField(source="device.created_at")
    version = serializers.SerializerMethodField(help_text="What `ETag` carries; send it back in `If-Match`.")

    def get_place(self, standing: Standing) -> str:
        return places.find(standing.device.last_ip)

    def get_version(self, standing: Standing) -> str:
        return versions.version(standing.device)


@extend_schema_serializer(
    component_name="Device", examples=[OpenApiExample("A trusted device", value={**DEVICE, "current": True})]
)
class DeviceSerializer(BaseDeviceSerializer):
    """One of the signed-in user's devices."""

    current = serializers.BooleanField(source="is_current", help_text="Whether this request comes from it.")


class UserSerializer(serializers.Serializer[Any]):
    """A user, as far as staff need it to find them."""

    id = serializers.CharField(source="pk")
    username = serializers.CharField(source="get_username")


@extend_schema_serializer(
    component_name="UserDevice",
    examples=[OpenApiExample("A user's device", value={**DEVICE, "user": USER, "user_agent": "Mozilla/5.0 ..."})],
)
class UserDeviceSerializer(BaseDeviceSerializer):
    """Anybody's device, for staff."""

    user = UserSerializer(source="device.user")
    user_agent = serializers.CharField(source="device.user_agent")


EVENT = {
    "created_at": "2026-03-01T12:00:00Z",
    "action": "remembered",
    "reason": "user_trusted",
    "device_key": DEVICE["device_key"],
    "ip_address": "203.0.113.0",
    "place": "Boxford, United Kingdom",
}


class BaseEventSerializer(serializers.Serializer[DeviceEvent]):
    """One entry of the activity log."""

    created_at = serializers.DateTimeField()
    action = serializers.ChoiceField(_values(EventAction))
    reason = serializers.CharField(help_text="Why; may be empty.")
    device_key = serializers.CharField(help_text="Which device, also after it was forgotten; may be empty.")
    ip_address = serializers.CharField(allow_null=True)
    place = serializers.SerializerMethodField(help_text="Where that address is, if the site looks it up; may be empty.")

    def get_place(self, event: DeviceEvent) -> str:
        return places.find(event.ip_address)


@extend_schema_serializer(
    component_name="Activity",
    examples=[OpenApiExample("Trusted", value={**EVENT, "by": "self", "description": "Chrome on Windows"})],
)
class EventSerializer(BaseEventSerializer):
    """What happened to the signed-in user's devices."""

    by = serializers.SerializerMethodField(help_text="Who did it: the user, staff, or nobody (a rule of the site).")
    description = serializers.SerializerMethodField(help_text="Browser and system in words.")

    @extend_schema_field({"type": "string", "enum": ["self", "staff", "system"]})
    def get_by(self, event: DeviceEvent) -> str:
        if event.actor_id is None:
            return "system"
        return "self" if event.actor_id == event.user_id else "staff"

    def get_description(self, event: DeviceEvent) -> str:
        return self.context["describe"](event.user_agent) if event.user_agent else ""


@extend_schema_serializer(
    component_name="UserActivity",
    examples=[
        OpenApiExample(
            "Trusted", value={**EVENT, "user": USER, "actor": USER, "note": "", "user_agent": "Mozilla/5.0 ..."}
        )
    ],
)
class UserEventSerializer(BaseEventSerializer):
    """What happened to anybody's devices, for staff."""

    user = UserSerializer(allow_null=True)
    actor = UserSerializer(allow_null=True)
    note = serializers.CharField(help_text="Why, in the words of the actor.")
    user_agent = serializers.CharField()


@extend_schema_serializer(component_name="Forgotten", examples=[OpenApiExample("Two", value={"forgotten": 2})])
class ForgottenSerializer(serializers.Serializer[Any]):
    """How many devices were forgotten."""

    forgotten = serializers.IntegerField(min_value=0)


@extend_schema_serializer(
    component_name="BulkResult",
    examples=[
        OpenApiExample(
            "A dry run",
            value={"dry_run": True, "devices": 1200, "users": 800, "sessions": 950, "done": 0, "complete": False},
        )
    ],
)
class BulkResultSerializer(serializers.Serializer[Any]):
    """What was done, or would be."""

    dry_run = serializers.BooleanField()
    devices = serializers.IntegerField(min_value=0, help_text="How many devices the filter found before this request.")
    users = serializers.IntegerField(min_value=0, help_text="How many users those belong to.")
    sessions = serializers.IntegerField(min_value=0, help_text="How many live sessions came from those devices.")
    done = serializers.IntegerField(min_value=0, help_text="How many this request changed.")
    complete = serializers.BooleanField(help_text="Whether none is left; if not, send the request again.")


class DayCountSerializer(serializers.Serializer[Any]):
    """How many on a day."""

    day = serializers.DateField()
    count = serializers.IntegerField(min_value=0)


class DaysCountSerializer(serializers.Serializer[Any]):
    """How many within a number of days."""

    days = serializers.IntegerField()
    count = serializers.IntegerField(min_value=0)


class StatusCountSerializer(serializers.Serializer[Any]):
    """How many of a status."""

    status = serializers.ChoiceField(_values(DeviceStatus))
    count = serializers.IntegerField(min_value=0)


@extend_schema_serializer(
    component_name="Report",
    examples=[
        OpenApiExample(
            "Figures",
            value={
                "by_status": [{"status": "remembered", "count": 900}, {"status": "not_remembered", "count": 100}],
                "expiring_within": [{"days": 7, "count": 12}, {"days": 30, "count": 250}],
                "trusted_per_day": [{"day": "2026-03-01", "count": 14}],
            },
        )
    ],
)
class ReportSerializer(serializers.Serializer[Any]):
    """Figures over all devices. Days are days of UTC."""

    by_status = StatusCountSerializer(many=True)
    expiring_within = DaysCountSerializer(many=True, help_text="Devices whose trust ends within so many days.")
    trusted_per_day = DayCountSerializer(many=True, help_text="How often devices were trusted, oldest day first.")


class ProblemEntrySerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(help_text="Empty where it is about the request as a whole.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemMethodSerializer(serializers.Serializer[Any]):
    """A second factor to send a code of."""

    id = serializers.CharField()
    kind = serializers.CharField()


@extend_schema_serializer(
    component_name="Problem",
    examples=[
        OpenApiExample(
            "No such device",
            value={
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "code": "device_not_found",
                "detail": "There is no such device.",
            },
        )
    ],
)
class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457). `code` is stable; `title` and `detail` are for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = ProblemEntrySerializer(many=True, required=False)  # type: ignore[assignment]
    allowed_periods = serializers.ListField(child=serializers.CharField(), required=False)
    methods = ProblemMethodSerializer(many=True, required=False)
