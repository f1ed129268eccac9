"""Who may add a software token over the wire, and what a sign-in is worth that has just added one."""

import pytest
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.broken_database import interrupted
from tests.cognito_idp.factories import make_pool
from tests.cognito_idp.wire import App, Refused, totp_code
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import FailedAttempts, PoolUser, UserPool
from trusted_devices.models import Device

UNUSED = "Access Token is of a sign-in without MFA. Sign in again with your second factor."
REVOKED = "Access Token has been revoked"  # with the credentials that it was issued for
ELSEWHERE = "Access Token is of a user pool that cannot ask for your second factor. Change it where you set it up."
OVERTAKEN = "Invalid session for the user, a second factor was set up meanwhile. Sign in again with it."


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


def email(user):
    EmailDevice.objects.create(user=user, name="mail", confirmed=True)


def hotp(user):
    HOTPDevice.objects.create(user=user, name="token", confirmed=True)


def begun(user):
    return TOTPDevice.objects.get(user=user, confirmed=False)


def refusal(app, operation, **params):
    with pytest.raises(Refused) as refused:
        app.wire.call(operation, **params)
    return refused.value.message


def refusals(app):
    """What each call that changes factors answers to the app's access token."""
    token = {"AccessToken": app.access_token}
    calls = {
        "AssociateSoftwareToken": {},
        "VerifySoftwareToken": {"UserCode": "123456"},
        "SetUserMFAPreference": {"SMSMfaSettings": {"Enabled": False}},
    }
    return {refusal(app, operation, **token, **params) for operation, params in calls.items()}


def has_text_messages_elsewhere(user):
    other = make_pool(sms_mfa=True)
    PoolUser.objects.create(pool=other, user=user, phone_number="+491701234567", mfa_enabled={"SMS_MFA": True})


def has_an_app_that_is_off_in_the_pool(user):
    TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    UserPool.objects.update(software_token_mfa=False, email_mfa=True)


def has_an_app_that_is_off_for_them(user):
    TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    accounts.get_pool_user(UserPool.objects.get(), user)
    PoolUser.objects.update(mfa_enabled={"SOFTWARE_TOKEN_MFA": False})


def has_a_token_in_a_pool_without_apps(user):
    hotp(user)
    UserPool.objects.update(software_token_mfa=False, sms_mfa=True)


OUT_OF_REACH = [
    email,
    has_text_messages_elsewhere,
    has_an_app_that_is_off_in_the_pool,
    has_an_app_that_is_off_for_them,
    has_a_token_in_a_pool_without_apps,
]


@pytest.mark.parametrize("give", OUT_OF_REACH)
def test_a_factor_that_the_pool_cannot_ask_for_keeps_a_password_from_adding_one(app, user, give):
    give(user)
    before = TOTPDevice.objects.count()
    app.sign_in()
    assert refusals(app) == {ELSEWHERE}
    assert TOTPDevice.objects.count() == before


@pytest.mark.parametrize("give", OUT_OF_REACH)
def test_a_pool_that_requires_mfa_refuses_whom_it_cannot_ask(app, user, give):
    UserPool.objects.update(mfa="ON")
    give(user)
    with pytest.raises(Refused, match="the user pool cannot ask for your second factor") as refused:
        app.password_sign_in()
    assert refused.value.name == "InvalidUserPoolConfigurationException"


def test_recovery_codes_alone_leave_the_first_factor_to_be_set_up(app, user):
    StaticDevice.objects.create(user=user, name="recovery", confirmed=True).token_set.create(token="recover")
    UserPool.objects.update(mfa="ON")
    assert app.password_sign_in()["ChallengeName"] == "MFA_SETUP"


def test_a_sign_in_from_a_trusted_device_changes_no_factor(mfa_app, totp):
    mfa_app.remembered_device(totp)
    mfa_app.sign_in()
    assert refusals(mfa_app) == {UNUSED}


def test_a_sign_in_with_mfa_adds_another(mfa_app, totp, user):
    mfa_app.sign_in(totp)
    token = {"AccessToken": mfa_app.access_token}
    mfa_app.wire.call("AssociateSoftwareToken", **token)
    mfa_app.wire.call("VerifySoftwareToken", **token, UserCode=totp_code(begun(user)))
    assert TOTPDevice.objects.filter(user=user, confirmed=True).count() == 2


