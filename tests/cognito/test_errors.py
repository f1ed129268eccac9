"""Every declared error once, and at every step one of each kind: what becomes of it, and what the user is told.

They come from botocore's Stubber. An error is translated without regard to the call, and what happens next depends on
what it was translated to: that is its kind.
"""

import ast
import time

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import Warning as CheckWarning
from django.urls import reverse
from django.utils import timezone

from tests.cognito.conftest import Browser, at, trusts_the_device
from tests.cognito.stubs import (
    CLIENT,
    DEVICE_KEY,
    POOL,
    SUB,
    StubbedPool,
    declared_errors,
    operations,
    service,
    stubbed_settings,
)
from tests.shared_database import ROOT
from trusted_devices.cognito import budget, checks, client, errors, session
from trusted_devices.exceptions import (
    ActionRequired,
    AlreadyAnswered,
    BackendUnavailable,
    CodeMismatch,
    DeviceNotFound,
    InvalidCredentials,
    SignInExpired,
    TooManyAttempts,
    TrustedDevicesError,
    UnknownMethod,
)
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.services import comparison, devices
from trusted_devices.types import By, DeviceStatus

CONTEXT = {
    "admin_get_user": {"Username": "maria"},
    "admin_update_user_attributes": {"Username": "maria", "UserAttributes": [{"Name": "custom:a", "Value": "{}"}]},
    "admin_list_devices": {"Username": "maria"},
    "admin_forget_device": {"Username": "maria", "DeviceKey": DEVICE_KEY},
    "admin_update_device_status": {"Username": "maria", "DeviceKey": DEVICE_KEY},
    "admin_initiate_auth": {"ClientId": CLIENT, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH"},
    "admin_respond_to_auth_challenge": {"ClientId": CLIENT, "ChallengeName": "SMS_MFA"},
    "initiate_auth": {"ClientId": CLIENT, "AuthFlow": "USER_SRP_AUTH"},
    "respond_to_auth_challenge": {"ClientId": CLIENT, "ChallengeName": "SMS_MFA"},
    "associate_software_token": {"Session": "s" * 30},
    "verify_software_token": {"Session": "s" * 30, "UserCode": "123456"},
    "confirm_device": {"AccessToken": "token", "DeviceKey": DEVICE_KEY},
    "update_device_status": {"AccessToken": "token", "DeviceKey": DEVICE_KEY},
    "get_tokens_from_refresh_token": {"RefreshToken": "token", "ClientId": CLIENT},
    "describe_user_pool": {},
    "describe_user_pool_client": {"ClientId": CLIENT},
    "get_user_pool_mfa_config": {},
}
"""The calls that the backend makes, with what each needs."""
EXPECTED = {
    "CodeMismatchException": CodeMismatch,
    "DeviceKeyExistsException": AlreadyAnswered,
    "EnableSoftwareTokenMFAException": CodeMismatch,
    "ExpiredCodeException": SignInExpired,
    "MFAMethodNotFoundException": UnknownMethod,
    "NotAuthorizedException": InvalidCredentials,
    "PasswordResetRequiredException": ActionRequired,
    "RefreshTokenReuseException": SignInExpired,
    "SoftwareTokenMFANotFoundException": UnknownMethod,
    "UserLambdaValidationException": InvalidCredentials,
    "UserNotConfirmedException": ActionRequired,
    "UserNotFoundException": InvalidCredentials,
}
"""What an error becomes; everything else becomes ``BackendUnavailable``."""
AGAIN = {"ConcurrentModificationException", "TooManyRequestsException"}
"""Refusals for load: every call is repeated after these, and after ``BROKEN`` those that may be done twice."""
BROKEN = "InternalErrorException"
START_AGAIN = {
    "ExpiredCodeException",
    "MFAMethodNotFoundException",
    "NotAuthorizedException",
    "SoftwareTokenMFANotFoundException",
    "UserLambdaValidationException",
    "UserNotFoundException",
}
"""In the middle of a sign-in these mean that there is none any more."""
UNKNOWN = "SomethingNewException"
GONE = "Device does not exist."
UNAVAILABLE = (503, "Signing in is not possible right now. Nothing is wrong with your account; try again in a minute.")
NO_MATCH = (400, "User name and password do not match.")


@pytest.fixture
def browser(db):
    return Browser()


def kinds(operation, message="Words."):
    """Return one of the call's declared errors for each kind, where the pool says it in those words."""
    meant = {error: errors.TRANSLATIONS[error](message) for error in declared_errors(operation)}
    return list({(type(meant), getattr(meant, "action", "")): error for error, meant in meant.items()}.values())


def table(*operations, message="Words."):
    return [(name, error) for name in operations for error in kinds(name, message)]


def each_once():
    """Return every error at one call, and of every call those errors that it may be repeated after."""
    declared = [(name, error) for name in CONTEXT for error in dict.fromkeys(declared_errors(name))]
    once = {error: (name, error) for name, error in declared}
    repeated = [case for case in declared if case[1] in AGAIN or case[1] == BROKEN]
    return [*dict.fromkeys([*once.values(), *repeated]), ("initiate_auth", UNKNOWN)]


def times_called(operation, error):
    """How often a call is made that fails in this way every time."""
    safe = client.SAFE_TO_REPEAT.fullmatch(operation) is not None
    return client.ATTEMPTS if error in AGAIN or (error == BROKEN and safe) else 1


def status_of(error):
    return 500 if error == BROKEN else 400


def test_these_are_all_the_calls_that_the_backend_makes():
    named = {
        node.value
        for path in [*(ROOT / "trusted_devices/cognito").glob("*.py"), ROOT / "trusted_devices/owners/pool.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in operations()
    }
    assert named == set(CONTEXT)


def test_every_declared_error_has_a_line_in_the_table():
    assert {error for name in CONTEXT for error in declared_errors(name)} <= set(errors.TRANSLATIONS)


@pytest.mark.parametrize(("operation", "error"), each_once())
def test_every_error_has_a_word_of_this_app(pool, operation, error):
    calls = times_called(operation, error)
    pool.refuses(operation, error, "Some words.", status=status_of(error), times=calls)
    members = service().operation_model(operations()[operation]).input_shape.members
    where = {"UserPoolId": POOL} if "UserPoolId" in members else {}
    with pytest.raises(TrustedDevicesError) as raised:
        client.PoolClient(pool.options).call(operation, **where, **CONTEXT[operation])
    assert isinstance(raised.value, EXPECTED.get(error, BackendUnavailable))
    assert "Some words" not in str(raised.value)
    pool.is_done()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Incorrect username or password.", InvalidCredentials),
        ("User is disabled.", InvalidCredentials),
        ("Password attempts exceeded", TooManyAttempts),
        ("User account has expired, it must be reset by an administrator.", ActionRequired),
        ("Temporary password has expired and must be reset by an administrator.", ActionRequired),
        ("Invalid session for the user, session is expired.", SignInExpired),
        ("Invalid Refresh Token.", SignInExpired),
        ("Access Token has been revoked", SignInExpired),
        ("Unable to verify secret hash for client 1example23456789", BackendUnavailable),
    ],
)
def test_not_authorized_is_told_apart_by_its_words(pool, message, expected):
    pool.refuses("initiate_auth", "NotAuthorizedException", message)
    with pytest.raises(expected):
        client.PoolClient(pool.options).call("initiate_auth", **CONTEXT["initiate_auth"])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Device does not exist.", DeviceNotFound),
        ("User does not exist.", errors.UserNotFound),
        ("User pool client 1example23456789 does not exist.", BackendUnavailable),
    ],
)
def test_what_is_not_found_is_told_apart_by_its_words(pool, message, expected):
    pool.refuses("admin_get_user", "ResourceNotFoundException", message)
    with pytest.raises(expected):
        client.PoolClient(pool.options).call("admin_get_user", UserPoolId=POOL, Username="maria")


