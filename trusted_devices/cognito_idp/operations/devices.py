"""A user's own devices, by access token."""

from __future__ import annotations

from trusted_devices.cognito_idp import callers, devicelists, errors, pool_devices, tokens
from trusted_devices.cognito_idp.models import RefreshToken, UserPool
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.cognito_idp.tokens import Bearer
from trusted_devices.crypto.encoding import pad
from trusted_devices.crypto.errors import SrpError
from trusted_devices.crypto.verifier import SrpVerifier, parse_device_verifier
from trusted_devices.exceptions import AlreadyAnswered, DeviceNotFound
from trusted_devices.models import Device
from trusted_devices.services import devices, registration, remembering
from trusted_devices.types import Binding, By, DeviceStatus, MfaVerification, NewDevice, TrackingMode


@operation(
    "ConfirmDevice",
    Access.TOKEN,
    differs="A user has at most MAX_DEVICES_PER_USER devices (20): one more, and another is forgotten, not refused.",
)
def confirm_device(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    refresh_token, pool = bearer.refresh_token, bearer.pool
    if not pool.is_tracking or call.params["DeviceKey"] != refresh_token.device_key:
        raise errors.invalid_device_key()
    verifier = _verifier(call)
    new = NewDevice(
        device_key=refresh_token.device_key,
        group_key=pool.device_group_key,
        binding=Binding.SRP,
        srp_salt=pad(verifier.salt),
        srp_verifier=pad(verifier.verifier),
    )
    try:
        registration.confirm_as(
            new,
            user=bearer.user,
            name=devices.shown_name(call.params.get("DeviceName", ""), longest=devices.LONGEST_NAME),
            verification=refresh_token.verification,
            policy=PoolPolicy(pool),
            by=_by(call, bearer),
        )
    except AlreadyAnswered:
        raise errors.WireError("DeviceKeyExistsException", "The key has been confirmed before.") from None
    RefreshToken.objects.filter(pk=refresh_token.pk).update(device_confirmed=True)
    return {"UserConfirmationNecessary": pool.tracking == TrackingMode.OPT_IN}


@operation(
    "UpdateDeviceStatus",
    Access.TOKEN,
    differs="A second factor from before trust was ended earns none: the device is remembered and asked for MFA once.",
)
def update_device_status(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    device = pool_devices.find(bearer.pool_user, call.params["DeviceKey"])
    own = device.device_key == bearer.refresh_token.device_key
    verification = bearer.refresh_token.verification if own else None
    change_status(call, device, bearer.pool, verification=verification, by=_by(call, bearer))
    return {}


@operation("ListDevices", Access.TOKEN)
def list_devices(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params["AccessToken"], now=call.now)
    limit, token = call.params.get("Limit", 0), call.params.get("PaginationToken")
    return devicelists.own_page(bearer.pool_user, limit=limit, token=token, now=call.now)


@operation("GetDevice", Access.TOKEN)
def get_device(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
    device = pool_devices.find(bearer.pool_user, call.params["DeviceKey"])
    return {"Device": devicelists.full(bearer.pool_user, device, now=call.now)}


@operation("ForgetDevice", Access.TOKEN)
def forget_device(call: Call) -> Answer:
    bearer = tokens.authenticate(call.params.get("AccessToken"), now=call.now)
    device = pool_devices.find(bearer.pool_user, call.params["DeviceKey"])
    devices.forget([device], by=_by(call, bearer))
    return None


def change_status(call: Call, device: Device, pool: UserPool, *, verification: MfaVerification | None, by: By) -> None:
    """Make a device remembered or not, if the call says so. Raises ``WireError`` if it was forgotten meanwhile.

    ``verification`` is the second factor of the device's own sign-in, ``None`` without one.
    """
    status = call.params.get("DeviceRememberedStatus")
    if status is None:
        return
    policy = PoolPolicy(pool)
    try:
        remembering.update_status(device, DeviceStatus(status), verification=verification, policy=policy, by=by)
    except DeviceNotFound:
        raise errors.device_not_found() from None


def _by(call: Call, bearer: Bearer) -> By:
    return By(actor=bearer.user, client=callers.client_info(call, bearer.refresh_token.app_client), at=call.now)


def _verifier(call: Call) -> SrpVerifier:
    """Return salt and verifier from the request. Raises ``WireError`` (InvalidParameterException)."""
    config = call.params.get("DeviceSecretVerifierConfig", {})
    try:
        return parse_device_verifier(salt=config.get("Salt", ""), password_verifier=config.get("PasswordVerifier", ""))
    except SrpError as error:
        if "negative" in str(error):
            raise errors.invalid_parameter(str(error)) from None
        raise errors.invalid_device_key() from None
