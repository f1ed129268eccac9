"""NEW_PASSWORD_REQUIRED: users who have to set a new password before they go on."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.broken_database import broken, interrupted
from tests.cognito_idp.factories import SECRET, make_client, make_pool
from tests.cognito_idp.wire import App, Refused, totp_code
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import PendingDeviceProof, PoolUser, RefreshToken, UserPool
from trusted_devices.crypto.srp import ClientSession
from trusted_devices.models import Device, DeviceEvent

NEW = "a much better staple"
TOO_SHORT = "Password did not conform with policy: This password is too short. It must contain at least 10 characters."


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


@pytest.fixture(autouse=True)
def validators(settings):
    """What the site wants of a password."""
    validation = "django.contrib.auth.password_validation"
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": f"{validation}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
        {"NAME": f"{validation}.UserAttributeSimilarityValidator"},
    ]


@pytest.fixture
def marked(app, user):
    """An app of a user who has to set a new password."""
    accounts.get_pool_user(app.pool, user)
    PoolUser.objects.update(must_change_password=True)
    return app


@pytest.fixture
def unnamed(marked):
    """The same in a pool that wants to know the user's names and address, of which it has the address."""
    UserPool.objects.update(required_attributes=["family_name", "given_name", "email", "shoe_size"])
    return marked


def pool_user():
    return PoolUser.objects.select_related("user", "pool").get()


def asked(answer):
    """The session of a sign-in that waits for a new password."""
    assert answer["ChallengeName"] == "NEW_PASSWORD_REQUIRED", answer
    return answer["Session"]


def set_new(app, session, password=NEW, **more):
    return app.respond("NEW_PASSWORD_REQUIRED", session, NEW_PASSWORD=password, **more)


def refusal(app, session, password=NEW, **more):
    """What the new password or an attribute is refused with; the session stays good, and nothing is changed."""
    before = pool_user()
    with pytest.raises(Refused) as refused:
        set_new(app, session, password, **more)
    after = pool_user()
    assert (after.must_change_password, vars(after.user)["password"]) == (True, before.user.password)
    assert (after.user.email, after.user.first_name) == (before.user.email, before.user.first_name)
    return refused.value.name, refused.value.message


# What is asked


@pytest.mark.parametrize("begin", [App.password_sign_in, App.srp_sign_in], ids=["password", "SRP"])
def test_who_has_to_set_a_new_password_is_asked_for_it_after_the_old_one(srp_user, marked, begin):
    answer = begin(marked)
    assert set(answer) == {"ChallengeName", "Session", "ChallengeParameters"}
    assert answer["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    assert answer["ChallengeParameters"] == {
        "USER_ID_FOR_SRP": "maria",
        "requiredAttributes": "[]",
        "userAttributes": '{"email":"maria@example.com","email_verified":"false"}',
    }
    assert "AccessToken" in set_new(marked, answer["Session"])["AuthenticationResult"]
    with pytest.raises(Refused, match="Incorrect username or password"):
        begin(marked)
    marked.password = NEW
    assert "AuthenticationResult" in begin(marked)


def test_a_server_asks_for_a_new_password_and_sees_who_has_to_set_one(admin, marked):
    names = {"UserPoolId": marked.pool.pool_id, "Username": "maria"}
    common = {"UserPoolId": marked.pool.pool_id, "ClientId": marked.client.client_id}
    assert admin.call("AdminGetUser", **names)["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    session = asked(
        admin.call(
            "AdminInitiateAuth",
            **common,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "maria", "PASSWORD": marked.password},
        )
    )
    answer = admin.call(
        "AdminRespondToAuthChallenge",
        **common,
        ChallengeName="NEW_PASSWORD_REQUIRED",
        Session=session,
        ChallengeResponses={"USERNAME": "maria", "NEW_PASSWORD": NEW},
    )
    assert "AccessToken" in answer["AuthenticationResult"]
    assert admin.call("AdminGetUser", **names)["UserStatus"] == "CONFIRMED"
    assert not pool_user().must_change_password


def test_whoever_does_not_know_the_old_password_is_told_nothing(marked):
    marked.password = "wrong"
    with pytest.raises(Refused, match="NotAuthorizedException: Incorrect username or password"):
        marked.password_sign_in()


