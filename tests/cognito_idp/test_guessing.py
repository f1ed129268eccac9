"""What limits guessing over the wire: the endpoint's own count, and whatever protects the site's sign-in."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.cognito_idp.factories import SECRET, make_client, make_pool
from tests.cognito_idp.wire import App, Refused, totp_code
from trusted_devices.cognito_idp.models import FailedAttempts, UserPoolClient
from trusted_devices.models import DeviceEvent

LIMIT = 4
EXCEEDED = "NotAuthorizedException: Password attempts exceeded"
INCORRECT = "NotAuthorizedException: Incorrect username or password."
WRITES = ("INSERT", "UPDATE", "DELETE")
NOW = datetime(2026, 1, 6, 12, tzinfo=UTC)


@pytest.fixture
def guarded(settings):
    """A site with django-axes: four wrong ones from an address close the door for 15 minutes."""
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = LIMIT
    settings.AXES_COOLOFF_TIME = timedelta(minutes=15)
    settings.AXES_LOCKOUT_PARAMETERS = ["ip_address"]
    return settings


@pytest.fixture
def clock():
    """A clock that stands still."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def believe_forwarded(settings, believed):
    """Say whether servers name their users' addresses; another dict each time, or it would outlast the test."""
    given = settings.TRUSTED_DEVICES
    endpoint = {**given["COGNITO_IDP"], "FORWARDED_FOR": believed}
    settings.TRUSTED_DEVICES = {**given, "COGNITO_IDP": endpoint}


def said(call):
    """The error that a call is answered with."""
    with pytest.raises(Refused) as refused:
        call()
    return f"{refused.value.name}: {refused.value.message}"


def password_of(app, username, password="wrong"):
    app.username, app.password = username, password
    return app.password_sign_in


def srp_of(app, username, password="wrong"):
    app.username, app.password = username, password
    return app.srp_sign_in


@pytest.mark.parametrize("guess", [password_of, srp_of])
def test_names_guessed_at_from_one_address_close_the_door_there(guarded, clock, app, srp_user, guess):
    for number in range(LIMIT):
        assert said(guess(app, f"nobody {number}")) == INCORRECT
    assert said(guess(app, "nobody at all")) == said(guess(app, "maria", "correct horse")) == EXCEEDED
    app.wire.headers = {}
    app.wire.http.defaults["REMOTE_ADDR"] = "198.51.100.9"
    assert "AuthenticationResult" in guess(app, "maria", "correct horse")()


def test_wrong_codes_count_and_a_closed_door_looks_at_no_code(guarded, clock, mfa_app, totp):
    session = mfa_app.password_sign_in()["Session"]
    for _time in range(LIMIT):
        clock.shift(timedelta(seconds=20))
        assert "CodeMismatch" in said(
            lambda: mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE="000000")
        )
    code = totp_code(totp)
    right = lambda: mfa_app.respond("SOFTWARE_TOKEN_MFA", session, SOFTWARE_TOKEN_MFA_CODE=code)  # noqa: E731
    assert said(right) == EXCEEDED
    guarded.AXES_ENABLED = False
    assert "AuthenticationResult" in right()


def test_a_closed_door_looks_at_no_code_of_an_app_that_is_set_up(guarded, clock, app, user):
    app.sign_in()
    app.wire.call("AssociateSoftwareToken", AccessToken=app.access_token)
    for number in range(LIMIT):
        said(password_of(app, f"nobody {number}"))
    params = {"AccessToken": app.access_token, "UserCode": totp_code(TOTPDevice.objects.get())}
    assert said(lambda: app.wire.call("VerifySoftwareToken", **params)) == EXCEEDED
    guarded.AXES_ENABLED = False
    assert app.wire.call("VerifySoftwareToken", **params) == {"Status": "SUCCESS"}


def through_server(admin, app, username, password="wrong", *, forwarded="", **context):
    """A sign-in that a server with an access key makes for one of its users."""
    admin.wire.headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    common = {"UserPoolId": app.pool.pool_id, "ClientId": app.client.client_id}
    if context:
        common["ContextData"] = {"ServerName": "shop", "ServerPath": "/", "HttpHeaders": [], **context}
    parameters = {"USERNAME": username, "PASSWORD": password}
    flow = "ADMIN_USER_PASSWORD_AUTH"
    return lambda: admin.call("AdminInitiateAuth", **common, AuthFlow=flow, AuthParameters=parameters)


def test_guesses_through_one_server_close_no_door_for_others_behind_it(guarded, clock, admin, app, other_user):
    for _time in range(LIMIT):
        assert said(through_server(admin, app, "tom")) == INCORRECT
    for number in range(3 * LIMIT):
        assert said(through_server(admin, app, f"nobody {number}")) == INCORRECT
    assert said(through_server(admin, app, "tom", "battery staple")) == EXCEEDED
    assert "AuthenticationResult" in through_server(admin, app, "maria", "correct horse")()
    assert "AuthenticationResult" in app.password_sign_in()


def test_a_server_with_a_client_secret_shares_its_address_with_nobody(guarded, clock, wire, secret_client, user):
    app = App(wire, secret_client, "maria", "correct horse", secret=SECRET)
    for number in range(3 * LIMIT):
        assert said(password_of(app, f"nobody {number}")) == INCORRECT
    assert "AuthenticationResult" in password_of(app, "maria", "correct horse")()


