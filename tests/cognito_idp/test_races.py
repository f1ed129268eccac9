"""Two requests at the same moment with what is good for once."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.signals import user_login_failed
from django.db import OperationalError, transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.broken_database import interrupted
from tests.cognito_idp.factories import make_client, make_pool
from tests.cognito_idp.wire import App, Refused, Wire, totp_code
from tests.shared_database import at_once
from trusted_devices.cognito_idp import accounts, attempts
from trusted_devices.cognito_idp.models import PoolUser, RefreshToken, UserPool, UserPoolClient
from trusted_devices.crypto.srp import ClientSession
from trusted_devices.models import Device

TRIES = 4


@pytest.fixture(autouse=True)
def _shared_database(shared_database):
    """Before anything is stored."""


def copies(app):
    """As many apps with connections of their own."""
    return [
        App(Wire(), app.client, app.username, app.password, "", app.device_key, app.group_key, app.device, app.tokens)
        for _try in range(TRIES)
    ]


def count(outcomes, wanted):
    return sum(isinstance(outcome, wanted) for outcome in outcomes)


def test_a_secret_block_signs_in_once(app, srp_user):
    session = ClientSession.start()
    challenge = app.initiate("USER_SRP_AUTH", USERNAME="maria", SRP_A=session.srp_a)["ChallengeParameters"]
    claim = app.claim(session, challenge)
    outcomes = at_once(*[lambda each=each: each.respond("PASSWORD_VERIFIER", **claim) for each in copies(app)])
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1)
    assert RefreshToken.objects.count() == 1


def test_a_recorded_first_factor_begins_one_proof(mfa_app, totp):
    mfa_app.remembered_device(totp)
    mfa_app.password_sign_in()
    step = {"DEVICE_KEY": mfa_app.device_key, "SRP_A": ClientSession.start().srp_a}
    outcomes = at_once(*[lambda each=each: each.respond("DEVICE_SRP_AUTH", **step) for each in copies(mfa_app)])
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1)


def test_a_device_is_confirmed_once(app):
    app.sign_in()
    outcomes = at_once(*[lambda each=each: each.confirm() for each in copies(app)])
    assert (count(outcomes, bool), count(outcomes, Refused)) == (1, TRIES - 1)
    assert Device.objects.count() == 1


def test_a_refresh_token_rotates_once(app):
    UserPool.objects.update(tracking="off")
    UserPoolClient.objects.update(rotate_refresh_tokens=True)
    app.sign_in()
    outcomes = at_once(
        *[
            lambda each=each: each.wire.call(
                "GetTokensFromRefreshToken", ClientId=each.client.client_id, RefreshToken=app.tokens["RefreshToken"]
            )
            for each in copies(app)
        ]
    )
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1)
    assert RefreshToken.objects.get().generation == 1


def refusals(outcomes):
    return {outcome.message for outcome in outcomes if isinstance(outcome, Refused)}


def new_passwords(apps, sessions):
    """Answer each session with a password of its own, all at once."""
    return at_once(
        *[
            lambda each=each, session=session, password=f"staple number {position}": each.respond(
                "NEW_PASSWORD_REQUIRED", session, NEW_PASSWORD=password
            )
            for position, (each, session) in enumerate(zip(apps, sessions, strict=True))
        ]
    )


def require_one_password(outcomes, user):
    """One answer set its password; the others set none, and signed nobody in."""
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1), outcomes
    winner = next(position for position, outcome in enumerate(outcomes) if isinstance(outcome, dict))
    user.refresh_from_db()
    assert user.check_password(f"staple number {winner}")
    assert RefreshToken.objects.get().revoked_at is None
    assert not PoolUser.objects.get().must_change_password


@pytest.fixture
def marked(app, user):
    """An app of a user who has to set a new password."""
    accounts.get_pool_user(app.pool, user)
    PoolUser.objects.update(must_change_password=True)
    return app


def test_a_session_sets_one_new_password(marked, user):
    session = marked.password_sign_in()["Session"]
    outcomes = new_passwords(copies(marked), [session] * TRIES)
    require_one_password(outcomes, user)
    assert refusals(outcomes) <= {
        "Invalid session for the user, session can only be used once.",
        "Invalid session for the user.",
    }


def test_of_several_sign_ins_that_wait_for_a_new_password_one_sets_it(marked, user):
    apps = copies(marked)
    outcomes = new_passwords(apps, [each.password_sign_in()["Session"] for each in apps])
    require_one_password(outcomes, user)
    assert refusals(outcomes) == {"Invalid session for the user."}


@pytest.mark.postgres
@pytest.mark.mariadb
def test_nobody_else_changes_a_user_whose_new_password_is_being_set(marked, user):
    session = marked.password_sign_in()["Session"]
    outcomes = []

    def take():
        with transaction.atomic():
            type(user).objects.select_for_update(nowait=True).get()

    # After the stored password was looked at, and before it is replaced.
    with interrupted("^UPDATE .trusted_devices_cognito_idp_pooluser", lambda: outcomes.extend(at_once(take))):
        marked.respond("NEW_PASSWORD_REQUIRED", session, NEW_PASSWORD="a much better staple")
    assert count(outcomes, OperationalError) == 1


def test_a_code_by_text_message_signs_in_once(app, user, texts):
    UserPool.objects.update(sms_mfa=True)
    pool_user = accounts.get_pool_user(app.pool, user)
    pool_user.phone_number, pool_user.mfa_enabled = "+491701234567", {"SMS_MFA": True}
    pool_user.save()
    session = app.password_sign_in()["Session"]
    code = texts[-1][1][-7:-1]
    outcomes = at_once(*[lambda each=each: each.respond("SMS_MFA", session, SMS_MFA_CODE=code) for each in copies(app)])
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1)
    assert RefreshToken.objects.count() == 1


def test_of_forty_guesses_at_once_no_more_are_looked_at_than_one_by_one(app):
    looked_at = []

    def note(credentials, **_arguments):
        looked_at.append(credentials)

    user_login_failed.connect(note)
    app.password = "wrong"
    apps = [App(Wire(), app.client, app.username, app.password) for _guess in range(40)]
    with time_machine.travel(datetime(2026, 1, 6, tzinfo=UTC), tick=False):
        outcomes = at_once(*[each.password_sign_in for each in apps])
    assert count(outcomes, Refused) == 40, outcomes
    assert len(looked_at) == attempts.FREE
    assert refusals(outcomes) == {"Incorrect username or password.", "Password attempts exceeded"}


def test_of_set_ups_that_began_without_a_factor_one_is_stored(user):
    apps = [App(Wire(), make_client(make_pool(mfa="ON")), "maria", "correct horse") for _try in range(TRIES)]
    begun = []
    for app in apps:
        session = app.wire.call("AssociateSoftwareToken", Session=app.password_sign_in()["Session"])["Session"]
        begun.append((app, session, totp_code(TOTPDevice.objects.latest("pk"))))
    outcomes = at_once(
        *[
            lambda app=app, session=session, code=code: app.wire.call(
                "VerifySoftwareToken", Session=session, UserCode=code
            )
            for app, session, code in begun
        ]
    )
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1), outcomes
    assert TOTPDevice.objects.filter(confirmed=True).count() == 1
    assert "Invalid session for the user, a second factor was set up meanwhile. Sign in again with it." in refusals(
        outcomes
    )


def test_a_first_code_is_taken_once(app, user):
    app.sign_in()
    app.wire.call("AssociateSoftwareToken", AccessToken=app.access_token)
    params = {"AccessToken": app.access_token, "UserCode": totp_code(TOTPDevice.objects.get())}
    outcomes = at_once(*[lambda each=each: each.wire.call("VerifySoftwareToken", **params) for each in copies(app)])
    assert (count(outcomes, dict), count(outcomes, Refused)) == (1, TRIES - 1), outcomes
    assert TOTPDevice.objects.filter(confirmed=True).count() == 1
