"""What staff do with anybody's devices."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trusted_devices.api import preconditions, schema
from trusted_devices.api.base import StaffView
from trusted_devices.api.filters import ActivityFilter, DeviceFilter, OwnDeviceFilter
from trusted_devices.api.requests import BulkSerializer, NoteSerializer, StaffRememberSerializer
from trusted_devices.api.serializers import (
    BulkResultSerializer,
    ForgottenSerializer,
    ReportSerializer,
    UserDeviceSerializer,
    UserEventSerializer,
)
from trusted_devices.api.throttles import BulkThrottle, RememberThrottle
from trusted_devices.exceptions import DeviceNotFound
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.querysets import DeviceQuerySet
from trusted_devices.services import bulk, devices, reports, standings, versions
from trusted_devices.services.bulk import BulkKind
from trusted_devices.types import DeviceStatus, StatusReason

VIEW, CHANGE, DELETE, ACTIVITY = (
    f"trusted_devices.{name}" for name in ("view_device", "change_device", "delete_device", "view_deviceevent")
)
BULK_PERMISSIONS = {BulkKind.FORGET: DELETE, BulkKind.STOP_TRUSTING: CHANGE}
BULK_BATCHES = 2
"""Batches that one request does at most; the answer says whether anything is left."""
REPORT_DAYS = 30


class Devices(StaffView):
    """Anybody's devices."""

    throttle_by_action = {"remember": [RememberThrottle], "bulk": [BulkThrottle]}
    permissions = {
        "list": VIEW,
        "retrieve": VIEW,
        "remember": CHANGE,
        "stop_trusting": CHANGE,
        "destroy": DELETE,
        "bulk": VIEW,
    }
    parameters = {"destroy": frozenset({"note"})}
    serializer_class = UserDeviceSerializer
    queryset = Device.objects.none()
    filterset_class: Any = DeviceFilter
    orderings = {"added": "pk", "trust_expires_at": "trust_expires_at"}
    default_ordering = "-added"

    def get_queryset(self) -> DeviceQuerySet[Device]:
        found = standings.with_users(Device.objects.all())
        query = self.request.query_params
        if query.get("ordering", "").removeprefix("-") != "trust_expires_at":
            return found
        if query.get("status") != DeviceStatus.REMEMBERED:
            message = _("Only remembered devices can be ordered by this: add status=remembered.")
            raise ValidationError({"ordering": message}, code="invalid_ordering")
        return found.filter(trust_expires_at__isnull=False)

    def page(self, found: QuerySet[Device]) -> Response:
        """Return a page of what of ``found`` the filters leave."""
        page = self.paginate_queryset(self.filter_queryset(found)) or []
        return self.page_of(standings.survey(page), UserDeviceSerializer)

    @schema.describe(
        tags=["Administration"],
        summary="Search all devices",
        responses=schema.responses({200: UserDeviceSerializer(many=True)}),
    )
    def list(self, request: Request, **kwargs: Any) -> Response:
        """Takes `view_device`. Ordering by `trust_expires_at` takes `status=remembered`."""
        return self.page(self.get_queryset())

    @schema.describe(
        tags=["Administration"],
        summary="Get a user's device",
        parameters=[schema.ETAG],
        responses=schema.responses({200: UserDeviceSerializer}),
    )
    def retrieve(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """Takes `view_device`."""
        return self.answer(self.any_device(device_key), UserDeviceSerializer)

    @schema.describe(
        tags=["Administration"],
        summary="Forget a user's device",
        parameters=[schema.IF_MATCH, schema.NOTE],
        responses=schema.changing({204: None}),
    )
    def destroy(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """Takes `delete_device`. Its sessions end. Forgetting again is no error."""
        note = self.note()
        try:
            device = self.any_device(device_key)
            with versions.unchanged(device, preconditions.seen(request)) as stored:
                devices.forget([stored], by=self.acting(note))
        except DeviceNotFound:
            if not versions.was_forgotten(device_key):
                raise
        self.let_go()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @schema.describe(
        tags=["Administration"],
        summary="Remember a user's device",
        parameters=[schema.IF_MATCH, schema.ETAG],
        request=StaffRememberSerializer,
        responses=schema.changing({200: UserDeviceSerializer}, *schema.WITH_BODY),
    )
    def remember(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """Takes `change_device` and a fresh second factor of the caller. The policy is that of the device's user."""
        device = self.any_device(device_key)
        asked = self.validated(StaffRememberSerializer)
        return self.answer(self.remember_device(device, asked), UserDeviceSerializer)

    @schema.describe(
        tags=["Administration"],
        summary="Stop trusting a user's device",
        parameters=[schema.IF_MATCH, schema.ETAG],
        request=NoteSerializer,
        responses=schema.changing({200: UserDeviceSerializer}, *schema.WITH_BODY),
    )
    def stop_trusting(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """Takes `change_device`."""
        device = self.any_device(device_key)
        note = self.validated(NoteSerializer)["note"]
        with versions.unchanged(device, preconditions.seen(request)) as stored:
            devices.stop_trusting([stored], reason=StatusReason.STAFF_STOPPED, by=self.acting(note))
        return self.answer(self.any_device(device_key), UserDeviceSerializer)

    @schema.describe(
        tags=["Administration"],
        summary="Act on many devices",
        request=BulkSerializer,
        responses=schema.changing({200: BulkResultSerializer}, *schema.WITH_BODY),
    )
    def bulk(self, request: Request, **kwargs: Any) -> Response:
        """Forgets (`delete_device`) or stops trusting (`change_device`) what a filter finds. Only counts unless
        `dry_run` is false. A request changes at most 1000 devices; while the answer is not `complete`, send it again.
        """
        asked = self.validated(BulkSerializer)
        kind = BulkKind(asked["operation"])
        if not request.user.has_perm(BULK_PERMISSIONS[kind]):
            self.permission_denied(request)
        chosen = _chosen(asked, kind)
        touched = bulk.survey(chosen)
        act = bulk.begin(kind, touched, note=asked["note"])
        if not asked["dry_run"]:
            for _number in range(BULK_BATCHES):
                act = act if act.finished else bulk.step(act, chosen, by=self.acting())
            self.let_go()
        result = {
            "dry_run": asked["dry_run"],
            "devices": touched.devices,
            "users": touched.users,
            "sessions": touched.sessions,
            "done": act.changed,
            "complete": act.finished or act.seen >= touched.devices,
        }
        return Response(BulkResultSerializer(result).data)


class UserDevices(Devices):
    """The devices of one user."""

    permissions = {"list": VIEW, "destroy_all": DELETE}
    parameters = {"destroy_all": frozenset({"note"})}
    filterset_class = OwnDeviceFilter
    orderings = {"added": "pk"}

    def user(self) -> Any:
        """Return the user whom the path names. Raises ``Http404``."""
        users = get_user_model()
        key: Any = users._meta.pk
        try:
            user = users._default_manager.filter(pk=key.clean(self.kwargs["user_id"], None)).first()
        except (InvalidValue, ValueError):
            user = None
        if user is None:
            raise Http404
        return user

    @schema.describe(
        tags=["Administration"],
        summary="List a user's devices",
        responses=schema.responses({200: UserDeviceSerializer(many=True)}),
    )
    def list(self, request: Request, **kwargs: Any) -> Response:
        """Takes `view_device`."""
        return self.page(self.get_queryset().of(self.user()))

    @schema.describe(
        tags=["Administration"],
        summary="Forget all of a user's devices",
        parameters=[schema.NOTE],
        responses=schema.changing({200: ForgottenSerializer}),
    )
    def destroy_all(self, request: Request, **kwargs: Any) -> Response:
        """Takes `delete_device`. All sessions from those devices end."""
        note = self.note()
        found = list(Device.objects.of(self.user()))
        forgotten = devices.forget(found, by=self.acting(note))
        self.let_go()
        return Response({"forgotten": forgotten})


class Activity(StaffView):
    """What happened to anybody's devices."""

    permissions = {"list": ACTIVITY}
    serializer_class = UserEventSerializer
    queryset = DeviceEvent.objects.none()
    filterset_class = ActivityFilter
    orderings = {"created_at": "created_at"}
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[DeviceEvent]:
        return DeviceEvent.objects.select_related("user", "actor")

    @schema.describe(
        tags=["Administration"],
        summary="Search all activity",
        responses=schema.responses({200: UserEventSerializer(many=True)}),
    )
    def list(self, request: Request, **kwargs: Any) -> Response:
        """Takes `view_deviceevent`. Newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.page_of(page, UserEventSerializer)


class Report(StaffView):
    """Figures over all devices."""

    permissions = {"retrieve": VIEW}
    serializer_class = ReportSerializer
    pagination_class = None
    filter_backends = []

    @schema.describe(
        tags=["Administration"], summary="Count devices", responses=schema.responses({200: ReportSerializer})
    )
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """By status, by what expires soon, and how often devices were trusted on each of the last 30 days.

        Takes `view_device`.
        """
        now = timezone.now()
        figures = {
            "by_status": [{"status": status, "count": count} for status, count in reports.status_counts().items()],
            "expiring_within": [{"days": days, "count": count} for days, count in reports.expiring(now=now).items()],
            "trusted_per_day": reports.trusted_per_day(now=now, days=REPORT_DAYS),
        }
        return Response(ReportSerializer(figures).data)


def _chosen(asked: dict[str, Any], kind: BulkKind) -> DeviceQuerySet[Device]:
    """Return the devices that a bulk request names, by a filter that says something or all of them in so many words.

    What is as it should be is left out, so that a request sent again goes on with what is left.
    """
    given = {name: value for name, value in asked.get("filter", {}).items() if value != ""}
    if bool(given) is asked["all"]:
        message = _("Give a filter, or else say that all devices are meant.")
        raise ValidationError({"filter": message}, code="filter_required")
    filters = DeviceFilter(given, queryset=Device.objects.all())
    if not filters.is_valid():  # type: ignore[no-untyped-call]
        raise ValidationError({"filter": filters.errors}, code="invalid_filter")
    found: DeviceQuerySet[Device] = filters.qs
    return found if kind is BulkKind.FORGET else found.remembered()