# Begun while there was no factor


def test_a_set_up_that_began_without_a_factor_ends_with_one(app, user):
    app.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    code = totp_code(begun(user))
    email(user)
    assert refusal(app, "VerifySoftwareToken", **token, UserCode=code) == REVOKED
    assert not begun(user).confirmed


@pytest.mark.parametrize("give", [email, has_text_messages_elsewhere, hotp])
def test_a_session_that_sets_up_is_refused_once_there_is_a_factor(app, user, give):
    UserPool.objects.update(mfa="ON")
    first, second = (app.password_sign_in()["Session"] for _sign_in in range(2))
    second = app.wire.call("AssociateSoftwareToken", Session=second)["Session"]
    code = totp_code(begun(user))
    give(user)
    assert refusal(app, "AssociateSoftwareToken", Session=first) == OVERTAKEN
    for typed in (code, "000000"):
        assert refusal(app, "VerifySoftwareToken", Session=second, UserCode=typed) == OVERTAKEN
    assert not FailedAttempts.objects.exists()
    assert not begun(user).confirmed


def test_a_session_that_has_set_one_up_adds_no_other(app, user):
    UserPool.objects.update(mfa="ON")
    session = app.wire.call("AssociateSoftwareToken", Session=app.password_sign_in()["Session"])["Session"]
    session = app.wire.call("VerifySoftwareToken", Session=session, UserCode=totp_code(begun(user)))["Session"]
    assert refusal(app, "AssociateSoftwareToken", Session=session) == OVERTAKEN
    assert "AuthenticationResult" in app.respond("MFA_SETUP", session)


@pytest.mark.parametrize("by_session", [True, False])
def test_a_factor_that_comes_at_the_last_moment_keeps_the_other_out(app, user, by_session):
    if by_session:
        UserPool.objects.update(mfa="ON")
        way = {"Session": app.password_sign_in()["Session"]}
        way = {"Session": app.wire.call("AssociateSoftwareToken", **way)["Session"]}
    else:
        app.sign_in()
        way = {"AccessToken": app.access_token}
        app.wire.call("AssociateSoftwareToken", **way)
    assert refusal(app, "VerifySoftwareToken", **way, UserCode="000000") == "Code mismatch"
    code = totp_code(begun(user))
    # A guess was counted before and the code is right; what comes next is to hold the user.
    with interrupted("^SAVEPOINT", lambda: email(user)):
        told = refusal(app, "VerifySoftwareToken", **way, UserCode=code)
    assert told == (OVERTAKEN if by_session else ELSEWHERE)
    assert not begun(user).confirmed


def test_a_factor_that_is_replaced_at_the_last_moment_ends_what_it_proved(mfa_app, totp, user):
    mfa_app.sign_in(totp)
    token = {"AccessToken": mfa_app.access_token}

    def replace():
        totp.delete()
        email(user)

    with interrupted("^SAVEPOINT", replace):
        told = refusal(mfa_app, "AssociateSoftwareToken", **token)
    assert told == "Access Token has been revoked"
    assert not TOTPDevice.objects.exists()


def test_one_that_was_begun_anew_meanwhile_is_not_put_to_use(app, user):
    app.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    assert refusal(app, "VerifySoftwareToken", **token, UserCode="000000") == "Code mismatch"
    code = totp_code(begun(user))
    with interrupted("^SAVEPOINT", lambda: TOTPDevice.objects.all().delete()):
        told = refusal(app, "VerifySoftwareToken", **token, UserCode=code)
    assert told == "User has not set up software token mfa"
    assert not TOTPDevice.objects.exists()


def test_a_session_takes_the_code_of_what_it_set_up_alone(app, user):
    UserPool.objects.update(mfa="ON")
    first, second = (app.password_sign_in()["Session"] for _sign_in in range(2))
    first, second = (app.wire.call("AssociateSoftwareToken", Session=each)["Session"] for each in (first, second))
    code = totp_code(begun(user))
    assert refusal(app, "VerifySoftwareToken", Session=first, UserCode=code) == (
        "User has not set up software token mfa"
    )
    assert app.wire.call("VerifySoftwareToken", Session=second, UserCode=code)["Status"] == "SUCCESS"


