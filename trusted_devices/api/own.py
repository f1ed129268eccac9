"""What users do with their own devices."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from trusted_devices.api import preconditions, schema
from trusted_devices.api.base import ApiView
from trusted_devices.api.filters import OwnActivityFilter, OwnDeviceFilter
from trusted_devices.api.requests import RememberSerializer, RenameSerializer
from trusted_devices.api.serializers import (
    DeviceSerializer,
    EventSerializer,
    ForgottenSerializer,
)
from trusted_devices.api.throttles import RememberThrottle, UserThrottle
from trusted_devices.exceptions import DeviceNotFound
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices, stamps, standings, versions
from trusted_devices.types import StatusReason
from trusted_devices.words import browsers


class OwnDevices(ApiView):
    """The signed-in user's devices."""

    throttle_classes = [UserThrottle]
    throttle_by_action = {"remember": [RememberThrottle]}
    serializer_class = DeviceSerializer
    queryset = Device.objects.none()
    filterset_class = OwnDeviceFilter
    orderings = {"added": "pk"}
    default_ordering = "-added"

    def get_queryset(self) -> QuerySet[Device]:
        return Device.objects.of(self.request.user)

    @schema.describe(
        tags=["Your devices"],
        summary="List your devices",
        responses=schema.responses({200: DeviceSerializer(many=True)}),
    )
    def list(self, request: Request, **kwargs: Any) -> Response:
        """The current device is marked `current`."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        user: Any = self.signed_in
        for device in page:
            device.user = user
        stamp = stamps.current(user)
        return self.page_of(standings.survey(page, stamp=stamp, current_key=self.current_key), DeviceSerializer)

    @schema.describe(
        tags=["Your devices"],
        summary="Get a device",
        parameters=[schema.ETAG],
        responses=schema.responses({200: DeviceSerializer}),
    )
    def retrieve(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """With its `ETag`, for editing it."""
        return self.answer(self.own_device(device_key), DeviceSerializer)

    @schema.describe(
        tags=["Your devices"],
        summary="Rename a device",
        parameters=[schema.IF_MATCH, schema.ETAG],
        request=RenameSerializer,
        responses=schema.changing({200: DeviceSerializer}, *schema.WITH_BODY),
    )
    def partial_update(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """Only its name is yours to edit."""
        device = self.own_device(device_key)
        name = self.validated(RenameSerializer)["name"]
        with versions.unchanged(device, preconditions.seen(request)) as stored:
            renamed = devices.rename(device=stored, name=name, by=self.acting())
        return self.answer(renamed, DeviceSerializer)

    @schema.describe(
        tags=["Your devices"],
        summary="Forget a device",
        parameters=[schema.IF_MATCH],
        responses=schema.changing({204: None}),
    )
    def destroy(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """Its sessions end; forgetting the current one signs you out. Forgetting again is no error."""
        try:
            device = self.own_device(device_key)
            with versions.unchanged(device, preconditions.seen(request)) as stored:
                devices.forget([stored], by=self.acting())
        except DeviceNotFound:
            if not versions.was_forgotten(device_key, user=self.signed_in):
                raise
        self.let_go()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @schema.describe(
        tags=["Your devices"],
        summary="Remember a device",
        parameters=[schema.IF_MATCH, schema.ETAG],
        request=RememberSerializer,
        responses=schema.changing({200: DeviceSerializer}, *schema.WITH_BODY),
    )
    def remember(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """It skips MFA for a period from now on. Takes a second factor used within ten minutes, or its code."""
        device = self.own_device(device_key)
        asked = self.validated(RememberSerializer)
        return self.answer(self.remember_device(device, asked), DeviceSerializer)

    @schema.describe(
        tags=["Your devices"],
        summary="Stop trusting a device",
        parameters=[schema.IF_MATCH, schema.ETAG],
        request=None,
        responses=schema.changing({200: DeviceSerializer}),
    )
    def stop_trusting(self, request: Request, device_key: str, **kwargs: Any) -> Response:
        """It stays on the list as not remembered; its next sign-in takes a second factor."""
        device = self.own_device(device_key)
        with versions.unchanged(device, preconditions.seen(request)) as stored:
            devices.stop_trusting([stored], reason=StatusReason.USER_STOPPED, by=self.acting())
        return self.answer(self.own_device(device_key), DeviceSerializer)

    @schema.describe(
        tags=["Your devices"],
        summary="Forget all other devices",
        request=None,
        responses=schema.changing({200: ForgottenSerializer}),
    )
    def forget_others(self, request: Request, **kwargs: Any) -> Response:
        """All but the current one; all of them if this client holds none."""
        forgotten = devices.forget_all(user=self.signed_in, except_key=self.current_key, by=self.acting())
        self.let_go()
        return Response({"forgotten": forgotten})


class OwnActivity(ApiView):
    """What happened to the signed-in user's devices."""

    throttle_classes = [UserThrottle]
    serializer_class = EventSerializer
    queryset = DeviceEvent.objects.none()
    filterset_class = OwnActivityFilter
    orderings = {"created_at": "created_at"}
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[DeviceEvent]:
        return DeviceEvent.objects.filter(user_id=self.signed_in.pk)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "describe": browsers.describe}

    @schema.describe(
        tags=["Your devices"],
        summary="List your activity",
        responses=schema.responses({200: EventSerializer(many=True)}),
    )
    def list(self, request: Request, **kwargs: Any) -> Response:
        """Newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.page_of(page, EventSerializer)
