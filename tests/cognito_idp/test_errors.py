"""Every way to be refused, by exact name and text: clients match on both."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.cognito_idp.factories import SECRET, make_client, make_pool
from tests.cognito_idp.wire import App, Refused, totp_code
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import FailedAttempts, RefreshToken, SpentToken, UserPool, UserPoolClient
from trusted_devices.crypto.encoding import encode_base64, format_timestamp, pad
from trusted_devices.crypto.srp import ClientSession, N
from trusted_devices.models import Device, DeviceEvent

INCORRECT = ("NotAuthorizedException", "Incorrect username or password.")
NO_DEVICE = ("ResourceNotFoundException", "Device does not exist.")


@pytest.fixture(autouse=True)
def no_throttle(settings):
    """django-otp's own throttle has tests elsewhere."""
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


def refusal(call, *arguments, **options):
    """What a call is refused with."""
    with pytest.raises(Refused) as refused:
        call(*arguments, **options)
    assert refused.value.status == 400
    return refused.value.name, refused.value.message


# First factor


def missing(name):
    return "InvalidParameterException", f"Missing required parameter {name}"


def srp_a(value):
    return {"USERNAME": "maria", "SRP_A": value}


NOT_HEX = ("InvalidParameterException", "SRP_A is not a non-negative hexadecimal integer.")
ZERO = ("InvalidParameterException", "SRP_A is zero modulo N.")
LONG = ("InvalidParameterException", "SRP_A is longer than 768 hexadecimal digits.")
NO_REFRESH = ("NotAuthorizedException", "Invalid Refresh Token.")


@pytest.mark.parametrize(
    ("flow", "parameters", "error"),
    [
        ("USER_PASSWORD_AUTH", {"PASSWORD": "x"}, missing("USERNAME")),
        ("USER_PASSWORD_AUTH", {"USERNAME": "maria"}, missing("PASSWORD")),
        ("USER_PASSWORD_AUTH", {"USERNAME": "maria", "PASSWORD": None}, missing("PASSWORD")),
        ("USER_PASSWORD_AUTH", {"USERNAME": "maria", "PASSWORD": "wrong"}, INCORRECT),
        ("USER_PASSWORD_AUTH", {"USERNAME": "nobody", "PASSWORD": "wrong"}, INCORRECT),
        ("USER_SRP_AUTH", {"USERNAME": "maria"}, missing("SRP_A")),
        ("USER_SRP_AUTH", srp_a("0"), ZERO),
        ("USER_SRP_AUTH", srp_a(f"{N:x}"), ZERO),
        ("USER_SRP_AUTH", srp_a("-5"), NOT_HEX),
        ("USER_SRP_AUTH", srp_a("0x5"), NOT_HEX),
        ("USER_SRP_AUTH", srp_a("f" * 769), LONG),
        ("USER_SRP_AUTH", srp_a("f" * 100_000), LONG),
        ("REFRESH_TOKEN_AUTH", {}, missing("REFRESH_TOKEN")),
        ("REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": "garbage"}, NO_REFRESH),
        ("REFRESH_TOKEN", {"REFRESH_TOKEN": "garbage"}, NO_REFRESH),
        ("CUSTOM_AUTH", {}, ("InvalidParameterException", "CUSTOM_AUTH is not supported.")),
        ("USER_AUTH", {}, ("InvalidParameterException", "USER_AUTH is not supported.")),
        (
            "ADMIN_USER_PASSWORD_AUTH",
            {},
            ("InvalidParameterException", "ADMIN_USER_PASSWORD_AUTH is not supported."),
        ),
    ],
)
def test_bad_first_factors(app, flow, parameters, error):
    assert (
        refusal(app.wire.call, "InitiateAuth", ClientId=app.client.client_id, AuthFlow=flow, AuthParameters=parameters)
        == error
    )


