"""The endpoint, and a back door by which the tests arrange people and look at what became of devices."""

import json
from base64 import b32encode

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.http import JsonResponse
from django.test import override_settings
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.factories import KEY_SECRET, SECRET, make_access_key, make_client, make_pool
from tests.cognito_idp.wire import totp_code
from trusted_devices.cognito_idp import accounts, senders
from trusted_devices.cognito_idp.models import AccessKey, PoolUser, UserPool
from trusted_devices.cognito_idp.operations import admin
from trusted_devices.cognito_idp.registry import Access, operation, operations
from trusted_devices.models import Device
from trusted_devices.types import DeviceStatus


def new_pool(app=None, **fields):
    pool = make_pool(**{"email_mfa": True, "sms_mfa": True, **fields})
    # One for all pools of all processes: boto3's session remembers whose it is.
    key = AccessKey.objects.first() or make_access_key(access_key_id="TDAKTESTSTESTSTESTS0")
    return {
        "pool_id": pool.pool_id,
        "client_id": make_client(pool).client_id,
        "secret_client_id": make_client(pool, secret=SECRET, **{"auth_session_validity": 10, **(app or {})}).client_id,
        "client_secret": SECRET,
        "access_key_id": key.access_key_id,
        "secret_access_key": KEY_SECRET,
    }


def new_user(
    pool,
    username,
    password,
    totp=False,
    email=False,
    phone="",
    must_change_password=False,
    **names,
):
    user = get_user_model().objects.create_user(username, f"{username}@example.com", password, **names)
    pool_user = accounts.get_pool_user(UserPool.objects.get(pool_id=pool), user)
    accounts.keep_verifier(pool_user, password)
    if totp:
        TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    if email:
        EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    if phone:
        pool_user.phone_number, pool_user.mfa_enabled = phone, {**pool_user.mfa_enabled, "SMS_MFA": True}
    pool_user.must_change_password = must_change_password
    pool_user.save()
    return {"sub": str(pool_user.sub)}


def move(endpoint):
    """Have the pool say that it is to be found there: tokens name it, and their keys are looked for there."""
    options = {**settings.TRUSTED_DEVICES["COGNITO_IDP"], "ENDPOINT": endpoint}
    override_settings(TRUSTED_DEVICES={**settings.TRUSTED_DEVICES, "COGNITO_IDP": options}).enable()
    return {}


ATTRIBUTES = {}
_get_user = operations()["AdminGetUser"].handler


@operation("AdminUpdateUserAttributes", Access.SIGNED)
def admin_update_user_attributes(call):
    """The endpoint has no custom attributes; Amazon's pools do."""
    sub = admin.pool_user_of(call).sub
    ATTRIBUTES.setdefault(str(sub), {}).update({each["Name"]: each["Value"] for each in call.params["UserAttributes"]})
    return {}


@operation("AdminGetUser", Access.SIGNED)
def admin_get_user(call):
    answer = _get_user(call)
    custom = ATTRIBUTES.get(str(admin.pool_user_of(call).sub), {})
    answer["UserAttributes"] += [{"Name": name, "Value": value} for name, value in custom.items()]
    return answer


def attribute(sub, attribute):
    return {"value": ATTRIBUTES.get(sub, {}).get(attribute)}


def add_totp(username):
    user = get_user_model().objects.get(username=username)
    TOTPDevice.objects.get_or_create(user=user, name="phone", confirmed=True)
    return {}


def code(username):
    return {"code": totp_code(TOTPDevice.objects.get(user__username=username, confirmed=True))}


def totp_secret(username):
    device = TOTPDevice.objects.get(user__username=username, confirmed=True)
    return {"secret": b32encode(device.bin_key).decode()}


def mailed(username):
    bodies = [message.body for message in mail.outbox if f"{username}@example.com" in message.to]
    return {"body": bodies[-1], "count": str(len(bodies))}


def texted(phone):
    bodies = [text for number, text in senders.outbox if number == phone]
    return {"body": bodies[-1], "count": str(len(bodies))}


def delete_user(username):
    get_user_model().objects.filter(username=username).delete()
    return {}


def rename_user(username, to, password):
    user = get_user_model().objects.get(username=username)
    user.username = to
    user.save()
    for pool_user in PoolUser.objects.filter(user=user).select_related("pool"):
        accounts.keep_verifier(pool_user, password)
    return {}


def disable_user(username):
    user = get_user_model().objects.get(username=username)
    user.is_active = False
    user.save()
    return {}


def set_password(username, password):
    user = get_user_model().objects.get(username=username)
    user.set_password(password)
    user.save()
    for pool_user in PoolUser.objects.filter(user=user).select_related("pool"):
        accounts.keep_verifier(pool_user, password)
    PoolUser.objects.filter(user=user).update(must_change_password=True)
    return {}


def devices(username):
    rows = Device.objects.filter(user__username=username).order_by("pk")
    return {"devices": [{"key": row.device_key, "status": row.status, "name": row.name} for row in rows]}


def set_status(device_key, status):
    Device.objects.filter(device_key=device_key).update(status=DeviceStatus(status))
    return {}


def forget(device_key):
    Device.objects.filter(device_key=device_key).delete()
    return {}


ACTS = {
    act.__name__: act
    for act in (
        new_pool, new_user, set_password, add_totp, code, mailed, texted, delete_user, rename_user, disable_user,
        devices, set_status, forget, attribute, totp_secret, move,
    )
}  # fmt: skip


@csrf_exempt
def back_door(request, name):
    return JsonResponse(ACTS[name](**json.loads(request.body or b"{}")))


urlpatterns = [
    path("cognito-idp/", include("trusted_devices.cognito_idp.urls")),
    path("back-door/<name>", back_door),
]
