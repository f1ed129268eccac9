"""Second factors as challenges."""

import json
import re

import pytest
from django.core import mail
from django_otp.oath import totp as totp_at
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.wire import Refused, totp_code
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import UserPool
from trusted_devices.models import Device, DeviceEvent


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0
    settings.OTP_EMAIL_COOLDOWN_DURATION = 0
    settings.OTP_EMAIL_THROTTLE_FACTOR = 0


@pytest.fixture
def email(pool, user):
    UserPool.objects.update(email_mfa=True)
    return EmailDevice.objects.create(user=user, name="mail", confirmed=True)


@pytest.fixture
def phone(pool, user):
    UserPool.objects.update(sms_mfa=True)
    pool_user = accounts.get_pool_user(pool, user)
    pool_user.phone_number = "+491701234567"
    pool_user.mfa_enabled = {"SMS_MFA": True}
    pool_user.save()


def test_a_code_by_mail(app, email):
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == "EMAIL_OTP"
    assert answer["ChallengeParameters"] == {
        "USER_ID_FOR_SRP": "maria",
        "CODE_DELIVERY_DELIVERY_MEDIUM": "EMAIL",
        "CODE_DELIVERY_DESTINATION": "m***@e***",
    }
    with pytest.raises(Refused, match=r"CodeMismatchException: Invalid code or auth state for the user\."):
        app.respond("EMAIL_OTP", answer["Session"], EMAIL_OTP_CODE="000000")
    found = re.search(r"\b\d{6}\b", mail.outbox[-1].body)
    assert found is not None
    assert "AuthenticationResult" in app.respond("EMAIL_OTP", answer["Session"], EMAIL_OTP_CODE=found[0])


def test_a_code_by_text_message(app, phone, texts):
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == "SMS_MFA"
    assert answer["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"] == "+*******4567"
    ((number, message),) = texts
    code = message[-7:-1]
    assert number == "+491701234567"
    wrong = "000000" if code != "000000" else "111111"
    with pytest.raises(Refused, match=r"CodeMismatchException: Invalid code or auth state for the user\."):
        app.respond("SMS_MFA", answer["Session"], SMS_MFA_CODE=wrong)
    app.tokens = app.respond("SMS_MFA", answer["Session"], SMS_MFA_CODE=code)["AuthenticationResult"]
    if app.confirm():
        app.set_status("remembered")
    assert Device.objects.get().trust_expires_at is not None
    with pytest.raises(Refused, match="session can only be used once"):
        app.respond("SMS_MFA", answer["Session"], SMS_MFA_CODE=code)


def test_a_user_with_several_factors_chooses(app, totp, email, phone):
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == "SELECT_MFA_TYPE"
    assert json.loads(answer["ChallengeParameters"]["MFAS_CAN_CHOOSE"]) == [
        "SMS_MFA",
        "SOFTWARE_TOKEN_MFA",
        "EMAIL_OTP",
    ]
    with pytest.raises(Refused, match="MFAMethodNotFoundException"):
        app.respond("SELECT_MFA_TYPE", answer["Session"], ANSWER="WEB_AUTHN")
    with pytest.raises(Refused, match="Missing required parameter ANSWER"):
        app.respond("SELECT_MFA_TYPE", answer["Session"])
    chosen = app.respond("SELECT_MFA_TYPE", answer["Session"], ANSWER="SOFTWARE_TOKEN_MFA")
    assert chosen["Session"] != answer["Session"]
    assert "AuthenticationResult" in app.answer_mfa(chosen, totp)
    with pytest.raises(Refused, match="session can only be used once"):
        app.respond("SELECT_MFA_TYPE", answer["Session"], ANSWER="EMAIL_OTP")


def test_recovery_codes_are_not_for_the_wire(app, totp, user):
    recovery = StaticDevice.objects.create(user=user, name="recovery", confirmed=True)
    recovery.token_set.create(token="recover")
    answer = app.password_sign_in()
    with pytest.raises(Refused, match="CodeMismatchException"):
        app.respond("SOFTWARE_TOKEN_MFA", answer["Session"], SOFTWARE_TOKEN_MFA_CODE="recover")


def test_where_mfa_is_on_a_user_without_a_factor_sets_one_up(app, user):
    UserPool.objects.update(mfa="ON")
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == "MFA_SETUP"
    assert json.loads(answer["ChallengeParameters"]["MFAS_CAN_SETUP"]) == ["SOFTWARE_TOKEN_MFA"]
    with pytest.raises(Refused, match="InvalidParameterException"):
        app.respond("MFA_SETUP", answer["Session"])
    begun = app.wire.call("AssociateSoftwareToken", Session=answer["Session"])
    pending = TOTPDevice.objects.get(user=user)
    assert not pending.confirmed
    with pytest.raises(Refused, match="EnableSoftwareTokenMFAException"):
        app.wire.call("VerifySoftwareToken", Session=begun["Session"], UserCode="000000")
    code = f"{totp_at(pending.bin_key):06}"
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    verified = app.wire.call(
        "VerifySoftwareToken", Session=begun["Session"], UserCode=code, FriendlyDeviceName="my phone"
    )
    assert verified["Status"] == "SUCCESS"
    app.tokens = app.respond("MFA_SETUP", verified["Session"])["AuthenticationResult"]
    pending.refresh_from_db()
    assert (pending.confirmed, pending.name) == (True, "my phone")
    answer = app.password_sign_in()
    assert answer["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"] == "my phone"
    with pytest.raises(Refused, match="session can only be used once"):
        app.wire.call("VerifySoftwareToken", Session=begun["Session"], UserCode=code)