def test_another_pool_of_the_user_asks_for_nothing(wire, marked):
    other = App(wire, make_client(make_pool()), "maria", marked.password)
    assert "AuthenticationResult" in other.password_sign_in()


def test_a_client_with_a_secret_proves_it_with_the_new_password(wire, secret_client, marked):
    app = App(wire, secret_client, "maria", marked.password, secret=SECRET)
    session = asked(app.password_sign_in())
    with pytest.raises(Refused, match="NotAuthorizedException: Unable to verify secret hash"):
        set_new(app, session, SECRET_HASH="wrong")
    with pytest.raises(Refused, match="NotAuthorizedException: Invalid session for the user"):
        set_new(marked, session)
    assert "AuthenticationResult" in set_new(app, session)


# What is refused


def test_a_password_that_is_refused_leaves_the_session_for_another_try(marked):
    session = asked(marked.password_sign_in())
    shape = "1 validation error detected: Value at 'challengeResponses.NEW_PASSWORD' failed to satisfy constraint: "
    spaced = f"{shape}Member must satisfy regular expression pattern: ^[\\S]+.*[\\S]+$"
    long = f"{shape}Member must have length less than or equal to 256"
    assert refusal(marked, session, "short") == ("InvalidPasswordException", TOO_SHORT)
    similar = "Password did not conform with policy: The password is too similar to the email address."
    assert refusal(marked, session, "maria@example.com") == ("InvalidPasswordException", similar)
    assert refusal(marked, session, " " + NEW) == ("InvalidParameterException", spaced)
    assert refusal(marked, session, NEW + " ") == ("InvalidParameterException", spaced)
    assert refusal(marked, session, "x" * 257) == ("InvalidParameterException", long)
    assert refusal(marked, session, "") == ("InvalidParameterException", "Missing required parameter NEW_PASSWORD")
    assert "AuthenticationResult" in set_new(marked, session, "x" * 256)


def test_a_pool_is_told_the_attributes_that_it_requires_and_the_user_lacks(unnamed):
    answer = unnamed.password_sign_in()
    session = asked(answer)
    assert json.loads(answer["ChallengeParameters"]["requiredAttributes"]) == [
        "userAttributes.given_name",
        "userAttributes.family_name",
    ]
    assert json.loads(answer["ChallengeParameters"]["userAttributes"]) == {
        "given_name": "",
        "family_name": "",
        "email": "maria@example.com",
        "email_verified": "false",
    }
    lacking = "Invalid attributes given, given_name is missing, family_name is missing"
    assert refusal(unnamed, session) == ("InvalidParameterException", lacking)
    half = {"userAttributes.given_name": "Maria", "userAttributes.family_name": " "}
    assert refusal(unnamed, session, **half) == (
        "InvalidParameterException",
        "Invalid attributes given, family_name is missing",
    )
    half["userAttributes.family_name"] = "x" * 151
    name, message = refusal(unnamed, session, **half)
    assert name == "InvalidParameterException"
    assert message.startswith("Attributes did not conform to the schema: Ensure this value has at most 150 characters")
    half["userAttributes.family_name"] = "Pérez García"
    similar = "Password did not conform with policy: The password is too similar to the last name."
    assert refusal(unnamed, session, "pérez garcía", **half) == ("InvalidPasswordException", similar)
    assert "AuthenticationResult" in set_new(unnamed, session, **half)
    assert (pool_user().user.first_name, pool_user().user.last_name) == ("Maria", "Pérez García")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("email", "Cannot modify an already provided email"),
        ("email_verified", "Cannot modify an already provided email_verified"),
        ("given_name", "A client attempted to write unauthorized attribute"),
        ("phone_number", "A client attempted to write unauthorized attribute"),
        ("sub", "A client attempted to write unauthorized attribute"),
        ("is_staff", "A client attempted to write unauthorized attribute"),
        ("", "A client attempted to write unauthorized attribute"),
    ],
)
def test_an_attribute_that_was_not_asked_for_is_refused(marked, attribute, message):
    session = asked(marked.password_sign_in())
    assert refusal(marked, session, **{f"userAttributes.{attribute}": "true"}) == ("NotAuthorizedException", message)
    assert "AuthenticationResult" in set_new(marked, session)


@pytest.fixture
def unreachable(marked):
    """An app of a user without an address in a pool that wants to know it."""
    UserPool.objects.update(required_attributes=["email"])
    get_user_model().objects.filter(username="maria").update(email="")
    return marked


