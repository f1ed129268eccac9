"""What one request of somebody who does not know the password can cost: rows, messages, powers and bytes."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.apps import apps
from django.core import mail
from django.utils import timezone
from django_otp.plugins.otp_email.models import EmailDevice

from tests.cognito_idp.factories import make_client, make_pool
from tests.cognito_idp.scene import srp_answer, srp_begin
from tests.cognito_idp.wire import App, Refused
from trusted_devices.cognito_idp import accounts, housekeeping, sealed
from trusted_devices.cognito_idp.models import FailedAttempts, SpentToken, UserPool
from trusted_devices.cognito_idp.registry import Access, operations
from trusted_devices.crypto import modexp

NOW = datetime(2026, 1, 6, 12, tzinfo=UTC)
KEPT_FOR_MINUTES = {FailedAttempts: 1, SpentToken: 1}
POWERS = 2
SESSION = sealed.record("something else").seal({"a": "b" * 40})


def table_sizes():
    """How many rows there are of each model of this project."""
    models = [*apps.get_app_config("trusted_devices").get_models()]
    models += apps.get_app_config("trusted_devices_cognito_idp").get_models()
    return {model: model.objects.count() for model in models}


def wrong_password(scene, username):
    scene.app.username, scene.app.password = username, "wrong"
    return "InitiateAuth", {**scene.client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": scene.password()}


def srp_begun(scene, username):
    scene.app.username = username
    return "InitiateAuth", srp_begin(scene)


def wrong_proof(scene, username):
    scene.app.username, scene.app.password = username, "wrong"
    return "RespondToAuthChallenge", srp_answer(scene)


def invented(challenge, **responses):
    """An answer to a challenge that was never posed."""

    def step(scene, username):
        answers = {"USERNAME": username, **responses}
        params = {"ChallengeName": challenge, "Session": SESSION, "ChallengeResponses": answers}
        return "RespondToAuthChallenge", {**scene.client, **params}

    return step


def invented_token(operation, **params):
    """A call with a token or session that was never given out."""

    def step(scene, username):
        if operation == "UpdateAuthEventFeedback":
            return operation, {**params, "UserPoolId": scene.pool.pool_id, "Username": username}
        return operation, params if "AccessToken" in params else {**scene.client, **params}

    return step


CLAIM = {"PASSWORD_CLAIM_SECRET_BLOCK": "AAAA", "PASSWORD_CLAIM_SIGNATURE": "AAAA", "TIMESTAMP": "x"}
STEPS = {
    "wrong password": wrong_password,
    "SRP begun": srp_begun,
    "wrong proof": wrong_proof,
    "forged proof": invented("PASSWORD_VERIFIER", **CLAIM),
    "device begun": invented("DEVICE_SRP_AUTH", DEVICE_KEY="us-east-1_0", SRP_A="5"),
    "forged proof of a device": invented("DEVICE_PASSWORD_VERIFIER", DEVICE_KEY="us-east-1_0", **CLAIM),
    "code": invented("SOFTWARE_TOKEN_MFA", SOFTWARE_TOKEN_MFA_CODE="123456"),
    "text message": invented("SMS_MFA", SMS_MFA_CODE="123456"),
    "mail": invented("EMAIL_OTP", EMAIL_OTP_CODE="123456"),
    "choice": invented("SELECT_MFA_TYPE", ANSWER="SMS_MFA"),
    "set-up": invented("MFA_SETUP"),
    "new password": invented("NEW_PASSWORD_REQUIRED", NEW_PASSWORD="a much better staple"),
    "refresh": invented_token("GetTokensFromRefreshToken", RefreshToken="garbage"),
    "revoke": invented_token("RevokeToken", Token="garbage"),
    "associate": invented_token("AssociateSoftwareToken", Session=SESSION),
    "verify": invented_token("VerifySoftwareToken", Session=SESSION, UserCode="123456"),
    "get user": invented_token("GetUser", AccessToken="e30.e30.e30"),
    "feedback": invented_token("UpdateAuthEventFeedback", EventId="x", FeedbackToken="garbage", FeedbackValue="Valid"),
}


@pytest.fixture
def powers(monkeypatch):
    """The exponents of all powers that are computed."""
    computed = []

    def note(base, exponent, modulus, /):
        computed.append(exponent)
        return pow(base, exponent, modulus)

    monkeypatch.setattr(modexp, "implementation", lambda: "python")
    monkeypatch.setattr(modexp, "python_powmod", note)
    return computed


@pytest.mark.parametrize("step", STEPS)
def test_a_stranger_leaves_two_rows_for_minutes_and_no_message(scene, srp_user, other_user, texts, powers, step):
    for username in ("maria", "tom", "somebody else"):
        operation, params = STEPS[step](scene, username)
        before = table_sizes()
        powers.clear()
        scene.raw(operation, params)
        more = {model: size - before[model] for model, size in table_sizes().items() if size != before[model]}
        entries = {model: 1 for model in more if model.__name__ == "DeviceEvent" and username in ("maria", "tom")}
        assert more.items() <= {**KEPT_FOR_MINUTES, **entries}.items(), (step, username)
        assert len(powers) <= POWERS
    assert (mail.outbox, texts) == ([], [])
    sum(housekeeping.clear_expired(now=timezone.now() + timedelta(minutes=16)))
    assert not SpentToken.objects.exists()
    assert not FailedAttempts.objects.exists()


def test_whatever_takes_no_signature_is_among_these_steps(scene):
    open_to_all = {name for name, each in operations().items() if each.access not in (Access.SIGNED, Access.TOKEN)}
    assert {step(scene, "nobody")[0] for step in STEPS.values()} >= open_to_all


def given_a_phone(pool, user, number):
    UserPool.objects.filter(pk=pool.pk).update(sms_mfa=True)
    pool_user = accounts.get_pool_user(pool, user)
    pool_user.phone_number, pool_user.mfa_enabled = number, {"SMS_MFA": True}
    pool_user.save()


def posed(app):
    """The challenge that a right password is answered with, or the error."""
    try:
        return app.password_sign_in()["ChallengeName"]
    except Refused as refused:
        return refused.name


def test_one_text_message_a_minute_goes_to_a_person_and_to_a_number(wire, app, user, other_user, texts):
    elsewhere = App(wire, make_client(make_pool(sms_mfa=True)), "maria", "correct horse")
    tom = App(wire, app.client, "tom", "battery staple")
    given_a_phone(app.pool, user, "+49 170 1234567")
    given_a_phone(elsewhere.pool, user, "+491709999999")
    given_a_phone(app.pool, other_user, "+491701234567")
    with time_machine.travel(NOW, tick=False) as clock:
        assert [posed(each) for each in (app, app, elsewhere, tom)] == ["SMS_MFA", *["TooManyRequestsException"] * 3]
        clock.shift(timedelta(seconds=59))
        assert posed(app) == "TooManyRequestsException"
        clock.shift(timedelta(seconds=1))
        assert posed(tom) == "SMS_MFA"
        assert posed(elsewhere) == "SMS_MFA"
        assert posed(app) == "TooManyRequestsException"
    assert [number for number, _message in texts] == ["+49 170 1234567", "+491701234567", "+491709999999"]


def test_one_mail_with_a_code_a_minute_goes_to_a_person(app, user):
    UserPool.objects.update(email_mfa=True)
    EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    with time_machine.travel(NOW, tick=False) as clock:
        assert [posed(app) for _sign_in in range(3)] == ["EMAIL_OTP", *["TooManyRequestsException"] * 2]
        clock.shift(timedelta(seconds=61))
        assert posed(app) == "EMAIL_OTP"
    assert len(mail.outbox) == 2


def test_a_choice_that_comes_too_soon_can_be_made_again(app, user, totp, texts):
    given_a_phone(app.pool, user, "+491701234567")
    with time_machine.travel(NOW, tick=False) as clock:
        first, second = (app.password_sign_in()["Session"] for _sign_in in range(2))
        assert app.respond("SELECT_MFA_TYPE", first, ANSWER="SMS_MFA")["ChallengeName"] == "SMS_MFA"
        with pytest.raises(Refused, match="TooManyRequestsException"):
            app.respond("SELECT_MFA_TYPE", second, ANSWER="SMS_MFA")
        clock.shift(timedelta(minutes=1))
        assert app.respond("SELECT_MFA_TYPE", second, ANSWER="SMS_MFA")["ChallengeName"] == "SMS_MFA"
        with pytest.raises(Refused, match="session can only be used once"):
            app.respond("SELECT_MFA_TYPE", second, ANSWER="SMS_MFA")
    assert len(texts) == 2
