"""What every view of the API shares: JSON in and out, who may call, errors, and which device is in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.authentication import BaseAuthentication, BasicAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from trusted_devices.api import pagination, preconditions, problems
from trusted_devices.api.filters import filters_of
from trusted_devices.api.freshness import fresh_verification, session_verification
from trusted_devices.api.parsers import BoundedJSONParser
from trusted_devices.api.permissions import HasPassedMfa, IsStaffWithPermission
from trusted_devices.api.requests import MAX_NOTE_LENGTH
from trusted_devices.api.schema import Schema
from trusted_devices.api.throttles import AdminThrottle
from trusted_devices.exceptions import DeviceNotFound, StaleDevice
from trusted_devices.models import Device
from trusted_devices.services import credentials, devices, remembering, standings, versions
from trusted_devices.types import By, ClientInfo
from trusted_devices.web import logins
from trusted_devices.web.client import client_info
from trusted_devices.web.jar import get_jar

NO_ACTION = (None, "metadata")
"""What Django REST framework calls a method that there is no action for; it is not allowed."""


class ApiView(GenericViewSet[Any]):
    """Says itself what it needs; of the site's own settings only the ways to authenticate count, and the rates."""

    parser_classes = [BoundedJSONParser]
    renderer_classes = [JSONRenderer]
    permission_classes = [IsAuthenticated]
    filter_backends = [DjangoFilterBackend]
    pagination_class: type[pagination.KeysetPagination] | None = pagination.KeysetPagination
    versioning_class = None
    metadata_class = None
    schema = Schema()

    orderings: ClassVar[Mapping[str, str]] = {}
    """Names to order by, and their columns: only what an index can deliver in order."""
    default_ordering: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Query parameters that single actions know, by name of action; lists know their filters and their paging."""
    throttle_by_action: ClassVar[Mapping[str, list[Any]]] = {}

    def get_authenticators(self) -> list[BaseAuthentication]:
        # A password alone is no sign-in here: HTTP Basic would be a way around MFA.
        return [way for way in super().get_authenticators() if not isinstance(way, BasicAuthentication)]

    def get_authenticate_header(self, request: Request) -> str:
        ways = (way.authenticate_header(request) for way in self.get_authenticators())
        return next(filter(None, ways), "Session")

    def get_throttles(self) -> list[Any]:
        chosen = self.throttle_by_action.get(self.action, self.throttle_classes)
        return [throttle() for throttle in chosen]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problems.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action in NO_ACTION:
            return
        known = self.known_parameters()
        for name, values in request.query_params.lists():
            if name not in known:
                raise ValidationError({name: _("There is no such parameter.")}, code="unknown_parameter")
            if len(values) > 1 or not values[0]:
                raise ValidationError({name: _("Give one value, or leave it out.")}, code="invalid_parameter")

    def known_parameters(self) -> frozenset[str]:
        """Return the query parameters that mean something to the current action."""
        if self.action != "list":
            return self.parameters.get(self.action, frozenset())
        filterset = getattr(self, "filterset_class", None)
        return pagination.PARAMETERS | frozenset(filters_of(filterset) if filterset else ())

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        answered = super().finalize_response(request, response, *args, **kwargs)
        if answered.exception:
            answered.content_type = problems.MEDIA_TYPE
        patch_cache_control(answered, private=True, no_store=True)
        return answered

    @property
    def http_request(self) -> HttpRequest:
        """Django's own request."""
        request: HttpRequest = self.request._request
        return request

    @property
    def signed_in(self) -> AbstractBaseUser:
        """The user who sent the request, whatever the site's model of one is."""
        return cast("AbstractBaseUser", self.request.user)

    @cached_property
    def client(self) -> ClientInfo:
        """The client that sent the request."""
        return client_info(self.http_request)

    def acting(self, note: str = "") -> By:
        """Return that this user does something now, and why."""
        return By(actor=self.signed_in, note=note, client=self.client)

    @cached_property
    def current_key(self) -> str:
        """The key of the signed-in user's current device: the client's, or else that of the session."""
        user = self.signed_in
        held = credentials.recognise(user=user, credential=get_jar(self.http_request).present(user).credential)
        note = session_verification(self.request)
        return held.device_key if held else note.device_key if note else ""

    def validated(self, serializer: type[BaseSerializer[Any]]) -> Any:
        """Return the request as ``serializer`` understands it."""
        asked = serializer(data=self.request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        return asked.validated_data

    def any_device(self, device_key: str) -> Device:
        """Return a device of whomever. Raises ``DeviceNotFound``."""
        if not devices.may_be_key(device_key):
            raise DeviceNotFound
        device = standings.with_users(Device.objects.filter(device_key=device_key)).first()
        if device is None:
            raise DeviceNotFound
        return device

    def own_device(self, device_key: str) -> Device:
        """Return a device of the signed-in user. Raises ``DeviceNotFound``, also for another user's."""
        return devices.get(user=self.signed_in, device_key=device_key)

    def page_of(self, rows: Iterable[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        """Return a page of the list."""
        shown = serializer(rows, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)

    def answer(self, device: Device, serializer: type[BaseSerializer[Any]]) -> Response:
        """Return one device with its ``ETag``."""
        standing = standings.standing(user=device.user, device=device, current_key=self.current_key)
        shown = serializer(standing, context=self.get_serializer_context())
        return Response(shown.data, headers={"ETag": preconditions.etag(device)})

    def remember_device(self, device: Device, asked: Mapping[str, Any]) -> Device:
        """Remember ``device`` as the request asks. What can be refused without a code is refused before it is used."""
        seen = preconditions.seen(self.request)
        remembering.check_period(device.user, asked["period"])
        if not seen(versions.version(device)):
            raise StaleDevice
        verification = fresh_verification(self.request, asked, self.client)
        with versions.unchanged(device, seen) as stored:
            device = remembering.remember(
                stored,
                period=asked["period"],
                verification=verification,
                by=self.acting(asked.get("note", "")),
            )
        jar = get_jar(self.http_request)
        held = jar.present(device.user).credential
        if held is not None and held.device_key == device.device_key == self.current_key:
            jar.keep(credentials.with_expiry(held, device.trust_expires_at))
        return device

    def let_go(self) -> None:
        """Take from the client what belonged to a device of its user that is gone now: credential and session."""
        user, request = self.signed_in, self.http_request
        jar, note = get_jar(request), session_verification(self.request)
        held = jar.present(user).credential
        keys = {key for key in (held and held.device_key, note and note.device_key) if key}
        if not keys:
            return
        left = set(Device.objects.of(user).filter(device_key__in=keys).values_list("device_key", flat=True))
        if held is not None and held.device_key not in left:
            jar.discard(user)
        if note is not None and note.device_key and note.device_key not in left:
            logins.leave(request)


class StaffView(ApiView):
    """For staff only, each action under one of Django's model permissions."""

    permission_classes = [IsAuthenticated, IsStaffWithPermission, HasPassedMfa]
    throttle_classes = [AdminThrottle]
    permissions: ClassVar[dict[str, str]] = {}

    def permission_for(self, action: str | None) -> str | None:
        """Return the permission that ``action`` takes; none if there is no such action to be allowed."""
        return None if action in NO_ACTION else self.permissions[action]

    def note(self) -> str:
        """Return why, from the query of a request without a body."""
        note = self.request.query_params.get("note", "").strip()
        if not note or len(note) > MAX_NOTE_LENGTH or "\0" in note:
            message = _("Say why, in at most %(most)s characters.") % {"most": MAX_NOTE_LENGTH}
            raise ValidationError({"note": message}, code="invalid_note")
        return note