def test_an_address_may_be_somebody_elses_where_nobody_signs_in_with_it(unreachable, other_user):
    session = asked(unreachable.password_sign_in())
    set_new(unreachable, session, **{"userAttributes.email": "tom@example.com"})
    assert pool_user().user.email == "tom@example.com"


def test_what_the_sites_users_do_not_have_is_not_asked_for(unreachable, user, monkeypatch):
    monkeypatch.setattr(type(user), "EMAIL_FIELD", "contact")
    answer = unreachable.password_sign_in()
    assert answer["ChallengeParameters"]["requiredAttributes"] == "[]"
    assert "AuthenticationResult" in set_new(unreachable, asked(answer))


def test_an_address_to_sign_in_with_is_asked_for_and_unique(unreachable, other_user):
    session = asked(unreachable.password_sign_in())
    unfit = "Attributes did not conform to the schema: Enter a valid email address."
    assert refusal(unreachable, session, **{"userAttributes.email": "maria"}) == ("InvalidParameterException", unfit)
    UserPool.objects.update(email_alias=True)
    taken = ("AliasExistsException", "An account with the given email already exists.")
    get_user_model().objects.create_user("ada@example.com")
    for address in ("TOM@example.com", "Ada@example.com"):
        assert refusal(unreachable, session, **{"userAttributes.email": address}) == taken
    UserPool.objects.update(email_alias=False)
    elsewhere = make_pool(email_alias=True)  # where the address would be an alias as well
    assert refusal(unreachable, session, **{"userAttributes.email": "ada@example.com"}) == taken
    elsewhere.delete()
    UserPool.objects.update(email_alias=True)
    set_new(unreachable, session, **{"userAttributes.email": "mia@example.com"})
    assert pool_user().user.email == "mia@example.com"
    unreachable.username, unreachable.password = "mia@example.com", NEW
    assert "AuthenticationResult" in unreachable.password_sign_in()


# What a new password ends


def test_trust_ends_with_the_old_password_and_mfa_is_asked_for(mfa_app, totp, srp_user):
    mfa_app.remembered_device(totp)
    device = mfa_app.device_key
    PoolUser.objects.update(must_change_password=True)
    answer = set_new(mfa_app, asked(mfa_app.srp_sign_in()))
    assert not RefreshToken.objects.filter(revoked_at=None).exists()
    result = mfa_app.answer_mfa(answer, totp)["AuthenticationResult"]
    assert result["NewDeviceMetadata"]["DeviceKey"] != device
    assert not PendingDeviceProof.objects.exists()
    kept = Device.objects.get()
    assert (kept.status, kept.status_reason) == ("not_remembered", "password_changed")
    assert [(event.action, event.reason) for event in DeviceEvent.objects.order_by("pk")][-2:] == [
        ("not_remembered", "password_changed"),
        ("signed_in", "mfa"),
    ]
    mfa_app.password = NEW
    assert mfa_app.srp_sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_device_that_is_no_more_is_told_before_anything_is_asked(marked, srp_user):
    marked.device_key = "us-east-1_00000000-0000-0000-0000-000000000000"
    for begin in (marked.password_sign_in, marked.srp_sign_in):
        with pytest.raises(Refused, match="ResourceNotFoundException: Device does not exist\\."):
            begin()


def test_a_factor_is_set_up_after_the_new_password_where_mfa_is_required(marked, user):
    UserPool.objects.update(mfa="ON")
    answer = set_new(marked, asked(marked.password_sign_in()))
    assert answer["ChallengeName"] == "MFA_SETUP"
    assert json.loads(answer["ChallengeParameters"]["MFAS_CAN_SETUP"]) == ["SOFTWARE_TOKEN_MFA"]
    begun = marked.wire.call("AssociateSoftwareToken", Session=answer["Session"])
    code = totp_code(TOTPDevice.objects.get(user=user))
    verified = marked.wire.call("VerifySoftwareToken", Session=begun["Session"], UserCode=code)
    marked.tokens = marked.respond("MFA_SETUP", verified["Session"])["AuthenticationResult"]
    assert marked.confirm()
    marked.set_status("remembered")
    marked.password = NEW
    assert "AuthenticationResult" in marked.prove_device(marked.password_sign_in())


# What happens meanwhile


