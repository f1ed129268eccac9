"""The local backend: Django's users and passwords, any second factor; the ``Device`` rows are the devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth import authenticate
from django.utils import timezone

from trusted_devices.backends.base import BaseDeviceBackend, FirstFactor, Recall
from trusted_devices.exceptions import InvalidCredentials
from trusted_devices.mfa import get_provider
from trusted_devices.types import ClientInfo, MfaMethod, MfaVerification


class LocalBackend(BaseDeviceBackend):
    """``TRUSTED_DEVICES = {"BACKEND": "local"}``, the default. Nobody else has to be told of a device."""

    name = "local"

    def first_factor(self, *, credentials: Mapping[str, str], client: ClientInfo, recall: Recall) -> FirstFactor:
        user = authenticate(client.request, **credentials)
        if user is None:
            raise InvalidCredentials
        methods = self.methods(user)
        return FirstFactor(user=user, methods=methods, mfa_active=bool(methods))

    def methods(self, user: Any) -> Sequence[MfaMethod]:
        return get_provider().methods(user)

    def send_code(
        self, user: Any, method: MfaMethod, *, state: Mapping[str, str], client: ClientInfo
    ) -> Mapping[str, str]:
        get_provider().send_code(user, method, client=client)
        return state

    def second_factor(
        self, user: Any, method: MfaMethod, code: str, *, state: Mapping[str, str], client: ClientInfo
    ) -> MfaVerification:
        return get_provider().verify(user, method, code, client=client, now=timezone.now())