def test_what_the_sites_own_pages_set_up_is_none_of_the_pools(app, user):
    app.sign_in()
    token, elsewhere = {"AccessToken": app.access_token}, TOTPDevice.objects.create(user=user, confirmed=False)
    told = refusal(app, "VerifySoftwareToken", **token, UserCode=totp_code(elsewhere))
    assert told == "User has not set up software token mfa"
    app.wire.call("AssociateSoftwareToken", **token)
    elsewhere.refresh_from_db()
    assert not elsewhere.confirmed


def test_no_first_code_is_taken_once_the_pool_has_no_apps(app, user):
    app.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    code = totp_code(begun(user))
    UserPool.objects.update(software_token_mfa=False)
    told = refusal(app, "VerifySoftwareToken", **token, UserCode=code)
    assert told == "Software token MFA is not enabled for the pool."


def test_a_first_code_that_comes_too_soon_is_no_guess(app, user, settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 3600
    app.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    assert refusal(app, "VerifySoftwareToken", **token, UserCode="000000") == "Code mismatch"
    assert refusal(app, "VerifySoftwareToken", **token, UserCode="000000") == "Too many requests"
    assert FailedAttempts.objects.get().failures == 1


# What the sign-in is worth from then on


def test_whoever_has_just_set_one_up_may_prefer_it_and_earns_trust(app, user):
    app.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    assert refusal(app, "VerifySoftwareToken", **token, UserCode="000000") == "Code mismatch"
    app.wire.call("VerifySoftwareToken", **token, UserCode=totp_code(begun(user)))
    preferred = {"Enabled": True, "PreferredMfa": True}
    app.wire.call("SetUserMFAPreference", **token, SMSMfaSettings=None, SoftwareTokenMfaSettings=preferred)
    assert app.wire.call("GetUser", **token)["PreferredMfaSetting"] == "SOFTWARE_TOKEN_MFA"
    app.confirm()
    app.set_status("remembered")
    assert Device.objects.get().trust_expires_at is not None


def test_another_sign_in_of_the_same_user_is_worth_no_more_than_before(wire, app, user):
    other = App(wire, app.client, app.username, app.password)
    app.sign_in()
    other.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    app.wire.call("VerifySoftwareToken", **token, UserCode=totp_code(begun(user)))
    assert refusals(other) == {REVOKED}


def test_a_code_that_stored_no_factor_verifies_no_sign_in(app, user):
    app.sign_in()
    token = {"AccessToken": app.access_token}
    app.wire.call("AssociateSoftwareToken", **token)
    code = totp_code(begun(user))
    with interrupted("^SAVEPOINT", lambda: email(user)), pytest.raises(Refused):
        app.wire.call("VerifySoftwareToken", **token, UserCode=code)
    assert refusals(app) == {REVOKED}


def test_the_last_factor_of_a_pool_that_requires_mfa_stays_enabled(mfa_app, totp, admin):
    UserPool.objects.update(mfa="ON")
    mfa_app.sign_in(totp)
    token, off = {"AccessToken": mfa_app.access_token}, {"SoftwareTokenMfaSettings": {"Enabled": False}}
    left = "MFA is required in the user pool. Leave one factor enabled."
    assert refusal(mfa_app, "SetUserMFAPreference", **token, **off) == left
    with pytest.raises(Refused, match=left):
        admin.call("AdminSetUserMFAPreference", UserPoolId=mfa_app.pool.pool_id, Username="maria", **off)
    assert mfa_app.password_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_nobody_turns_off_beforehand_what_its_owner_sets_up_later(app, user):
    app.sign_in()
    off = {"SoftwareTokenMfaSettings": {"Enabled": False}, "EmailMfaSettings": {"Enabled": False}}
    app.wire.call("SetUserMFAPreference", AccessToken=app.access_token, **off)
    TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    assert app.password_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


# A code that has been used


def test_a_used_code_says_so_and_is_no_guess(mfa_app, totp, user):
    code = totp_code(totp)
    session = mfa_app.password_sign_in()["Session"]
    assert mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=code)
    session = mfa_app.password_sign_in()["Session"]
    for _again in range(7):
        with pytest.raises(Refused) as refused:
            mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=code)
        assert (refused.value.name, refused.value.message) == (
            "ExpiredCodeException",
            "Your software token has already been used once.",
        )
    assert not FailedAttempts.objects.filter(failures__gt=0).exists()
    assert mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=totp_code(totp))