def test_flows_that_a_client_may_not_use(app):
    UserPoolClient.objects.update(auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"])
    assert refusal(app.password_sign_in) == (
        "InvalidParameterException",
        "USER_PASSWORD_AUTH flow not enabled for this client",
    )
    assert refusal(app.srp_sign_in) == (
        "InvalidParameterException",
        "USER_SRP_AUTH is not enabled for the client.",
    )
    UserPoolClient.objects.update(auth_flows=[])
    assert refusal(app.initiate, "REFRESH_TOKEN_AUTH", REFRESH_TOKEN="x") == (
        "InvalidParameterException",
        "REFRESH_TOKEN_AUTH is not enabled for the client.",
    )


def test_where_a_client_may_tell_unknown_users_are_named(app):
    UserPoolClient.objects.update(prevent_user_existence_errors=False)
    app.username = "nobody"
    assert refusal(app.password_sign_in) == ("UserNotFoundException", "User does not exist.")
    assert refusal(app.srp_sign_in) == ("UserNotFoundException", "User does not exist.")
    app.username = "maria"
    assert refusal(app.srp_sign_in) == ("PasswordResetRequiredException", "Password reset required for the user")


def test_unknown_users_look_like_known_ones_until_the_end(app, srp_user):
    def challenge(username):
        answer = app.initiate("USER_SRP_AUTH", USERNAME=username, SRP_A=ClientSession.start().srp_a)
        assert set(answer) == {"ChallengeName", "ChallengeParameters"}
        return answer["ChallengeParameters"]

    known, unknown = challenge("maria"), challenge("nobody")
    assert set(known) == set(unknown) == {"SALT", "SRP_B", "SECRET_BLOCK", "USERNAME", "USER_ID_FOR_SRP"}
    assert unknown["USER_ID_FOR_SRP"] == unknown["USERNAME"] == "nobody"
    assert challenge("nobody")["SALT"] == unknown["SALT"]
    assert challenge("maria")["SALT"] == known["SALT"]
    app.username = "nobody"
    assert refusal(app.srp_sign_in) == INCORRECT


def test_a_user_without_a_verifier_is_refused_srp_and_signs_in_by_password(app):
    assert refusal(app.srp_sign_in) == INCORRECT
    assert "AuthenticationResult" in app.password_sign_in()
    assert "AuthenticationResult" in app.srp_sign_in()


def test_no_verifier_is_kept_where_the_pool_does_not_want_one(app):
    UserPool.objects.update(keep_srp_verifiers=False)
    app.password_sign_in()
    assert refusal(app.srp_sign_in) == INCORRECT


def test_a_disabled_user_hears_so_only_with_the_right_password(app, srp_user):
    srp_user.is_active = False
    srp_user.save()
    assert refusal(app.password_sign_in) == ("NotAuthorizedException", "User is disabled.")
    assert refusal(app.srp_sign_in) == ("NotAuthorizedException", "User is disabled.")
    app.password = "wrong"
    assert refusal(app.password_sign_in) == INCORRECT
    assert refusal(app.srp_sign_in) == INCORRECT


@pytest.mark.parametrize("username", ["maria", "nobody"])
def test_guessing_is_slowed_down_alike_for_known_and_unknown_users(app, srp_user, username):
    app.username, app.password = username, "wrong"
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False) as clock:
        for sign_in in (app.password_sign_in, app.srp_sign_in, app.password_sign_in, app.srp_sign_in, app.srp_sign_in):
            assert refusal(sign_in) == INCORRECT
        app.password = "correct horse"
        assert refusal(app.password_sign_in) == ("NotAuthorizedException", "Password attempts exceeded")
        clock.shift(timedelta(seconds=3))
        if username == "maria":
            assert "AuthenticationResult" in app.password_sign_in()


# SECRET_HASH


def test_a_client_with_a_secret_has_to_prove_it_at_every_step(wire, secret_client, srp_user, totp):
    app = App(wire, secret_client, "maria", "correct horse", secret=SECRET)
    app.sign_in(totp)
    missing = f"Client {secret_client.client_id} is configured with secret but SECRET_HASH was not received"
    wrong = f"Unable to verify secret hash for client {secret_client.client_id}"
    for secret, message in (("", missing), ("guessed", wrong)):
        app.secret = secret
        assert refusal(app.password_sign_in) == ("NotAuthorizedException", message)
        assert refusal(app.initiate, "USER_SRP_AUTH", USERNAME="maria", SRP_A="5") == (
            "NotAuthorizedException",
            message,
        )
        assert refusal(app.initiate, "REFRESH_TOKEN_AUTH", REFRESH_TOKEN=app.tokens["RefreshToken"]) == (
            "NotAuthorizedException",
            message,
        )
        app.secret = SECRET
        session = app.password_sign_in()["Session"]
        app.secret = secret
        assert refusal(app.respond, "SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="1") == (
            "NotAuthorizedException",
            message,
        )
        assert refusal(app.respond, "DEVICE_SRP_AUTH", DEVICE_KEY="us-east-1_0", SRP_A="5") == (
            "NotAuthorizedException",
            message,
        )
    name, message = refusal(
        wire.call,
        "GetTokensFromRefreshToken",
        ClientId=secret_client.client_id,
        RefreshToken=app.tokens["RefreshToken"],
    )
    assert name == "NotAuthorizedException"
    assert "CLIENT_SECRET was not received" in message
    assert refusal(
        wire.call,
        "RevokeToken",
        ClientId=secret_client.client_id,
        Token=app.tokens["RefreshToken"],
        ClientSecret="guessed" * 4,
    ) == ("UnauthorizedException", f"Unable to verify secret for client {secret_client.client_id}")


# PASSWORD_VERIFIER


def started(app):
    session = ClientSession.start()
    answer = app.initiate("USER_SRP_AUTH", USERNAME=app.username, SRP_A=session.srp_a)
    return session, answer["ChallengeParameters"]


@pytest.mark.parametrize("member", ["USERNAME", "PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP"])
def test_the_answer_to_a_password_verifier_is_complete(app, srp_user, member):
    session, challenge = started(app)
    responses = {"USERNAME": "maria", **app.claim(session, challenge), member: None}
    assert refusal(app.respond, "PASSWORD_VERIFIER", **responses) == (
        "InvalidParameterException",
        f"Missing required parameter {member}",
    )


