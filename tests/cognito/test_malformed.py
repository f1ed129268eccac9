"""Answers that a pool should never give: nobody is let in by them, and nothing breaks."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from tests.cognito.conftest import Browser, at, trusts_the_device
from tests.cognito.stubs import DEVICE_KEY, SUB
from trusted_devices.cognito import flow, identities, session, translate
from trusted_devices.cognito.errors import MalformedAnswer
from trusted_devices.exceptions import (
    DeviceNotFound,
    InvalidCredentials,
    SignInExpired,
    TooManyAttempts,
    TrustNotAllowed,
    UnknownMethod,
)
from trusted_devices.models import CognitoUser, Device
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.signin.cognito import CognitoSignIn
from trusted_devices.types import ClientInfo, DeviceStatus

FORM = {"username": "maria", "password": "correct horse battery"}


@pytest.fixture
def browser(db):
    return Browser()


def without(answer, name):
    return {**answer, "ChallengeParameters": {k: v for k, v in answer["ChallengeParameters"].items() if k != name}}


def with_(answer, **parameters):
    return {**answer, "ChallengeParameters": {**answer["ChallengeParameters"], **parameters}}


def is_refused(response, browser):
    return (
        response.status_code == 503
        and "try again in a minute" in response.content.decode()
        and not browser.is_signed_in
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: {},
        lambda answer: {**answer, "ChallengeName": "CUSTOM_CHALLENGE"},
        lambda answer: {**answer, "ChallengeParameters": {}},
        lambda answer: without(answer, "USER_ID_FOR_SRP"),
        lambda answer: without(answer, "SALT"),
        lambda answer: without(answer, "SRP_B"),
        lambda answer: without(answer, "SECRET_BLOCK"),
        lambda answer: with_(answer, SRP_B="0"),
        lambda answer: with_(answer, SRP_B="not hex"),
        lambda answer: with_(answer, SALT="not hex"),
    ],
)
def test_a_half_of_srp_that_cannot_be_used(pool, browser, change):
    pool.answers("initiate_auth", change(pool.half_of_srp()))
    assert is_refused(browser.http.post(reverse("trusted_devices:sign_in"), FORM), browser)
    pool.is_done()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ChallengeName": "SOFTWARE_TOKEN_MFA"},
        {"ChallengeName": "SELECT_MFA_TYPE", "Session": "s" * 30},
        {"ChallengeName": "SELECT_MFA_TYPE", "Session": "s" * 30, "ChallengeParameters": {"MFAS_CAN_CHOOSE": "{}"}},
        {"ChallengeName": "SELECT_MFA_TYPE", "Session": "s" * 30, "ChallengeParameters": {"MFAS_CAN_CHOOSE": "["}},
        {"ChallengeName": "SELECT_MFA_TYPE", "Session": "s" * 30, "ChallengeParameters": {"MFAS_CAN_CHOOSE": "[[]]"}},
        {"ChallengeName": "DEVICE_SRP_AUTH", "Session": "s" * 30, "ChallengeParameters": {}},
        {"ChallengeName": "PASSWORD_VERIFIER", "Session": "s" * 30, "ChallengeParameters": {}},
        {"AuthenticationResult": {}},
        {"AuthenticationResult": {"AccessToken": "a", "IdToken": "b"}},
    ],
    ids=str,
)
def test_an_answer_to_the_password_that_makes_no_sense(pool, browser, maria, answer):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", answer)
    assert is_refused(browser.http.post(reverse("trusted_devices:sign_in"), FORM), browser)


def test_a_device_of_one_user_that_signs_another_in(pool, browser, maria):
    paul, theirs = get_user_model().objects.create_user("paul"), "9d4a3f1c-0000-4222-8333-444455556666"
    CognitoUser.objects.create(user=paul, sub=theirs, username="paul")
    trusts_the_device(pool, browser, "maria", SUB, f"{DEVICE_KEY[:-1]}1")
    trusts_the_device(pool, browser, "paul", theirs, f"{DEVICE_KEY[:-1]}2")
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge("DEVICE_SRP_AUTH"))
    half = {**pool.half_of_srp(), "ChallengeName": "DEVICE_PASSWORD_VERIFIER"}
    pool.answers("respond_to_auth_challenge", half)
    pool.answers("respond_to_auth_challenge", {"AuthenticationResult": pool.tokens(sub=theirs)})
    assert is_refused(browser.http.post(reverse("trusted_devices:sign_in"), FORM), browser)
    pool.is_done()


@pytest.mark.parametrize("answer", [{}, {"ChallengeName": "SMS_MFA", "Session": "s" * 30}])
def test_a_second_factor_after_the_second_factor(pool, browser, maria, answer):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge())
    assert at(browser.http.post(reverse("trusted_devices:sign_in"), FORM)) == "sign_in_code"
    pool.answers("respond_to_auth_challenge", answer)
    assert is_refused(browser.code("123456"), browser)


def test_another_factor_than_was_chosen(pool, browser, maria):
    pool.answers("initiate_auth", pool.half_of_srp())
    choice = pool.challenge("SELECT_MFA_TYPE", MFAS_CAN_CHOOSE='["SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]')
    pool.answers("respond_to_auth_challenge", choice)
    browser.http.post(reverse("trusted_devices:sign_in"), FORM)
    pool.answers("respond_to_auth_challenge", pool.challenge("SMS_MFA"))
    page = browser.http.get(browser.choose("EMAIL_OTP").url).content.decode()
    assert "Signing in is not possible right now" in page
    assert not browser.is_signed_in


@pytest.mark.parametrize("record", [{"Username": "maria"}, {"Username": "maria", "UserAttributes": [{"Name": "x"}]}])
def test_a_stranger_without_a_sub(pool, browser, record):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge())
    pool.answers("admin_get_user", record)
    assert is_refused(browser.http.post(reverse("trusted_devices:sign_in"), FORM), browser)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"DeviceKey": ""},
        {"DeviceKey": 3},
        {"DeviceKey": "k" * 56},
        {"DeviceKey": "k k"},
        {"DeviceKey": "k", "DeviceAttributes": [3]},
    ],
)
def test_a_device_that_cannot_be_read(raw):
    with pytest.raises(MalformedAnswer):
        translate.device(raw)


@pytest.mark.parametrize("parameters", [None, [], "x"])
def test_parameters_that_are_none(parameters):
    with pytest.raises(MalformedAnswer):
        translate.require({"ChallengeParameters": parameters}, "SALT")


def test_factors_of_a_user_come_with_the_preferred_one_first():
    record = {"UserMFASettingList": ["SOFTWARE_TOKEN_MFA", "EMAIL_MFA"], "PreferredMfaSetting": "EMAIL_OTP"}
    assert [method.kind for method in translate.user_methods(record)] == ["email", "totp"]
    assert translate.user_methods({}) == []


class TestTheConversation:
    def test_takes_no_state_but_its_own(self, pool, maria):
        for state in ({}, {"sealed": "x"}, {"sealed": session._KEPT.seal({})}):
            with pytest.raises(SignInExpired):
                CognitoSignIn().resume(maria, state, client=ClientInfo())

    def test_takes_a_code_only_for_the_factor_that_was_asked_for(self, pool, maria):
        state = flow.PoolSignIn(username="maria", challenge="SMS_MFA", session="s").dump()
        totp, sms = translate.method("SOFTWARE_TOKEN_MFA"), translate.method("SMS_MFA")
        conversation = CognitoSignIn().resume(maria, state, client=ClientInfo())
        with pytest.raises(SignInExpired):
            conversation.answer_code(totp, "123456")
        with pytest.raises(UnknownMethod):
            conversation.send(totp)
        conversation.send(sms)
        following = CognitoSignIn().resume(maria, conversation.state, client=ClientInfo())
        for each in (conversation, following):
            with pytest.raises(TooManyAttempts):
                each.send(sms)

    def test_asks_users_who_are_not_from_the_pool_for_nothing(self, pool, user):
        assert CognitoSignIn().methods(user) == []

    def test_asks_a_user_whom_the_pool_deleted_for_nothing(self, pool, maria):
        pool.refuses("admin_get_user", "UserNotFoundException")
        assert CognitoSignIn().methods(maria) == []


class TestTheOwner:
    def test_confirms_no_device_outside_of_a_sign_in(self, pool, maria):
        with pytest.raises(TrustNotAllowed):
            PoolOwner().new_device()
        with pytest.raises(TrustNotAllowed):
            PoolOwner().confirm_device(Device(user=maria, device_key="k"))

    def test_knows_no_devices_of_users_who_are_not_from_the_pool(self, pool, user):
        owner, device = PoolOwner(), Device(user=user, device_key="k")
        with pytest.raises(DeviceNotFound):
            list(owner.list_devices(user))
        with pytest.raises(DeviceNotFound):
            owner.update_device_status(device, DeviceStatus.REMEMBERED)
        owner.forget_device(device)

    def test_lists_devices_page_by_page(self, pool, maria):
        keys = [f"eu-central-1_{number:08}-0000-4000-8000-000000000000" for number in range(3)]
        pool.answers("admin_list_devices", {"Devices": [{"DeviceKey": keys[0]}], "PaginationToken": "a"})
        pool.answers("admin_list_devices", {"Devices": [], "PaginationToken": "b"})
        pool.answers("admin_list_devices", {"Devices": [{"DeviceKey": key} for key in keys[1:]]})
        assert [device.device_key for device in PoolOwner().list_devices(maria)] == keys
        pool.is_done()

    def test_does_not_go_round_in_circles(self, pool, maria):
        for _ in range(2):
            pool.answers("admin_list_devices", {"Devices": [{"DeviceKey": DEVICE_KEY}], "PaginationToken": "a"})
        with pytest.raises(MalformedAnswer):
            list(PoolOwner().list_devices(maria))
        pool.is_done()


class TestSessions:
    def test_without_tokens_have_none(self, pool):
        assert session.pack(flow.PoolSignIn(username="maria"), "") == {}
        for kept in ({}, {session.SESSION_KEY: 3}, {session.SESSION_KEY: "forged"}):
            with pytest.raises(SignInExpired):
                session.get_tokens(kept)

    def test_without_a_refresh_token_end_with_their_first(self, pool):
        record = {"access": "a", "identity": "i", "refresh": "", "expires_at": 0, "device_key": ""}
        with pytest.raises(SignInExpired):
            session.get_tokens({session.SESSION_KEY: session._KEPT.seal(record)})

    def test_name_no_device_but_the_one_that_signed_in(self, pool):
        finished = flow.PoolSignIn(username="maria", access="a", device_key="k_1", new_key="k_2")
        for key, named in (("k_1", "k_1"), ("k_2", "k_2"), ("k_3", ""), ("", "")):
            packed = session.pack(finished, key)
            assert session._KEPT.open(packed[session.SESSION_KEY])["device_key"] == named

    def test_take_over_a_refresh_token_that_was_rotated(self, pool):
        record = {"access": "a", "identity": "i", "refresh": "old", "expires_at": 0, "device_key": "k_1"}
        kept = {session.SESSION_KEY: session._KEPT.seal(record)}
        pool.answers("get_tokens_from_refresh_token", {"AuthenticationResult": pool.tokens()})
        assert session.get_tokens(kept).refresh == "r" * 20
        assert session.get_tokens(kept).refresh == "r" * 20
        pool.is_done()


class TestWhoSomebodyIs:
    def test_a_name_that_is_too_long_for_the_site_is_cut_and_stays_unique(self, pool, db):
        name = "m" * 200
        users = [
            identities.UserMapper().create({"sub": f"{number}2345678-x", "cognito:username": name})
            for number in range(2)
        ]
        assert {user.username for user in users} == {f"{'m' * 141}-02345678", f"{'m' * 141}-12345678"}

    def test_somebody_disabled_here_is_not_let_in(self, pool, maria):
        get_user_model().objects.update(is_active=False)
        with pytest.raises(InvalidCredentials):
            identities.resolve({"sub": SUB, "cognito:username": "maria"})
