"""Sessions and tokens of the endpoint are good only while the user's password and second factors stand."""

import pytest
from django.contrib.auth.hashers import make_password
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.wire import Refused
from trusted_devices.cognito_idp.models import PoolUser, RefreshToken, UserPool
from trusted_devices.models import Device

CODE = "SOFTWARE_TOKEN_MFA"


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


def removed(user):
    rows = TOTPDevice.objects.filter(user=user)
    rows._raw_delete(rows.db)


def keyed_anew(user):
    TOTPDevice.objects.filter(user=user).update(key="ab" * 20)


def joined(user):
    HOTPDevice.objects.bulk_create([HOTPDevice(user=user, name="token", confirmed=True)])


def given_another_hash(user):
    type(user).objects.filter(pk=user.pk).update(password=make_password("correct horse"))


def given_no_password(user):
    user.set_unusable_password()
    user.save()


@pytest.mark.parametrize("change", [removed, keyed_anew, joined, given_another_hash, given_no_password])
def test_tokens_end_with_the_credentials_that_they_were_issued_for(change, mfa_app, user, totp):
    mfa_app.sign_in(totp)
    change(user)
    with pytest.raises(Refused, match="Access Token has been revoked"):
        mfa_app.wire.call("GetUser", AccessToken=mfa_app.access_token)
    with pytest.raises(Refused, match="Refresh Token has been revoked"):
        mfa_app.initiate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=mfa_app.tokens["RefreshToken"])


def test_tokens_of_a_disabled_user_do_not_come_back_with_the_account(mfa_app, user, totp):
    mfa_app.sign_in(totp)
    everybody = type(user).objects
    everybody.update(is_active=False)
    with pytest.raises(Refused, match="User is disabled"):
        mfa_app.wire.call("GetUser", AccessToken=mfa_app.access_token)
    everybody.update(is_active=True)
    with pytest.raises(Refused, match="Access Token has been revoked"):
        mfa_app.wire.call("GetUser", AccessToken=mfa_app.access_token)


def test_tokens_end_at_once_where_an_account_is_disabled_as_django_does_it(mfa_app, user, totp):
    mfa_app.sign_in(totp)
    user.is_active = False
    user.save()
    assert RefreshToken.objects.get().revoked_at


def test_a_sign_in_that_waits_for_its_code_ends_with_the_credentials(mfa_app, user, totp):
    asked = mfa_app.password_sign_in()
    joined(user)
    with pytest.raises(Refused, match="Invalid session"):
        mfa_app.answer_mfa(asked, totp)


def test_a_device_is_trusted_under_the_credentials_of_its_sign_in(mfa_app, user, totp):
    mfa_app.remembered_device(totp)
    joined(user)
    HOTPDevice.objects.all().delete()
    keyed_anew(user)
    assert mfa_app.password_sign_in()["ChallengeName"] == CODE


def test_what_staff_ended_no_second_factor_from_before_gives_back(mfa_app, admin, user, totp):
    mfa_app.remembered_device(totp)
    device = Device.objects.get()
    admin.call(
        "AdminUpdateDeviceStatus",
        UserPoolId=UserPool.objects.get().pool_id,
        Username=user.get_username(),
        DeviceKey=device.device_key,
        DeviceRememberedStatus="not_remembered",
    )
    mfa_app.set_status("remembered")
    assert mfa_app.password_sign_in()["ChallengeName"] == CODE


def test_a_text_message_is_a_factor_of_that_very_phone(app, user, texts, settings):
    UserPool.objects.update(sms_mfa=True, tracking="opt_in", challenge_required_on_new_device=True)
    app.password_sign_in()
    PoolUser.objects.update(phone_number="+15550100", mfa_enabled={"SMS_MFA": True})
    asked = app.password_sign_in()
    answer = app.respond("SMS_MFA", asked["Session"], SMS_MFA_CODE=texts[-1][1].split()[-1].rstrip("."))
    app.tokens = answer["AuthenticationResult"]
    PoolUser.objects.update(phone_number="+15550199")
    with pytest.raises(Refused, match="Access Token has been revoked"):
        app.wire.call("GetUser", AccessToken=app.access_token)


def test_another_hash_of_the_same_password_changes_nothing(mfa_app, user, totp, settings):
    mfa_app.sign_in(totp)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    assert user.check_password("correct horse")
    assert user.password.startswith("pbkdf2")
    assert mfa_app.wire.call("GetUser", AccessToken=mfa_app.access_token)
