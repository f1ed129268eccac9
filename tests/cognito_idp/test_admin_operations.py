"""Admin calls about users, devices and events."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.factories import SECRET, make_pool
from tests.cognito_idp.wire import App, Refused, totp_code
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import UserPool, UserPoolClient
from trusted_devices.cognito_idp.operations.events import feedback_token
from trusted_devices.models import Device, DeviceEvent


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


@pytest.fixture
def names(mfa_app):
    return {"UserPoolId": mfa_app.pool.pool_id, "Username": "maria"}


def statuses(admin, names):
    devices = admin.call("AdminListDevices", **names)["Devices"]
    return [
        attribute["Value"]
        for device in devices
        for attribute in device["DeviceAttributes"]
        if attribute["Name"] == "dev:device_remembered_status"
    ]


def test_staff_see_confirmed_devices_with_seven_attributes(admin, mfa_app, totp, names):
    mfa_app.sign_in(totp)
    assert admin.call("AdminListDevices", **names) == {"Devices": []}
    mfa_app.confirm("Pixel 9")
    (device,) = admin.call("AdminListDevices", **names)["Devices"]
    assert [attribute["Name"] for attribute in device["DeviceAttributes"]] == [
        "device_status",
        "device_name",
        "dev:device_arn",
        "dev:device_owner",
        "last_ip_used",
        "dev:device_remembered_status",
        "dev:device_sdk",
    ]
    assert admin.call("AdminGetDevice", **names, DeviceKey=mfa_app.device_key)["Device"] == device
    assert device["DeviceLastAuthenticatedDate"] % 1 == 0
    assert statuses(admin, names) == ["not_remembered"]


def test_staff_stop_and_take_up_again_the_trust_in_a_device(admin, mfa_app, totp, names):
    mfa_app.remembered_device(totp)
    expires = Device.objects.get().trust_expires_at
    update = {**names, "DeviceKey": mfa_app.device_key}
    assert admin.call("AdminUpdateDeviceStatus", **update, DeviceRememberedStatus="not_remembered") == {}
    assert mfa_app.password_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    admin.call("AdminUpdateDeviceStatus", **update)
    assert statuses(admin, names) == ["not_remembered"]
    admin.call("AdminUpdateDeviceStatus", **update, DeviceRememberedStatus="remembered")
    assert Device.objects.get().trust_expires_at == expires
    assert mfa_app.password_sign_in()["ChallengeName"] == "DEVICE_SRP_AUTH"
    assert [
        event.reason for event in DeviceEvent.objects.filter(action__in=["remembered", "not_remembered"]).order_by("pk")
    ] == [
        "user_trusted",
        "staff_stopped",
        "staff_trusted",
    ]


def test_a_device_that_staff_remember_before_its_mfa_is_asked_once(admin, app, user):
    app.sign_in()
    app.confirm()
    names = {"UserPoolId": app.pool.pool_id, "Username": "maria"}
    admin.call("AdminUpdateDeviceStatus", **names, DeviceKey=app.device_key, DeviceRememberedStatus="remembered")
    assert statuses(admin, names) == ["remembered"]
    factor = TOTPDevice.objects.create(user=user, name="phone", confirmed=False)
    admin.call("AdminUpdateDeviceStatus", **names, DeviceKey=app.device_key, DeviceRememberedStatus="remembered")
    TOTPDevice.objects.filter(pk=factor.pk).update(confirmed=True)
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    app.prove_device(app.answer_mfa(answer, factor))
    assert app.password_sign_in()["ChallengeName"] == "DEVICE_SRP_AUTH"


def test_staff_forget_a_device(admin, mfa_app, totp, names):
    mfa_app.remembered_device(totp)
    assert admin.raw("AdminForgetDevice", {**names, "DeviceKey": mfa_app.device_key}).content == b""
    assert not Device.objects.exists()
    with pytest.raises(Refused, match="Device does not exist\\."):
        admin.call("AdminForgetDevice", **names, DeviceKey=mfa_app.device_key)
    with pytest.raises(Refused, match="Access Token has been revoked"):
        mfa_app.wire.call("GetUser", AccessToken=mfa_app.access_token)


@pytest.mark.parametrize(
    ("operation", "extra", "name"),
    [
        ("AdminListDevices", {}, "ResourceNotFoundException"),
        ("AdminGetDevice", {"DeviceKey": "us-east-1_0"}, "ResourceNotFoundException"),
        ("AdminUpdateDeviceStatus", {"DeviceKey": "us-east-1_0"}, "UserNotFoundException"),
        ("AdminForgetDevice", {"DeviceKey": "us-east-1_0"}, "UserNotFoundException"),
        ("AdminGetUser", {}, "UserNotFoundException"),
        ("AdminUserGlobalSignOut", {}, "UserNotFoundException"),
        ("AdminSetUserMFAPreference", {}, "UserNotFoundException"),
        ("AdminListUserAuthEvents", {}, "UserNotFoundException"),
        ("AdminUpdateAuthEventFeedback", {"EventId": "x", "FeedbackValue": "Valid"}, "UserNotFoundException"),
    ],
)
def test_unknown_users_unknown_pools_and_unknown_devices(admin, pool, user, operation, extra, name):
    with pytest.raises(Refused) as refused:
        admin.call(operation, UserPoolId=pool.pool_id, Username="nobody", **extra)
    assert (refused.value.name, refused.value.message) == (name, "User does not exist.")
    with pytest.raises(Refused) as refused:
        admin.call(operation, UserPoolId="us-east-1_Nobody", Username="maria", **extra)
    assert refused.value.message == "User pool us-east-1_Nobody does not exist."
    if "DeviceKey" in extra:
        with pytest.raises(Refused) as refused:
            admin.call(operation, UserPoolId=pool.pool_id, Username="maria", **extra)
        assert refused.value.message == "Device does not exist."


def test_a_user_is_found_by_name_sub_and_alias(admin, pool, user, other_user):
    by_name = admin.call("AdminGetUser", UserPoolId=pool.pool_id, Username="maria")
    sub = by_name["UserAttributes"][0]["Value"]
    assert admin.call("AdminGetUser", UserPoolId=pool.pool_id, Username=sub) == by_name
    with pytest.raises(Refused):
        admin.call("AdminGetUser", UserPoolId=pool.pool_id, Username="maria@example.com")
    UserPool.objects.update(email_alias=True)
    assert admin.call("AdminGetUser", UserPoolId=pool.pool_id, Username="MARIA@example.com") == by_name
    other_user.email = "maria@example.com"
    other_user.save()
    with pytest.raises(Refused, match="UserNotFoundException"):
        admin.call("AdminGetUser", UserPoolId=pool.pool_id, Username="maria@example.com")


def changes(user, totp, pool_user, admin, names):
    """One change of each kind; a function that makes it, by its name."""

    def save(**values):
        for name, value in values.items():
            setattr(user, name, value)
        user.save(update_fields=values)

    def set_password():
        user.set_password("another one")
        user.save()

    off = {"SoftwareTokenMfaSettings": {"Enabled": False}}
    return {
        "attribute": lambda: save(first_name="Mary"),
        "password": set_password,
        "disabled": lambda: save(is_active=False),
        "phone number": lambda: setattr(pool_user, "phone_number", "+15550100") or pool_user.save(),
        "preference": lambda: admin.call("AdminSetUserMFAPreference", **names, **off),
        "new factor": lambda: TOTPDevice.objects.create(user=user, name="second", confirmed=True),
        "factor reset": lambda: setattr(totp, "key", "ab" * 20) or totp.save(),
        "factor removed": totp.delete,
    }


def test_the_date_of_the_last_change_moves_with_every_change(
    admin, mfa_app, totp, names, django_capture_on_commit_callbacks
):
    def modified():
        return admin.call("AdminGetUser", **names)["UserLastModifiedDate"]

    user = totp.user
    with time_machine.travel(user.date_joined, tick=False) as clock:
        assert modified() == admin.call("AdminGetUser", **names)["UserCreateDate"]
        for name, change in changes(user, totp, accounts.get_pool_user(mfa_app.pool, user), admin, names).items():
            clock.shift(timedelta(minutes=20))
            with django_capture_on_commit_callbacks(execute=True):
                change()
            now = round(datetime.now(UTC).timestamp(), 3)
            clock.shift(timedelta(minutes=1))
            assert modified() == now, name


def test_signing_in_is_no_change_of_a_user(admin, mfa_app, totp, names, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        mfa_app.remembered_device(totp)
        mfa_app.sign_in(totp)
    described = admin.call("AdminGetUser", **names)
    assert described["UserLastModifiedDate"] == described["UserCreateDate"]


def test_admin_sign_in_logs_what_the_server_says_of_its_user(admin, mfa_app, totp, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "STORED_IP": "full"}
    context = {
        "IpAddress": "198.51.100.7",
        "ServerName": "server",
        "ServerPath": "/",
        "HttpHeaders": [{"headerName": "User-Agent", "headerValue": "Phone/1.0"}],
    }
    common = {"UserPoolId": mfa_app.pool.pool_id, "ClientId": mfa_app.client.client_id, "ContextData": context}
    answer = admin.call(
        "AdminInitiateAuth",
        **common,
        AuthFlow="ADMIN_NO_SRP_AUTH",
        AuthParameters={"USERNAME": "maria", "PASSWORD": "correct horse"},
    )
    answer = admin.call(
        "AdminRespondToAuthChallenge",
        **common,
        ChallengeName="SOFTWARE_TOKEN_MFA",
        Session=answer["Session"],
        ChallengeResponses={"USERNAME": "maria", "SOFTWARE_TOKEN_MFA_CODE": totp_code(totp)},
    )
    assert "NewDeviceMetadata" in answer["AuthenticationResult"]
    event = DeviceEvent.objects.get(action="signed_in")
    assert (event.ip_address, event.user_agent) == ("198.51.100.7", "Phone/1.0")


def test_a_sign_in_logs_what_a_browser_hints_of_itself(mfa_app, totp):
    mfa_app.wire.headers = {
        "User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36",
        "Sec-CH-UA": '"Chromium";v="140", "Microsoft Edge";v="140"',
        "Sec-CH-UA-Platform": '"Windows"',
    }
    mfa_app.sign_in(totp)
    assert "(hints: browser=Edge; system=Windows)" in DeviceEvent.objects.get(action="signed_in").user_agent


def test_a_client_of_another_pool_is_unknown(admin, mfa_app):
    with pytest.raises(Refused, match=r"User pool client .* does not exist\."):
        admin.call(
            "AdminInitiateAuth",
            UserPoolId=make_pool().pool_id,
            ClientId=mfa_app.client.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        )


def test_a_clients_word_for_its_address_is_taken_only_as_configured(wire, secret_client, user, settings):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "STORED_IP": "full"}
    app = App(wire, secret_client, "maria", "correct horse", secret=SECRET)

    def signed_in_from():
        wire.call(
            "InitiateAuth",
            ClientId=secret_client.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "maria", "PASSWORD": "correct horse", **app.hash("maria")},
            UserContextData={"IpAddress": "198.51.100.7"},
        )
        return DeviceEvent.objects.latest("pk").ip_address

    assert signed_in_from() == "127.0.0.1"
    UserPoolClient.objects.update(propagate_context=True)
    assert signed_in_from() == "198.51.100.7"


def test_everybodys_sessions_end_by_an_admin_call(admin, mfa_app, totp, names):
    mfa_app.remembered_device(totp)
    assert admin.call("AdminUserGlobalSignOut", **names) == {}
    with pytest.raises(Refused, match="Access Token has been revoked"):
        mfa_app.wire.call("GetUser", AccessToken=mfa_app.access_token)
    assert mfa_app.password_sign_in()["ChallengeName"] == "DEVICE_SRP_AUTH"


def test_auth_events_are_read_from_the_activity_log(admin, mfa_app, totp, names):
    mfa_app.password = "wrong"
    with pytest.raises(Refused):
        mfa_app.password_sign_in()
    mfa_app.password = "correct horse"
    session = mfa_app.password_sign_in()["Session"]
    with pytest.raises(Refused):
        mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="000000")
    mfa_app.sign_in(totp)
    events = admin.call("AdminListUserAuthEvents", **names)["AuthEvents"]
    assert [(event["EventResponse"], event["ChallengeResponses"][-1]) for event in events] == [
        ("Pass", {"ChallengeName": "Mfa", "ChallengeResponse": "Success"}),
        ("Fail", {"ChallengeName": "Mfa", "ChallengeResponse": "Failure"}),
        ("Fail", {"ChallengeName": "Password", "ChallengeResponse": "Failure"}),
    ]
    first = admin.call("AdminListUserAuthEvents", **names, MaxResults=2)
    rest = admin.call("AdminListUserAuthEvents", **names, MaxResults=2, NextToken=first["NextToken"])
    assert first["AuthEvents"] + rest["AuthEvents"] == events
    assert "NextToken" not in rest
    with pytest.raises(Refused, match="InvalidParameterException"):
        admin.call("AdminListUserAuthEvents", **names, NextToken="garbage")


def test_feedback_on_an_event_by_staff_and_by_a_feedback_token(admin, mfa_app, totp, names, other_user):
    mfa_app.sign_in(totp)
    (event,) = admin.call("AdminListUserAuthEvents", **names)["AuthEvents"]
    said = {**names, "EventId": event["EventId"], "FeedbackValue": "Invalid"}
    assert admin.call("AdminUpdateAuthEventFeedback", **said) == {}
    (event,) = admin.call("AdminListUserAuthEvents", **names)["AuthEvents"]
    assert (event["EventFeedback"]["FeedbackValue"], event["EventFeedback"]["Provider"]) == ("Invalid", "Admin")
    token = feedback_token(mfa_app.pool, DeviceEvent.objects.get(action="signed_in"))
    said["FeedbackValue"] = "Valid"
    assert mfa_app.wire.call("UpdateAuthEventFeedback", **said, FeedbackToken=token) == {}
    (event,) = admin.call("AdminListUserAuthEvents", **names)["AuthEvents"]
    assert (event["EventFeedback"]["FeedbackValue"], event["EventFeedback"]["Provider"]) == ("Valid", "User")
    elsewhere = {"UserPoolId": make_pool().pool_id}
    for bad in ({"FeedbackToken": "garbage"}, {"FeedbackToken": token, "EventId": "other"}, elsewhere):
        with pytest.raises(Refused, match="NotAuthorizedException"):
            mfa_app.wire.call("UpdateAuthEventFeedback", **{**said, "FeedbackToken": token, **bad})
    for event_id in ("x", "00000000-0000-0000-0000-000000000000", "f" * 32):
        with pytest.raises(Refused, match="ResourceNotFoundException"):
            admin.call("AdminUpdateAuthEventFeedback", **{**said, "EventId": event_id})
    with pytest.raises(Refused, match="ResourceNotFoundException"):
        admin.call("AdminUpdateAuthEventFeedback", **{**said, "Username": "tom"})


def test_without_threat_protection_there_are_no_events(admin, names):
    UserPool.objects.update(threat_protection=False)
    with pytest.raises(Refused, match="UserPoolAddOnNotEnabledException"):
        admin.call("AdminListUserAuthEvents", **names)
    with pytest.raises(Refused, match="UserPoolAddOnNotEnabledException"):
        admin.call("AdminUpdateAuthEventFeedback", **names, EventId="x", FeedbackValue="Valid")


def test_a_recycled_user_name_inherits_nothing(admin, mfa_app, totp, names):
    mfa_app.remembered_device(totp)
    sub = accounts.get_pool_user(mfa_app.pool, totp.user).sub
    totp.user.delete()
    type(totp.user).objects.create_user("maria", "maria@example.com", "correct horse")
    with pytest.raises(Refused, match="Device does not exist\\."):
        mfa_app.password_sign_in()
    assert admin.call("AdminListDevices", **names) == {"Devices": []}
    assert admin.call("AdminGetUser", **names)["UserAttributes"][0]["Value"] != str(sub)