def _other_block(block):
    return "A" * 20


def _flipped(block):
    raw = bytearray(base64.b64decode(block))
    raw[40] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("change", [_other_block, _flipped, lambda _block: "not base64!", lambda _block: "\u20ac"])
def test_a_block_that_the_site_did_not_make_is_refused(app, srp_user, change):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    claim["PASSWORD_CLAIM_SECRET_BLOCK"] = change(claim["PASSWORD_CLAIM_SECRET_BLOCK"])
    assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT


def test_a_block_spelled_in_another_way_is_none(app, srp_user):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    block = claim["PASSWORD_CLAIM_SECRET_BLOCK"]
    assert "AuthenticationResult" in app.respond("PASSWORD_VERIFIER", **claim)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for spelling in (
        block + "\n",
        block.rstrip("="),
        block.replace("+", "-").replace("/", "_") + "=",
        *(block.rstrip("=")[:-1] + letter + "=" * block.count("=") for letter in letters),
    ):
        claim["PASSWORD_CLAIM_SECRET_BLOCK"] = spelling
        assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT


def test_a_clock_that_is_off_keeps_nobody_out(mfa_app, srp_user, totp):
    mfa_app.remembered_device(totp)
    for timestamp in ("Tue Jan 6 03:04:05 UTC 2026", "Fri Dec 31 23:59:59 UTC 9999", "Mon Jan 1 00:00:00 UTC 0001"):
        answer = mfa_app.srp_sign_in(timestamp=timestamp)
        assert "AuthenticationResult" in mfa_app.prove_device(answer, timestamp=timestamp)


MISWRITTEN = {
    "TIMESTAMP": [
        "now",
        "x" * 5000,
        "2026-01-06T03:04:05Z",
        "1767668645",
        "Tue Jan 06 03:04:05 UTC 2026",
        "Mon Jan 6 03:04:05 UTC 2026",
        "Tue Jan 6 03:04:05 GMT 2026",
        "Di Jan 6 03:04:05 UTC 2026",
        "Tue Feb 30 03:04:05 UTC 2026",
    ],
    "PASSWORD_CLAIM_SIGNATURE": ["!", "A" * 44, "AAAA", "x" * 5000, "\u20ac" * 44],
}


@pytest.mark.parametrize("member", MISWRITTEN)
def test_a_proof_that_is_miswritten_is_no_guess(mfa_app, srp_user, totp, member):
    mfa_app.remembered_device(totp)
    session, challenge = started(mfa_app)
    claim = mfa_app.claim(session, challenge)
    for text in MISWRITTEN[member]:
        name, message = refusal(mfa_app.respond, "PASSWORD_VERIFIER", **{**claim, member: text})
        assert (name, member in message) == ("InvalidParameterException", True)
    answer = mfa_app.respond("PASSWORD_VERIFIER", **claim, DEVICE_KEY=mfa_app.device_key)
    session = ClientSession.start()
    challenge = mfa_app.respond("DEVICE_SRP_AUTH", DEVICE_KEY=mfa_app.device_key, SRP_A=session.srp_a)
    claim = mfa_app.device_claim(session, challenge["ChallengeParameters"])
    for text in MISWRITTEN[member]:
        name, message = refusal(mfa_app.respond, "DEVICE_PASSWORD_VERIFIER", **{**claim, member: text})
        assert (name, member in message) == ("InvalidParameterException", True)
    assert answer["ChallengeName"] == "DEVICE_SRP_AUTH"
    assert "AuthenticationResult" in mfa_app.respond("DEVICE_PASSWORD_VERIFIER", **claim)
    assert not FailedAttempts.objects.exists()
    assert not DeviceEvent.objects.filter(action__in=["trust_refused", "sign_in_failed"]).exists()


def test_a_signature_that_does_not_fit_uses_the_block_up(app, srp_user):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    good = claim["PASSWORD_CLAIM_SIGNATURE"]
    other = base64.b64encode(b"1" * 32).decode()
    assert refusal(app.respond, "PASSWORD_VERIFIER", **{**claim, "PASSWORD_CLAIM_SIGNATURE": other}) == INCORRECT
    assert refusal(app.respond, "PASSWORD_VERIFIER", **{**claim, "PASSWORD_CLAIM_SIGNATURE": good}) == INCORRECT


def test_a_signature_off_by_one_bit_is_refused(app, srp_user):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    raw = bytearray(base64.b64decode(claim["PASSWORD_CLAIM_SIGNATURE"]))
    raw[-1] ^= 1
    claim["PASSWORD_CLAIM_SIGNATURE"] = base64.b64encode(raw).decode()
    assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT


def test_a_block_is_good_once(app, srp_user):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    assert "AuthenticationResult" in app.respond("PASSWORD_VERIFIER", **claim)
    assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT
    assert SpentToken.objects.count() == 1


def test_a_block_is_good_for_minutes(app, srp_user):
    with time_machine.travel(datetime(2026, 1, 6, tzinfo=UTC), tick=False) as clock:
        session, challenge = started(app)
        claim = app.claim(session, challenge)
        clock.shift(timedelta(minutes=3))
        assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT


def test_a_block_belongs_to_one_client_one_user_and_one_kind_of_challenge(app, srp_user, other_user):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    assert refusal(app.respond, "PASSWORD_VERIFIER", **{"USERNAME": "tom", **claim}) == INCORRECT
    assert refusal(app.respond, "DEVICE_PASSWORD_VERIFIER", DEVICE_KEY="us-east-1_0", **claim) == INCORRECT
    elsewhere = App(app.wire, make_client(app.pool), "maria", "correct horse")
    assert refusal(elsewhere.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT
    assert "AuthenticationResult" in app.respond("PASSWORD_VERIFIER", **claim)


def test_a_block_survives_an_unknown_device_for_the_clients_retry(mfa_app, srp_user, totp):
    session, challenge = started(mfa_app)
    claim = mfa_app.claim(session, challenge)
    unknown = "us-east-1_00000000-0000-0000-0000-000000000000"
    assert refusal(mfa_app.respond, "PASSWORD_VERIFIER", **claim, DEVICE_KEY=unknown) == NO_DEVICE
    assert mfa_app.respond("PASSWORD_VERIFIER", **claim, DEVICE_KEY=None)["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_null_key_takes_back_the_one_that_was_named_before(mfa_app, srp_user, totp):
    session = ClientSession.start()
    unknown = "us-east-1_00000000-0000-0000-0000-000000000000"
    answer = mfa_app.initiate("USER_SRP_AUTH", USERNAME="maria", SRP_A=session.srp_a, DEVICE_KEY=unknown)
    claim = mfa_app.claim(session, answer["ChallengeParameters"])
    assert refusal(mfa_app.respond, "PASSWORD_VERIFIER", **claim) == NO_DEVICE
    assert mfa_app.respond("PASSWORD_VERIFIER", **claim, DEVICE_KEY=None)["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_wrong_password_tells_nothing_about_devices(mfa_app, srp_user):
    mfa_app.password = "wrong"
    assert refusal(mfa_app.srp_sign_in, device_key="us-east-1_0") == INCORRECT
    mfa_app.device_key = "us-east-1_0"
    assert refusal(mfa_app.password_sign_in) == INCORRECT


def test_a_new_password_makes_an_old_block_and_session_worthless(app, srp_user, totp):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    waiting = app.password_sign_in()["Session"]
    srp_user.set_password("another one")
    srp_user.save()
    assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT
    assert refusal(app.respond, "SOFTWARE_TOKEN_MFA", waiting, SOFTWARE_TOKEN_MFA_CODE=totp_code(totp)) == (
        "NotAuthorizedException",
        "Invalid session for the user.",
    )


# Sessions and codes


def test_a_wrong_code_leaves_the_session_and_a_used_session_is_named(mfa_app, totp):
    session = mfa_app.password_sign_in()["Session"]
    assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="000000") == (
        "CodeMismatchException",
        "Invalid code received for user",
    )
    answer = mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=totp_code(totp))
    assert "AuthenticationResult" in answer
    assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=totp_code(totp)) == (
        "NotAuthorizedException",
        "Invalid session for the user, session can only be used once.",
    )


def test_sessions_that_are_missing_garbled_expired_or_for_something_else(mfa_app, totp):
    with time_machine.travel(datetime(2026, 1, 6, tzinfo=UTC), tick=False) as clock:
        session = mfa_app.password_sign_in()["Session"]
        assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", SOFTWARE_TOKEN_MFA_CODE="1") == (
            "InvalidParameterException",
            "Missing required parameter Session",
        )
        assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session) == (
            "InvalidParameterException",
            "Missing required parameter SOFTWARE_TOKEN_MFA_CODE",
        )
        invalid = ("NotAuthorizedException", "Invalid session for the user.")
        assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", "x" * 40, SOFTWARE_TOKEN_MFA_CODE="1") == invalid
        assert refusal(mfa_app.respond, "SMS_MFA", session, SMS_MFA_CODE="1") == invalid
        assert refusal(mfa_app.respond, "SELECT_MFA_TYPE", session, ANSWER="SMS_MFA") == invalid
        assert refusal(mfa_app.respond, "MFA_SETUP", session) == invalid
        assert refusal(mfa_app.wire.call, "AssociateSoftwareToken", Session=session) == invalid
        clock.shift(timedelta(minutes=3))
        assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=totp_code(totp)) == (
            "NotAuthorizedException",
            "Invalid session for the user, session is expired.",
        )


def test_a_session_is_good_for_one_user_and_client_only(mfa_app, totp, other_user):
    session = mfa_app.password_sign_in()["Session"]
    code = {"SOFTWARE_TOKEN_MFA_CODE": totp_code(totp)}
    invalid = ("NotAuthorizedException", "Invalid session for the user.")
    assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session, **{"USERNAME": "tom", **code}) == invalid
    for pool in (mfa_app.pool, make_pool()):
        elsewhere = App(mfa_app.wire, make_client(pool), "maria", "correct horse")
        assert refusal(elsewhere.respond, "SOFTWARE_TOKEN_MFA", session, **code) == invalid