def test_a_code_that_has_been_used_is_told_apart_by_its_words(pool, browser):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge())
    pool.answers("admin_get_user", {"Username": "maria", "UserAttributes": [{"Name": "sub", "Value": SUB}]})
    browser.http.post(reverse("trusted_devices:sign_in"), FORM)
    words = "Your software token has already been used once."
    pool.refuses("respond_to_auth_challenge", "ExpiredCodeException", words)
    sees(browser.code("123456"), (400, "This code has been used. Wait for the next one."))
    pool.answers("respond_to_auth_challenge", pool.signed_in())
    assert at(browser.code("654321")) == "sign_in_trust"
    pool.is_done()


def told_of_the_password(error):
    if error == "PasswordResetRequiredException":
        return 403, "Your password must be reset before you can sign in."
    if error == "UserNotConfirmedException":
        return 403, "Your account must be confirmed before you can sign in."
    if error in ("NotAuthorizedException", "UserNotFoundException", "UserLambdaValidationException"):
        return NO_MATCH
    return UNAVAILABLE


def sees(response, expected):
    page = response.content.decode().replace("&#x27;", "'")
    assert (response.status_code, expected[1] in page) == (expected[0], True), page


@pytest.mark.parametrize(("operation", "error"), table("initiate_auth", "admin_initiate_auth"))
def test_whatever_keeps_a_sign_in_from_beginning_is_said_on_its_page(pool, browser, settings, operation, error):
    flow = "ADMIN_USER_PASSWORD_AUTH" if operation.startswith("admin_") else "USER_SRP_AUTH"
    pool.close()
    settings.TRUSTED_DEVICES = stubbed_settings(AUTH_FLOW=flow)
    pool = StubbedPool()
    try:
        if flow.startswith("ADMIN"):
            pool.answers("admin_get_user", pool.record())
        pool.refuses(operation, error, "Words.", status=status_of(error), times=times_called(operation, error))
        sees(browser.http.post(reverse("trusted_devices:sign_in"), FORM), told_of_the_password(error))
        pool.is_done()
    finally:
        pool.close()
    assert not browser.is_signed_in