@pytest.mark.parametrize("how", ["IpAddress", "X-Forwarded-For"])
def test_guesses_count_by_the_address_that_a_server_names(guarded, clock, admin, app, how):
    believe_forwarded(guarded, how != "IpAddress")

    def sign_in_from(address, *credentials):
        named = {"IpAddress": address} if how == "IpAddress" else {"forwarded": f"{address}, 192.0.2.1"}
        return through_server(admin, app, *credentials, **named)

    for number in range(LIMIT):
        assert said(sign_in_from("198.51.100.7", f"nobody {number}")) == INCORRECT
    assert said(sign_in_from("198.51.100.7", "maria", "correct horse")) == EXCEEDED
    assert "AuthenticationResult" in sign_in_from("198.51.100.8", "maria", "correct horse")()
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"198.51.100.7"}


def test_a_forwarded_address_is_believed_only_as_configured(guarded, clock, admin, app):
    for number in range(LIMIT + 1):
        assert said(through_server(admin, app, f"nobody {number}", forwarded="198.51.100.7")) == INCORRECT
    assert not AccessAttempt.objects.filter(ip_address="198.51.100.7").exists()


def test_an_address_is_read_from_nowhere_else_once_a_server_named_it(guarded, clock, admin, app):
    guarded.AXES_CLIENT_IP_CALLABLE = lambda request: request.META["REMOTE_HOST"]
    admin.wire.http.defaults["REMOTE_HOST"] = "192.0.2.1"
    said(through_server(admin, app, "nobody", IpAddress="198.51.100.7"))
    assert AccessAttempt.objects.get().ip_address == "198.51.100.7"


def test_another_case_of_a_name_is_no_other_name(guarded, clock, admin, app):
    for username in ("nobody", "NOBODY", "Nobody", "nOBODY"):
        assert said(through_server(admin, app, username)) == INCORRECT
    assert said(through_server(admin, app, "noBody")) == EXCEEDED
    guarded.AXES_ENABLED = False
    assert said(password_of(app, "nobodY")) == INCORRECT
    assert said(password_of(app, "NoBoDy")) == EXCEEDED


def test_what_is_no_address_is_as_none(guarded, clock, admin, app):
    for address in ("unknown", "1.2.3", "::1%" + "x" * 300, "127.0.0.1:80"):
        assert said(through_server(admin, app, "nobody", IpAddress=address)) == INCORRECT


def test_who_is_no_server_names_no_address(guarded, clock, app):
    believe_forwarded(guarded, True)
    for number in range(LIMIT + 1):
        app.wire.headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        answer = said(password_of(app, f"nobody {number}"))
    assert answer == EXCEEDED


def test_the_middleware_of_the_guard_answers_in_nobodys_place(guarded, clock, app):
    guarded.MIDDLEWARE = [*guarded.MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    for number in range(LIMIT):
        assert said(password_of(app, f"nobody {number}")) == INCORRECT
    assert said(password_of(app, "maria", "correct horse")) == EXCEEDED


def test_names_are_as_long_as_guessing_protection_takes(guarded, clock, app):
    assert said(password_of(app, "x" * 255)) == INCORRECT
    for flow in (app.password_sign_in, app.srp_sign_in):
        app.username = "x" * 256
        assert said(flow).startswith("InvalidParameterException: 1 validation error detected: Value at 'username'")


def test_guesses_count_for_all_pools_together(clock, app, srp_user):
    other = App(app.wire, make_client(make_pool()), "maria", "wrong")
    for number in range(5):
        guess = password_of if number % 2 else srp_of
        assert said(guess(app if number % 2 else other, "maria")) == INCORRECT
    assert said(password_of(app, "maria", "correct horse")) == EXCEEDED
    clock.shift(timedelta(seconds=1))
    assert "AuthenticationResult" in app.password_sign_in()


def test_what_says_nothing_of_the_guess_does_not_count(clock, app, srp_user):
    app.device_key = "us-east-1_00000000-0000-4000-8000-000000000000"
    for _time in range(7):
        assert "Device does not exist." in said(app.srp_sign_in)
    app.device_key = None
    UserPoolClient.objects.update(prevent_user_existence_errors=False)
    for _time in range(7):
        assert "UserNotFoundException" in said(password_of(app, "nobody"))
    get_user_model().objects.update(is_active=False)
    for _time in range(7):
        assert "User is disabled." in said(password_of(app, "maria", "correct horse"))
    assert not FailedAttempts.objects.filter(failures__gt=0).exists()


@pytest.mark.parametrize("guess", [password_of, srp_of])
def test_invented_names_leave_no_entry_and_cost_as_many_writes(clock, app, srp_user, guess):
    counted = []
    for username in ("maria", "nobody"):
        call = guess(app, username)
        with CaptureQueriesContext(connection) as queries:
            assert said(call) == INCORRECT
        counted.append([words[0] for query in queries if (words := query["sql"].split())[0] in WRITES])
    assert counted[0] == counted[1]
    assert DeviceEvent.objects.get().user == srp_user