def test_codes_cannot_be_guessed_without_end(mfa_app, totp):
    session = mfa_app.password_sign_in()["Session"]
    for _attempt in range(5):
        assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="000000")[0] == (
            "CodeMismatchException"
        )
    assert refusal(mfa_app.respond, "SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=totp_code(totp)) == (
        "NotAuthorizedException",
        "Password attempts exceeded",
    )


def test_challenges_that_are_not_supported_say_so(app):
    assert refusal(app.respond, "CUSTOM_CHALLENGE", ANSWER="5") == (
        "InvalidParameterException",
        "CUSTOM_CHALLENGE is not supported.",
    )


# Devices


def test_device_keys_of_others_are_unknown_keys(mfa_app, totp, other_user):
    mfa_app.remembered_device(totp)
    toms = App(mfa_app.wire, mfa_app.client, "tom", "battery staple")
    toms.sign_in()
    for operation in ("GetDevice", "ForgetDevice", "UpdateDeviceStatus"):
        assert (
            refusal(mfa_app.wire.call, operation, AccessToken=toms.access_token, DeviceKey=mfa_app.device_key)
            == NO_DEVICE
        )
    toms.device_key = mfa_app.device_key
    assert refusal(toms.password_sign_in) == NO_DEVICE
    elsewhere = App(mfa_app.wire, make_client(make_pool()), "maria", "correct horse", device_key=mfa_app.device_key)
    assert refusal(elsewhere.password_sign_in) == NO_DEVICE
    assert Device.objects.count() == 1


def test_an_unconfirmed_key_is_no_device(mfa_app, totp):
    key = mfa_app.sign_in(totp)["NewDeviceMetadata"]["DeviceKey"]
    assert refusal(mfa_app.wire.call, "GetDevice", AccessToken=mfa_app.access_token, DeviceKey=key) == NO_DEVICE
    mfa_app.device_key = key
    assert refusal(mfa_app.password_sign_in) == NO_DEVICE


def test_only_the_key_of_the_sign_in_can_be_confirmed_and_only_once(mfa_app, totp):
    mfa_app.sign_in(totp)
    given = ("InvalidParameterException", "Invalid device key given.")
    assert (
        refusal(mfa_app.wire.call, "ConfirmDevice", AccessToken=mfa_app.access_token, DeviceKey="us-east-1_0") == given
    )
    mfa_app.confirm()
    assert refusal(mfa_app.confirm)[0] == "DeviceKeyExistsException"
    assert Device.objects.count() == 1


def test_nothing_can_be_confirmed_where_devices_are_not_tracked(app):
    UserPool.objects.update(tracking="off")
    result = app.sign_in()
    assert "NewDeviceMetadata" not in result
    assert refusal(app.wire.call, "ConfirmDevice", AccessToken=app.access_token, DeviceKey="us-east-1_0") == (
        "InvalidParameterException",
        "Invalid device key given.",
    )
    app.device_key = "us-east-1_0"
    assert "AuthenticationResult" in app.password_sign_in()


GOOD_SALT, GOOD_VERIFIER = encode_base64(pad(5)), encode_base64(pad(7))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "Invalid device key given."),
        ({}, "Invalid device key given."),
        ({"Salt": GOOD_SALT}, "Invalid device key given."),
        ({"Salt": GOOD_SALT, "PasswordVerifier": "!"}, "Invalid device key given."),
        ({"Salt": GOOD_SALT, "PasswordVerifier": encode_base64(pad(0))}, "Invalid device key given."),
        ({"Salt": GOOD_SALT, "PasswordVerifier": encode_base64(pad(1))}, "Invalid device key given."),
        ({"Salt": GOOD_SALT, "PasswordVerifier": encode_base64(pad(N))}, "Invalid device key given."),
        ({"Salt": encode_base64(pad(0)), "PasswordVerifier": GOOD_VERIFIER}, "Invalid device key given."),
        ({"Salt": "A" * 100_000, "PasswordVerifier": GOOD_VERIFIER}, "Invalid device key given."),
        ({"Salt": encode_base64(b"\xff"), "PasswordVerifier": GOOD_VERIFIER}, "Salt is negative."),
        ({"Salt": GOOD_SALT, "PasswordVerifier": encode_base64(b"\x80")}, "PasswordVerifier is negative."),
    ],
)
def test_a_verifier_that_would_let_anybody_in_is_refused(app, config, message):
    key = app.sign_in()["NewDeviceMetadata"]["DeviceKey"]
    extra = {} if config is None else {"DeviceSecretVerifierConfig": config}
    assert refusal(app.wire.call, "ConfirmDevice", AccessToken=app.access_token, DeviceKey=key, **extra) == (
        "InvalidParameterException",
        message,
    )