FORM = {"username": "maria", "password": "correct horse battery"}


@pytest.mark.parametrize("error", kinds("respond_to_auth_challenge"))
def test_whatever_is_said_against_the_password_s_proof_is_said_on_its_page(pool, browser, error):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.refuses(
        "respond_to_auth_challenge",
        error,
        "Words.",
        status=status_of(error),
        times=times_called("respond_to_auth_challenge", error),
    )
    sees(browser.http.post(reverse("trusted_devices:sign_in"), FORM), told_of_the_password(error))
    assert not browser.is_signed_in
    pool.is_done()


def up_to_the_code(pool, browser, challenge="SOFTWARE_TOKEN_MFA", **parameters):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge(challenge, **parameters))
    assert at(browser.http.post(reverse("trusted_devices:sign_in"), FORM)) == "sign_in_code"


@pytest.mark.parametrize("error", [*kinds("respond_to_auth_challenge"), "TooManyFailedAttemptsException"])
def test_whatever_is_said_against_a_code_leads_on(pool, browser, maria, error):
    up_to_the_code(pool, browser)
    pool.refuses(
        "respond_to_auth_challenge",
        error,
        "Words.",
        status=status_of(error),
        times=times_called("respond_to_auth_challenge", error),
    )
    response = browser.code("123456")
    assert not browser.is_signed_in
    expected = {
        "CodeMismatchException": (400, "This code is wrong or has been used."),
        "PasswordResetRequiredException": (403, "Your password must be reset before you can sign in."),
        "UserNotConfirmedException": (403, "Your account must be confirmed before you can sign in."),
        "TooManyFailedAttemptsException": (429, "Too many wrong codes."),
    }
    if error in START_AGAIN:
        assert at(response) == "sign_in"
        page = browser.http.get(response.url).content.decode()
        assert "Please start again." in page
    else:
        sees(response, expected.get(error, UNAVAILABLE))
    pool.is_done()


@pytest.mark.parametrize("error", kinds("respond_to_auth_challenge"))
def test_whatever_is_said_against_a_choice_of_factor_leads_on(pool, browser, maria, error):
    up_to_the_code(pool, browser, "SELECT_MFA_TYPE", MFAS_CAN_CHOOSE='["SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]')
    calls = times_called("respond_to_auth_challenge", error)
    pool.refuses("respond_to_auth_challenge", error, "Words.", status=status_of(error), times=calls)
    response = browser.choose("EMAIL_OTP")
    assert response.status_code in (302, 400)
    page = browser.http.get(response.url).content.decode() if response.status_code == 302 else response.content.decode()
    assert any(words in page for words in ("Please start again.", UNAVAILABLE[1], "Choose one of those below."))
    assert not browser.is_signed_in
    pool.is_done()


