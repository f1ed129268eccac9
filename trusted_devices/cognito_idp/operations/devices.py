"""A user's own devices, by access token."""

from __future__ import annotations

from trusted_devices.cognito_idp import devicelists, errors, tokens
from trusted_devices.cognito_idp.models import RefreshToken
from trusted_devices.cognito_idp.operations.auth import client_info
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.cognito_idp.tokens import Bearer
from trusted_devices.crypto.errors import SrpError
from trusted_devices.crypto.verifier import SrpVerifier, parse_device_verifier
from trusted_devices.exceptions import AlreadyAnswered, DeviceNotFound
from trusted_devices.models import Device
from trusted_devices.services import devices, srp_devices
from trusted_devices.types import Binding, By, DeviceStatus, NewDevice, StatusReason, TrackingMode


@operation("ConfirmDevice", Access.TOKEN)
def confirm_device(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    refresh_token, pool = bearer.refresh_token, bearer.pool
    if not pool.is_tracking or call.params["DeviceKey"] != refresh_token.device_key:
        raise errors.invalid_device_key()
    verifier = _verifier(call)
    try:
        srp_devices.confirm(
            user=bearer.user,
            new=NewDevice(
                device_key=refresh_token.device_key, group_key=pool.device_group_key, secret="", binding=Binding.SRP
            ),
            verifier=verifier,
            name=call.params.get("DeviceName", ""),
            terms=pool.terms,
            verification=refresh_token.verification,
            by=By(client=client_info(call, refresh_token.app_client), at=call.now),
        )
    except AlreadyAnswered:
        raise errors.WireError("DeviceKeyExistsException", "The key has been confirmed before.") from None
    RefreshToken.objects.filter(pk=refresh_token.pk).update(device_confirmed=True)
    return {"UserConfirmationNecessary": pool.tracking == TrackingMode.OPT_IN}


@operation("UpdateDeviceStatus", Access.TOKEN)
def update_device_status(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    device = _device(bearer, call.params["DeviceKey"])
    status = call.params.get("DeviceRememberedStatus")
    info = client_info(call, bearer.refresh_token.app_client)
    try:
        if status == DeviceStatus.REMEMBERED:
            srp_devices.remember(
                device,
                terms=bearer.pool.terms,
                verification=bearer.refresh_token.verification
                if device.device_key == bearer.refresh_token.device_key
                else None,
                by=By(actor=bearer.user, client=info, at=call.now),
            )
        elif status == DeviceStatus.NOT_REMEMBERED:
            srp_devices.stop(
                device, reason=StatusReason.USER_STOPPED, by=By(actor=bearer.user, client=info, at=call.now)
            )
    except DeviceNotFound:
        raise errors.device_not_found() from None
    return {}


@operation("ListDevices", Access.TOKEN)
def list_devices(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    limit, token = call.params.get("Limit", 0), call.params.get("PaginationToken")
    return devicelists.own_page(bearer.pool_user, limit=limit, token=token, now=call.now)


@operation("GetDevice", Access.TOKEN)
def get_device(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
    device = _device(bearer, call.params["DeviceKey"])
    return {"Device": devicelists.full(bearer.pool_user, device, now=call.now)}


@operation("ForgetDevice", Access.TOKEN)
def forget_device(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
    device = _device(bearer, call.params["DeviceKey"])
    devices.forget(
        [device], by=By(actor=bearer.user, client=client_info(call, bearer.refresh_token.app_client), at=call.now)
    )
    return None


def _device(bearer: Bearer, device_key: str) -> Device:
    try:
        return srp_devices.find(user=bearer.user, group_key=bearer.pool.device_group_key, device_key=device_key)
    except DeviceNotFound:
        raise errors.device_not_found() from None


def _verifier(call: Call) -> SrpVerifier:
    """Return salt and verifier from the request. Raises ``WireError`` (InvalidParameterException)."""
    config = call.params.get("DeviceSecretVerifierConfig", {})
    try:
        return parse_device_verifier(salt=config.get("Salt", ""), password_verifier=config.get("PasswordVerifier", ""))
    except SrpError as error:
        if "negative" in str(error):
            raise errors.invalid_parameter(str(error)) from None
        raise errors.invalid_device_key() from None