def test_device_srp_auth_proves_nothing_without_a_first_factor(mfa_app, totp):
    mfa_app.remembered_device(totp)
    step = {"DEVICE_KEY": mfa_app.device_key, "SRP_A": ClientSession.start().srp_a}
    assert refusal(mfa_app.respond, "DEVICE_SRP_AUTH", **step) == INCORRECT
    mfa_app.password_sign_in()
    assert mfa_app.respond("DEVICE_SRP_AUTH", **step)["ChallengeName"] == "DEVICE_PASSWORD_VERIFIER"
    assert refusal(mfa_app.respond, "DEVICE_SRP_AUTH", **step) == INCORRECT


def test_a_pending_device_proof_is_good_for_minutes_one_client_and_user(mfa_app, totp, other_user):
    mfa_app.remembered_device(totp)
    step = {"DEVICE_KEY": mfa_app.device_key, "SRP_A": ClientSession.start().srp_a}
    session = mfa_app.password_sign_in()["Session"]
    elsewhere = App(mfa_app.wire, make_client(mfa_app.pool), "maria", "correct horse")
    assert refusal(elsewhere.respond, "DEVICE_SRP_AUTH", **step) == INCORRECT
    assert refusal(mfa_app.respond, "DEVICE_SRP_AUTH", **{"USERNAME": "tom", **step}) == INCORRECT
    assert refusal(mfa_app.respond, "DEVICE_SRP_AUTH", session, **{"USERNAME": "tom", **step}) == (
        "NotAuthorizedException",
        "Invalid session for the user.",
    )
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=3, seconds=1)):
        assert refusal(mfa_app.respond, "DEVICE_SRP_AUTH", **step) == INCORRECT
    assert refusal(mfa_app.respond, "DEVICE_SRP_AUTH", **{**step, "SRP_A": "0"}) == (
        "InvalidParameterException",
        "SRP_A is zero modulo N.",
    )
    assert mfa_app.respond("DEVICE_SRP_AUTH", session, **step)["ChallengeName"] == "DEVICE_PASSWORD_VERIFIER"


def test_a_wrong_device_password_is_refused_and_uses_the_block_up(mfa_app, totp):
    mfa_app.remembered_device(totp)
    mfa_app.password_sign_in()
    session = ClientSession.start()
    answer = mfa_app.respond("DEVICE_SRP_AUTH", DEVICE_KEY=mfa_app.device_key, SRP_A=session.srp_a)
    claim = mfa_app.device_claim(session, answer["ChallengeParameters"])
    good, claim["PASSWORD_CLAIM_SIGNATURE"] = claim["PASSWORD_CLAIM_SIGNATURE"], base64.b64encode(b"1" * 32).decode()
    assert refusal(mfa_app.respond, "DEVICE_PASSWORD_VERIFIER", **claim) == INCORRECT
    claim["PASSWORD_CLAIM_SIGNATURE"] = good
    assert refusal(mfa_app.respond, "DEVICE_PASSWORD_VERIFIER", **claim) == INCORRECT


def test_a_device_that_is_forgotten_between_its_two_steps_does_not_exist(mfa_app, totp):
    mfa_app.remembered_device(totp)
    mfa_app.password_sign_in()
    session = ClientSession.start()
    answer = mfa_app.respond("DEVICE_SRP_AUTH", DEVICE_KEY=mfa_app.device_key, SRP_A=session.srp_a)
    claim = mfa_app.device_claim(session, answer["ChallengeParameters"])
    Device.objects.all().delete()
    assert refusal(mfa_app.respond, "DEVICE_PASSWORD_VERIFIER", **claim) == NO_DEVICE


def _respelled(token):
    """The token with another letter ten before its end: the very last ones may carry bits that mean nothing."""
    return token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]


def test_a_page_mark_is_good_for_its_own_list_only(mfa_app, totp):
    mfa_app.remembered_device(totp)
    mfa_app.device_key = None
    mfa_app.remembered_device(totp)
    first = mfa_app.wire.call("ListDevices", AccessToken=mfa_app.access_token, Limit=1)
    mark = first["PaginationToken"]
    second = mfa_app.wire.call("ListDevices", AccessToken=mfa_app.access_token, Limit=1, PaginationToken=mark)
    assert [device["DeviceKey"] for device in second["Devices"]] == [mfa_app.device_key]
    assert "PaginationToken" not in second
    for bad in ("garbage", _respelled(mark)):
        assert (
            refusal(mfa_app.wire.call, "ListDevices", AccessToken=mfa_app.access_token, PaginationToken=bad)[0]
            == "InvalidParameterException"
        )


# Access tokens


def _segments(token):
    return [json.loads(base64.urlsafe_b64decode(part + "===")) for part in token.split(".")[:2]]