def up_to_the_question(pool, browser):
    up_to_the_code(pool, browser)
    pool.answers("respond_to_auth_challenge", pool.signed_in())
    assert at(browser.code("123456")) == "sign_in_trust"


@pytest.mark.parametrize("error", kinds("confirm_device"))
def test_a_device_that_cannot_be_confirmed_is_not_trusted_and_keeps_nobody_out(pool, browser, maria, error):
    up_to_the_question(pool, browser)
    pool.refuses(
        "confirm_device", error, "Words.", status=status_of(error), times=times_called("confirm_device", error)
    )
    if error == BROKEN:
        pool.refuses("admin_forget_device", "ResourceNotFoundException", "Device does not exist.")
    response = browser.trust()
    assert at(response) == "home"
    assert not Device.objects.exists()
    if error == "DeviceKeyExistsException":
        assert not browser.is_signed_in  # the tab that confirmed it is
    else:
        assert browser.is_signed_in
        says(pool, browser, "could not be marked as trusted")
    pool.is_done()


@pytest.mark.parametrize("error", kinds("update_device_status"))
def test_a_device_that_cannot_be_remembered_is_forgotten_there_and_here(pool, browser, maria, error):
    up_to_the_question(pool, browser)
    pool.answers("confirm_device", {"UserConfirmationNecessary": True})
    calls = times_called("update_device_status", error)
    pool.refuses("update_device_status", error, "Words.", status=status_of(error), times=calls)
    pool.answers("admin_forget_device")
    assert at(browser.trust()) == "home"
    assert browser.is_signed_in
    assert not Device.objects.exists()
    says(pool, browser, "could not be marked as trusted")
    pool.is_done()


def says(pool, browser, words):
    """The next page, that of somebody without devices, has the message."""
    pool.answers("admin_get_user", {"Username": "maria", "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"]})
    assert words in browser.http.get(reverse("trusted_devices:devices")).content.decode()


def test_the_list_of_devices_is_there_while_the_pool_is_not(pool, browser, maria):
    browser.http.force_login(maria, backend="django.contrib.auth.backends.ModelBackend")
    pool.refuses("admin_get_user", "TooManyRequestsException", times=client.ATTEMPTS)
    response = browser.http.get(reverse("trusted_devices:devices"))
    assert response.status_code == 200
    assert "Your devices" in response.content.decode()
    pool.is_done()


@pytest.mark.parametrize(
    ("operation", "error"), table("admin_update_device_status", "admin_forget_device", message=GONE)
)
def test_what_staff_cannot_do_in_the_pool_is_not_done_here(pool, device, operation, error):
    calls = times_called(operation, error)
    pool.refuses(operation, error, GONE, status=status_of(error), times=calls)
    stop = operation == "admin_update_device_status"

    def act():
        if stop:
            devices.stop_trusting([device], reason="staff_stopped", by=By())
        else:
            devices.forget([device], by=By())

    if error in ("ResourceNotFoundException", "UserNotFoundException"):
        act()  # what the pool does not know it does not remember
        assert not Device.objects.remembered().exists()
    else:
        with pytest.raises(BackendUnavailable):
            act()
        assert Device.objects.remembered().get() == device
        assert not DeviceEvent.objects.exists()
    pool.is_done()


@pytest.mark.parametrize("error", kinds("admin_list_devices"))
def test_devices_that_cannot_be_listed_are_left_as_they_are(pool, device, error):
    calls = times_called("admin_list_devices", error)
    if error in AGAIN or error == BROKEN:
        calls = budget.ATTEMPTS  # each at the cost of a turn
    pool.refuses("admin_list_devices", error, "Words.", status=status_of(error), times=calls)
    now = timezone.now()
    assert list(comparison.compare(since=now, now=now)) == []
    assert Device.objects.remembered().get() == device
    assert CognitoUser.objects.get().synced_at is None
    pool.is_done()


@pytest.mark.parametrize("error", kinds("get_tokens_from_refresh_token"))
def test_tokens_that_cannot_be_refreshed_mean_signing_in_again_or_later(pool, error):
    calls = times_called("get_tokens_from_refresh_token", error)
    pool.refuses("get_tokens_from_refresh_token", error, "Words.", status=status_of(error), times=calls)
    record = {"access": "a", "identity": "i", "refresh": "r", "expires_at": int(time.time()), "device_key": DEVICE_KEY}
    kept = {session.SESSION_KEY: session._KEPT.seal(record)}
    before = dict(kept)
    later = EXPECTED.get(error) is None
    with pytest.raises(BackendUnavailable if later else SignInExpired):
        session.get_tokens(kept)
    assert kept == before
    pool.is_done()