def test_a_session_sets_one_password_and_is_good_for_nothing_else(marked):
    UserPool.objects.update(mfa="ON")
    session = asked(marked.password_sign_in())
    with pytest.raises(Refused, match="NotAuthorizedException: Invalid session for the user"):
        marked.wire.call("AssociateSoftwareToken", Session=session)
    with pytest.raises(Refused, match="NotAuthorizedException: Invalid session for the user"):
        marked.respond("MFA_SETUP", session)
    following = set_new(marked, session)["Session"]
    with pytest.raises(Refused, match=r"NotAuthorizedException: .* session can only be used once"):
        set_new(marked, session, "yet another staple")
    PoolUser.objects.update(must_change_password=True)
    assert refusal(marked, following) == ("NotAuthorizedException", "Invalid session for the user.")


def test_the_session_of_another_step_sets_no_password(mfa_app, totp):
    session = mfa_app.password_sign_in()["Session"]
    PoolUser.objects.update(must_change_password=True)
    with pytest.raises(Refused, match=r"Invalid session for the user\."):
        mfa_app.respond("NEW_PASSWORD_REQUIRED", session, NEW_PASSWORD="a much better staple")
    totp.user.refresh_from_db()
    assert totp.user.check_password(mfa_app.password)
    assert PoolUser.objects.get().must_change_password


def test_setting_a_new_password_takes_minutes_at_most(marked):
    with time_machine.travel(datetime(2026, 1, 6, tzinfo=UTC), tick=False) as clock:
        session = asked(marked.password_sign_in())
        clock.shift(timedelta(minutes=3))
        assert refusal(marked, session)[1] == "Invalid session for the user, session is expired."


def set_on_the_site():
    user = pool_user().user
    user.set_password("set on the site")
    user.save()


CHANGES = [
    (set_on_the_site, "set on the site"),
    (lambda: get_user_model().objects.update(is_active=False), "correct horse"),
    (lambda: PoolUser.objects.update(must_change_password=False), "correct horse"),
    (lambda: get_user_model().objects.all().delete(), ""),
]
NAMES = ["password", "disabled", "unmarked", "deleted"]


@pytest.mark.parametrize(("change", "password"), CHANGES, ids=NAMES)
@pytest.mark.parametrize("moment", ["before", "during"])
def test_what_the_site_changed_meanwhile_stands(marked, change, password, moment):
    session = asked(marked.password_sign_in())
    if moment == "before":
        change()
        with pytest.raises(Refused, match="NotAuthorizedException"):
            set_new(marked, session)
    else:
        # Between looking at the session and setting the password.
        with (
            interrupted("^SAVEPOINT", change),
            pytest.raises(Refused, match="NotAuthorizedException: Invalid session for the user"),
        ):
            set_new(marked, session)
    assert all(user.check_password(password) for user in get_user_model().objects.all())
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["pooluser", "srpcredential"])
def test_a_database_that_fails_in_the_middle_leaves_everything_as_it_was(marked, table):
    session = asked(marked.password_sign_in())
    marked.wire.http.raise_request_exception = False
    with broken(f"^UPDATE .trusted_devices_cognito_idp_{table}.") as statements, pytest.raises(Refused, match="500"):
        set_new(marked, session)
    assert statements
    assert pool_user().must_change_password
    assert pool_user().user.check_password("correct horse")
    assert "AuthenticationResult" in set_new(marked, session)


def test_no_password_is_in_a_log_an_event_or_an_error(marked, caplog):
    caplog.set_level(logging.DEBUG)
    session = asked(marked.password_sign_in())
    texts = [message for password in ("tiny", " padded staple") for message in refusal(marked, session, password)]
    set_new(marked, session)
    texts += [str(vars(kept)) for kept in [*caplog.records, *DeviceEvent.objects.all()]]
    assert not [text for text in texts for secret in ("tiny", "padded", "staple", session) if secret in text]


def test_the_secret_block_of_a_first_step_is_used_up_by_being_asked(marked, srp_user):
    session = ClientSession.start()
    challenge = marked.initiate("USER_SRP_AUTH", USERNAME="maria", SRP_A=session.srp_a)["ChallengeParameters"]
    claim = marked.claim(session, challenge)
    asked(marked.respond("PASSWORD_VERIFIER", **claim))
    with pytest.raises(Refused, match="Incorrect username or password"):
        marked.respond("PASSWORD_VERIFIER", **claim)