def _encoded(*parts):
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def test_access_tokens_that_are_not_good(app):
    with time_machine.travel(datetime.now(UTC)) as clock:
        result = app.sign_in()
        header, claims = _segments(app.access_token)

        def get_user(token):
            return refusal(app.wire.call, "GetUser", AccessToken=token)

        invalid = ("NotAuthorizedException", "Invalid Access Token")
        forged = ("NotAuthorizedException", "Could not verify signature for Access Token")
        assert get_user("garbage") == invalid
        assert get_user("a.b.c") == invalid
        assert get_user(_encoded({"alg": "none"}, claims) + ".x") == invalid
        assert get_user(result["IdToken"]) == invalid
        assert get_user(result["RefreshToken"]) == invalid
        signature = app.access_token.rpartition(".")[2]
        assert get_user(_encoded(header, {**claims, "username": "tom"}) + "." + signature) == forged
        assert get_user(_encoded({**header, "alg": "none"}, claims) + ".") == forged
        assert get_user(_encoded({**header, "alg": "HS256"}, claims) + "." + signature) == forged
        other = "0" * len(header["kid"])
        assert get_user(_encoded({**header, "kid": other}, claims) + "." + signature) == forged
        assert get_user(_respelled(app.access_token)) == forged
        assert refusal(app.wire.call, "GetDevice", DeviceKey="us-east-1_0")[0] == "NotAuthorizedException"
        assert refusal(app.wire.call, "AssociateSoftwareToken")[0] == "NotAuthorizedException"
        clock.shift(timedelta(hours=1, seconds=1))
        assert get_user(app.access_token) == ("NotAuthorizedException", "Access Token has expired")


def test_a_header_that_no_token_here_has_is_an_invalid_token(app):
    app.sign_in()
    header, claims = _segments(app.access_token)
    signature = app.access_token.rpartition(".")[2]
    kid = header["kid"]
    odd = [
        "\ud800",
        "\0",
        f"{kid}\0",
        f"{kid}\ud800",
        "",
        "other",
        kid.upper(),
        "x" * 1000,
        None,
        5,
        [kid],
        {kid: kid},
    ]
    headers = [{**header, "kid": text} for text in odd]
    headers += [{**header, "crit": text} for text in (5, [5], [["b64"]], "b64", ["b64"])]
    headers += [{**header, name: "x"} for name in ("b64", "jku", "jwk", "x5c", "zip")]
    for header in headers:
        for token in (_encoded(header, claims), _encoded(header, {"token_use": "access"})):
            for tail in (signature, ""):
                assert refusal(app.wire.call, "GetUser", AccessToken=f"{token}.{tail}") == (
                    "NotAuthorizedException",
                    "Invalid Access Token",
                ), header


def test_access_tokens_end_with_their_sign_in_their_user_and_their_device(mfa_app, totp):
    app = mfa_app

    def get_user():
        return refusal(app.wire.call, "GetUser", AccessToken=app.access_token)

    revoked = ("NotAuthorizedException", "Access Token has been revoked")
    app.sign_in(totp)
    app.wire.call("GlobalSignOut", AccessToken=app.access_token)
    assert get_user() == revoked
    app.sign_in(totp)
    app.wire.call("RevokeToken", ClientId=app.client.client_id, Token=app.tokens["RefreshToken"])
    assert get_user() == revoked
    app.remembered_device(totp)
    app.wire.call("ForgetDevice", AccessToken=app.access_token, DeviceKey=app.device_key)
    assert get_user() == revoked
    app.device_key = None
    app.sign_in(totp)
    user = totp.user
    user.is_active = False
    user.save()
    assert get_user() == ("NotAuthorizedException", "User is disabled.")
    user.is_active = True
    user.set_password("another one")
    user.save()
    assert get_user() == revoked


# Refresh tokens


def refresh(app, device_key=None, token=""):
    key = {"DEVICE_KEY": device_key} if device_key else {}
    return app.initiate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=token or app.tokens["RefreshToken"], **key)


def test_a_refresh_token_works_with_the_device_of_its_sign_in_alone(mfa_app, totp):
    invalid = ("NotAuthorizedException", "Invalid Refresh Token.")
    app = mfa_app
    key = app.sign_in(totp)["NewDeviceMetadata"]["DeviceKey"]
    assert refusal(refresh, app) == invalid
    assert refusal(refresh, app, key) == invalid
    app.confirm()
    assert refusal(refresh, app) == invalid
    assert refusal(refresh, app, "us-east-1_0") == invalid
    result = refresh(app, key)["AuthenticationResult"]
    assert set(result) == {"AccessToken", "IdToken", "ExpiresIn", "TokenType"}
    elsewhere = App(app.wire, make_client(app.pool), "maria", "", tokens=app.tokens)
    assert refusal(refresh, elsewhere, key) == invalid
    app.wire.call("ForgetDevice", AccessToken=app.access_token, DeviceKey=key)
    assert refusal(refresh, app, key) == invalid


def rotate(app, token):
    """The refresh token that replaces ``token``."""
    answer = app.wire.call("GetTokensFromRefreshToken", ClientId=app.client.client_id, RefreshToken=token)
    return answer["AuthenticationResult"]["RefreshToken"]


def test_a_pool_may_let_unconfirmed_devices_refresh(mfa_app, totp):
    UserPool.objects.update(refresh_without_device=True)
    mfa_app.sign_in(totp)
    assert "AuthenticationResult" in refresh(mfa_app)
    mfa_app.confirm()
    assert refusal(refresh, mfa_app) == ("NotAuthorizedException", "Invalid Refresh Token.")