@pytest.mark.parametrize(
    ("operation", "error"), table("describe_user_pool", "describe_user_pool_client", "get_user_pool_mfa_config")
)
def test_a_pool_that_cannot_be_asked_how_it_is_set_up_is_a_warning(pool, operation, error):
    asked = ["describe_user_pool", "describe_user_pool_client", "get_user_pool_mfa_config"]
    answers = {
        "describe_user_pool": {"UserPool": {}},
        "describe_user_pool_client": {"UserPoolClient": {}},
    }
    for name in asked[: asked.index(operation)]:
        pool.answers(name, answers[name])
    pool.refuses(operation, error, "Words.", status=status_of(error), times=times_called(operation, error))
    (found,) = checks.check_pool()
    assert (type(found), found.id) == (CheckWarning, "trusted_devices_cognito.W010")
    pool.is_done()


@pytest.mark.parametrize("error", kinds("admin_get_user"))
def test_a_stranger_whose_record_cannot_be_read_is_not_let_in(pool, browser, error):
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge())
    pool.refuses(
        "admin_get_user", error, "Words.", status=status_of(error), times=times_called("admin_get_user", error)
    )
    response = browser.http.post(reverse("trusted_devices:sign_in"), FORM)
    sees(response, NO_MATCH if error == "UserNotFoundException" else UNAVAILABLE)
    assert not browser.is_signed_in
    assert not get_user_model().objects.exists()
    pool.is_done()


def test_a_device_that_goes_during_its_proof_is_forgotten_and_mfa_is_asked(pool, browser, maria):
    trusts_the_device(pool, browser, "maria", SUB, DEVICE_KEY)
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge("DEVICE_SRP_AUTH"))
    pool.refuses("respond_to_auth_challenge", "ResourceNotFoundException", "Device does not exist.")
    pool.refuses("admin_forget_device", "ResourceNotFoundException", "Device does not exist.")
    up_to_the_code(pool, browser)
    assert not Device.objects.exists()
    assert not DeviceEvent.objects.filter(action="trust_refused", reason="proof_failed").exists()


@pytest.mark.parametrize("send", [True, False])
@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH"])
def test_the_pool_is_told_the_user_s_address_only_where_the_site_says_so(
    pool,
    browser,
    maria,
    settings,
    monkeypatch,
    flow,
    send,
):
    settings.TRUSTED_DEVICES = stubbed_settings(AUTH_FLOW=flow, SEND_IP_ADDRESS=send)
    told = []

    def listen(self, operation, params):
        if operation == "admin_get_user":
            return pool.record()
        context = params.get("ContextData" if operation.startswith("admin_") else "UserContextData", {})
        told.append(context.get("IpAddress", ""))
        return pool.challenge() if operation == "admin_initiate_auth" or len(told) > 1 else pool.half_of_srp()

    monkeypatch.setattr(client.PoolClient, "_once", listen)
    assert at(browser.http.post(reverse("trusted_devices:sign_in"), FORM)) == "sign_in_code"
    assert set(told) == {"127.0.0.1" if send else ""}


def test_a_device_that_is_gone_counts_as_stopped_but_cannot_be_remembered(pool, device):
    owner = PoolOwner()
    for _ in range(2):
        pool.refuses("admin_update_device_status", "ResourceNotFoundException", GONE)
    owner.update_device_status(device, DeviceStatus.NOT_REMEMBERED)
    with pytest.raises(DeviceNotFound):
        owner.update_device_status(device, DeviceStatus.REMEMBERED)


def test_errors_are_logged_by_name_and_never_with_their_words(pool, caplog):
    pool.refuses("initiate_auth", "InvalidParameterException", "Missing maria@example.com")
    with pytest.raises(BackendUnavailable):
        client.PoolClient(pool.options).call("initiate_auth", **CONTEXT["initiate_auth"])
    assert "initiate_auth: the user pool answered InvalidParameterException." in caplog.text
    assert "maria" not in caplog.text
