"""Clearing what is of no use any more."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.broken_database import interrupted
from tests.cognito_idp.wire import Refused
from trusted_devices.cognito_idp import housekeeping, signing, tasks
from trusted_devices.cognito_idp.models import FailedAttempts, PendingDeviceProof, RefreshToken, SigningKey, SpentToken


def test_what_has_expired_goes_and_the_rest_stays(mfa_app, totp, srp_user):
    mfa_app.remembered_device(totp)
    mfa_app.password_sign_in()
    mfa_app.username = "nobody"
    with pytest.raises(Refused):
        mfa_app.password_sign_in()
    kept = (SpentToken, PendingDeviceProof, FailedAttempts, RefreshToken)
    assert all(model.objects.count() == 1 for model in kept)
    assert sum(housekeeping.clear_expired(now=timezone.now())) == 0
    signing.rotate(mfa_app.pool, now=timezone.now())
    later = timezone.now() + timedelta(hours=1)
    assert sum(housekeeping.clear_expired(now=later)) == 3
    assert RefreshToken.objects.count() == 1
    assert SigningKey.objects.count() == 4
    assert sum(housekeeping.clear_expired(now=later + timedelta(days=31), batch_size=1)) == 3
    assert not any(model.objects.exists() for model in kept)
    assert SigningKey.objects.count() == 2


def test_a_revoked_sign_in_is_told_apart_for_a_day(app):
    app.sign_in()
    RefreshToken.objects.update(revoked_at=datetime.now(UTC) - timedelta(hours=23))
    call_command("clear_cognito_idp", verbosity=0)
    assert RefreshToken.objects.exists()
    RefreshToken.objects.update(revoked_at=datetime.now(UTC) - timedelta(hours=25))
    assert tasks.clear_cognito_idp() == {"deleted": 1}
    assert not RefreshToken.objects.exists()


@pytest.mark.django_db
def test_the_command_says_how_much_it_deleted(capsys):
    call_command("clear_cognito_idp")
    assert capsys.readouterr().out == "Rows deleted: 0\n"
    assert tasks.beat_schedule().keys() == {"trusted_devices.cognito_idp.tasks.clear_cognito_idp"}


@pytest.mark.django_db
def test_a_run_that_is_cut_short_leaves_the_rest_to_the_next(monkeypatch):
    old = datetime(2026, 1, 6, tzinfo=UTC)
    for number in range(3):
        SpentToken.objects.create(digest=str(number), expires_at=old)
        FailedAttempts.objects.create(digest=str(number), last_failed_at=old)
    batches = housekeeping.clear_expired(now=timezone.now(), batch_size=1)
    assert [next(batches), next(batches)] == [1, 1]
    assert (SpentToken.objects.count(), FailedAttempts.objects.count()) == (2, 2)
    monkeypatch.setattr(tasks, "RUN_SECONDS", 0)
    assert tasks.clear_cognito_idp(batch_size=1) == {"deleted": 1}
    monkeypatch.undo()
    assert tasks.clear_cognito_idp(batch_size=2) == {"deleted": 3}


@pytest.mark.django_db
def test_a_count_that_goes_on_as_it_is_deleted_stays():
    FailedAttempts.objects.create(digest="x", failures=7, last_failed_at=datetime(2026, 1, 6, tzinfo=UTC))
    now = timezone.now()
    with interrupted("^DELETE", lambda: FailedAttempts.objects.update(last_failed_at=now)):
        assert sum(housekeeping.clear_expired(now=now)) == 0
    assert FailedAttempts.objects.get().failures == 7