def test_refresh_tokens_end(app, user):
    UserPool.objects.update(tracking="off")
    with time_machine.travel(datetime.now(UTC)) as clock:
        app.sign_in()
        assert "AuthenticationResult" in refresh(app)
        app.wire.call("RevokeToken", ClientId=app.client.client_id, Token=app.tokens["RefreshToken"])
        assert refusal(refresh, app) == ("NotAuthorizedException", "Refresh Token has been revoked")
        app.sign_in()
        user.is_active = False
        user.save()
        assert refusal(refresh, app) == ("NotAuthorizedException", "User is disabled.")
        user.is_active = True
        user.save()
        app.sign_in()
        clock.shift(timedelta(days=30))
        assert refusal(refresh, app) == ("NotAuthorizedException", "Refresh Token has expired")


REUSED = ("RefreshTokenReuseException", "Refresh Token has been used before")


def test_a_rotated_refresh_token_that_comes_back_ends_the_sign_in(app):
    UserPool.objects.update(tracking="off")
    UserPoolClient.objects.update(rotate_refresh_tokens=True)
    app.sign_in()
    first = app.tokens["RefreshToken"]
    second = rotate(app, first)
    assert second != first
    third = rotate(app, second)
    assert refusal(rotate, app, first) == REUSED
    assert refusal(rotate, app, third) == ("NotAuthorizedException", "Refresh Token has been revoked")


@pytest.mark.parametrize(("later", "works"), [(29, True), (30, False)])
def test_a_rotated_refresh_token_works_for_the_grace_of_the_client(app, later, works):
    UserPool.objects.update(tracking="off")
    UserPoolClient.objects.update(rotate_refresh_tokens=True, rotation_grace=30)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        app.sign_in()
        first = app.tokens["RefreshToken"]
        rotate(app, first)
        clock.shift(timedelta(seconds=later))
        if works:
            rotate(app, first)
        else:
            assert refusal(rotate, app, first) == REUSED
        assert (RefreshToken.objects.get().revoked_at is None) is works


def test_without_a_grace_a_request_begun_before_the_rotation_is_refused(app):
    UserPool.objects.update(tracking="off")
    UserPoolClient.objects.update(rotate_refresh_tokens=True)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        app.sign_in()
        first = app.tokens["RefreshToken"]
        rotate(app, first)
        clock.shift(timedelta(seconds=-1))
        assert refusal(rotate, app, first) == REUSED


@pytest.mark.parametrize("flow", ["REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"])
def test_a_client_that_rotates_refreshes_by_the_operation_for_it_alone(app, flow):
    UserPool.objects.update(tracking="off")
    UserPoolClient.objects.update(rotate_refresh_tokens=True)
    app.sign_in()
    first = app.tokens["RefreshToken"]
    assert refusal(app.initiate, flow, REFRESH_TOKEN=first) == (
        "InvalidParameterException",
        f"{flow} is not enabled for the client.",
    )
    second = rotate(app, first)
    UserPoolClient.objects.update(rotate_refresh_tokens=False)
    assert "AuthenticationResult" in app.initiate(flow, REFRESH_TOKEN=second)
    # For InitiateAuth the error of reuse is not declared.
    assert refusal(app.initiate, flow, REFRESH_TOKEN=first) == (
        "NotAuthorizedException",
        "Refresh Token has been revoked",
    )


def test_what_cannot_be_revoked(app):
    app.sign_in()
    call, client_id = app.wire.call, app.client.client_id
    assert (
        refusal(call, "RevokeToken", ClientId=client_id, Token=app.access_token)[0] == "UnsupportedTokenTypeException"
    )
    assert refusal(call, "RevokeToken", ClientId="nobody", Token="x")[0] == "UnauthorizedException"
    UserPoolClient.objects.update(enable_token_revocation=False)
    assert refusal(call, "RevokeToken", ClientId=client_id, Token=app.tokens["RefreshToken"])[0] == (
        "UnsupportedOperationException"
    )
    assert RefreshToken.objects.get().revoked_at is None


def test_a_renamed_user_needs_a_new_verifier(app, srp_user):
    srp_user.username = "mary"
    srp_user.save()
    app.username = "mary"
    assert refusal(app.srp_sign_in) == INCORRECT
    assert "AuthenticationResult" in app.password_sign_in()
    assert "AuthenticationResult" in app.srp_sign_in()


def test_a_timestamp_is_signed_as_it_was_sent(app, srp_user):
    session, challenge = started(app)
    claim = app.claim(session, challenge)
    claim["TIMESTAMP"] = format_timestamp(datetime.now(UTC) + timedelta(seconds=1))
    assert refusal(app.respond, "PASSWORD_VERIFIER", **claim) == INCORRECT


def test_the_verifier_of_another_pool_is_another_one(wire, srp_user):
    other = make_pool()
    app = App(wire, make_client(other), "maria", "correct horse")
    assert refusal(app.srp_sign_in) == INCORRECT
    accounts.keep_verifier(accounts.get_pool_user(other, srp_user), "correct horse")
    assert "AuthenticationResult" in app.srp_sign_in()
