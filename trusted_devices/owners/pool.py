"""An Amazon Cognito user pool that owns the devices. Cognito knows no expiry; the rows here add it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from trusted_devices.cognito import budget, calls, conf, identities, translate
from trusted_devices.cognito.errors import UNCERTAIN, MalformedAnswer, UserNotFound
from trusted_devices.crypto.verifier import DeviceSecret, make_device_secret
from trusted_devices.exceptions import DeviceNotFound, TrustedDevicesError, TrustNotAllowed
from trusted_devices.owners.remote import RemoteOwner
from trusted_devices.types import Binding, DeviceStatus, NewDevice, OwnedDevice

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.core.checks import CheckMessage

    from trusted_devices.cognito.flow import PoolSignIn
    from trusted_devices.models import Device

PAGE = 60
"""Devices in one answer of AdminListDevices, at most."""


class PoolOwner(RemoteOwner):
    """``TRUSTED_DEVICES = {"BACKEND": "cognito", "COGNITO": {...}}``.

    With ``sign_in``, a sign-in that has its tokens, the device of that sign-in is changed on behalf of its user
    (ConfirmDevice, UpdateDeviceStatus); all else is done with the site's own credentials (``Admin...``).
    """

    name = "cognito"

    def __init__(self, sign_in: PoolSignIn | None = None) -> None:
        self._sign_in = sign_in
        self._new: DeviceSecret | None = None

    def new_device(self) -> NewDevice:
        sign_in = self._sign_in
        if sign_in is None or not sign_in.access or not sign_in.new_key or not sign_in.group_key:
            raise TrustNotAllowed
        self._new = make_device_secret(device_group_key=sign_in.group_key, device_key=sign_in.new_key)
        return NewDevice(
            device_key=sign_in.new_key,
            group_key=sign_in.group_key,
            secret=self._new.password,
            binding=Binding.SRP,
        )

    def confirm_device(self, device: Device) -> None:
        if self._sign_in is None or self._new is None or device.device_key != self._sign_in.new_key:
            raise TrustNotAllowed
        params = {"DeviceName": device.display_name[:1024]} if device.display_name else {}
        try:
            calls.as_user(
                "confirm_device",
                self._sign_in.access,
                DeviceKey=device.device_key,
                DeviceSecretVerifierConfig=self._new.verifier.to_config(),
                **params,
            )
        except UNCERTAIN:
            # If it is confirmed all the same, nobody holds its secret.
            with suppress(TrustedDevicesError):
                self._forget_at_once(device)
            raise

    def update_device_status(self, device: Device, status: DeviceStatus) -> None:
        sign_in = self._sign_in
        if sign_in is not None and device.device_key in (sign_in.new_key, sign_in.device_key):
            calls.as_user(
                "update_device_status",
                sign_in.access,
                DeviceKey=device.device_key,
                DeviceRememberedStatus=status.value,
            )
            return
        try:
            self._as_staff("admin_update_device_status", device, DeviceRememberedStatus=status.value)
        except DeviceNotFound:
            if status is DeviceStatus.REMEMBERED:
                raise

    def forget_device(self, device: Device) -> None:
        with suppress(DeviceNotFound):
            self._as_staff("admin_forget_device", device)

    def in_background(self, call: Callable[[], None], *, user_id: Any) -> None:
        budget.in_background(call, conf.get_options(), user_id=user_id)

    def writes_per_second(self) -> float | None:
        return conf.get_options().WRITES_PER_SECOND

    @property
    def publishes_expiry(self) -> bool:
        return conf.get_options().EXPIRY_ATTRIBUTE is not None

    def publish_expiry(self, user_id: Any, dates: Mapping[str, datetime]) -> None:
        options, sub = conf.get_options(), identities.sub_of(user_id)
        if options.EXPIRY_ATTRIBUTE is None or sub is None:
            return
        value = translate.expiry_attribute(dates)
        try:
            if translate.user_attribute(calls.user_record(sub), options.EXPIRY_ATTRIBUTE) == value:
                return
            budget.wait_to_publish(options)
            attribute = {"Name": options.EXPIRY_ATTRIBUTE, "Value": value}
            calls.as_staff("admin_update_user_attributes", Username=sub, UserAttributes=[attribute])
        except UserNotFound:
            return

    def list_devices(self, user: AbstractBaseUser) -> Iterator[OwnedDevice]:
        sub = identities.sub_of(user.pk)
        if sub is None:
            raise DeviceNotFound
        token: str | None = None
        while True:
            params = {"PaginationToken": token} if token else {}
            call = partial(calls.as_staff, "admin_list_devices", Username=sub, Limit=PAGE, **params)
            try:
                page = budget.in_background(call, conf.get_options(), user_id=user.pk, reading=True)
            except UserNotFound:
                raise DeviceNotFound from None
            yield from map(translate.device, page.get("Devices") or ())
            last, token = token, page.get("PaginationToken")
            if not token:
                return
            if token == last:
                raise MalformedAnswer("A list of devices that leads back to the same page.")

    def check(self) -> list[CheckMessage]:
        from trusted_devices.cognito import checks

        return checks.check_options()

    def check_deployment(self) -> list[CheckMessage]:
        from trusted_devices.cognito import checks

        return checks.check_pool()

    def _as_staff(self, operation: str, device: Device, **params: Any) -> None:
        """Raises ``DeviceNotFound``, ``BackendUnavailable``."""
        sub = identities.sub_of(device.user_id)
        if sub is None:
            raise DeviceNotFound
        try:
            calls.as_staff(operation, Username=sub, DeviceKey=device.device_key, **params)
        except UserNotFound:
            raise DeviceNotFound from None

    def _forget_at_once(self, device: Device) -> None:
        """Try once: the pool may be away, and a user is waiting."""
        calls.once("admin_forget_device", Username=identities.sub_of(device.user_id), DeviceKey=device.device_key)