def test_a_user_sets_up_a_software_token_while_signed_in(app, user):
    app.sign_in()
    app.wire.call("AssociateSoftwareToken", AccessToken=app.access_token)
    pending = TOTPDevice.objects.get(user=user)
    code = f"{totp_at(pending.bin_key):06}"
    assert app.wire.call("VerifySoftwareToken", AccessToken=app.access_token, UserCode=code) == {"Status": "SUCCESS"}
    assert app.password_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_verifying_what_was_never_begun_is_refused(app):
    app.sign_in()
    with pytest.raises(Refused, match="SoftwareTokenMFANotFoundException"):
        app.wire.call("VerifySoftwareToken", AccessToken=app.access_token, UserCode="123456")


def test_a_user_prefers_and_turns_off_factors(mfa_app, totp, email):
    app = mfa_app
    answer = app.respond("SELECT_MFA_TYPE", app.password_sign_in()["Session"], ANSWER="SOFTWARE_TOKEN_MFA")
    app.tokens = app.answer_mfa(answer, totp)["AuthenticationResult"]
    token = {"AccessToken": app.access_token}
    prefer = {"Enabled": True, "PreferredMfa": True}
    app.wire.call("SetUserMFAPreference", **token, EmailMfaSettings=prefer)
    assert app.wire.call("GetUser", **token)["PreferredMfaSetting"] == "EMAIL_OTP"
    assert app.password_sign_in()["ChallengeName"] == "EMAIL_OTP"
    with pytest.raises(Refused, match="Only one preferred"):
        app.wire.call("SetUserMFAPreference", **token, EmailMfaSettings=prefer, SoftwareTokenMfaSettings=prefer)
    with pytest.raises(Refused, match="delivery config"):
        app.wire.call("SetUserMFAPreference", **token, SMSMfaSettings=prefer)
    app.confirm()
    app.set_status("remembered")
    app.wire.call("SetUserMFAPreference", **token, EmailMfaSettings={"Enabled": False})
    assert app.wire.call("GetUserAuthFactors", **token) == {
        "Username": "maria",
        "ConfiguredUserAuthFactors": ["PASSWORD"],
        "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"],
        "PreferredMfaSetting": "SOFTWARE_TOKEN_MFA",
    }
    assert not Device.objects.get().is_remembered, "another set of factors ends trust"


def test_a_sign_in_that_skipped_mfa_cannot_turn_it_off(mfa_app, totp):
    mfa_app.remembered_device(totp)
    mfa_app.sign_in()
    with pytest.raises(Refused, match="sign-in without MFA"):
        mfa_app.wire.call(
            "SetUserMFAPreference", AccessToken=mfa_app.access_token, SoftwareTokenMfaSettings={"Enabled": False}
        )


def test_staff_set_a_users_preference(admin, mfa_app, totp):
    names = {"UserPoolId": mfa_app.pool.pool_id, "Username": "maria"}
    admin.call("AdminSetUserMFAPreference", **names, SoftwareTokenMfaSettings={"Enabled": False})
    assert "AuthenticationResult" in mfa_app.password_sign_in()
    admin.call("AdminSetUserMFAPreference", **names, SoftwareTokenMfaSettings={"Enabled": True})
    assert admin.call("AdminGetUser", **names)["UserMFASettingList"] == ["SOFTWARE_TOKEN_MFA"]


def test_any_of_several_apps_will_do_and_is_no_guess_at_the_others(mfa_app, totp, user):
    second = TOTPDevice.objects.create(user=user, name="second", confirmed=True)
    for factor in (totp, second):
        answer = mfa_app.password_sign_in()
        code = totp_code(factor)
        assert "AuthenticationResult" in mfa_app.respond(
            "SOFTWARE_TOKEN_MFA", answer["Session"], SOFTWARE_TOKEN_MFA_CODE=code
        )
    assert not DeviceEvent.objects.filter(action="sign_in_failed").exists()


def test_a_throttled_factor_asks_for_patience(mfa_app, totp, settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 1000
    session = mfa_app.password_sign_in()["Session"]
    with pytest.raises(Refused, match="CodeMismatchException"):
        mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="000000")
    with pytest.raises(Refused, match="TooManyRequestsException: Too many requests"):
        mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="000000")
