"""``manage.py end_trust``."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from tests import factories
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import sessions

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE_THE_THIRD = ("end_trust", "--before", "2026-01-03T00:00:00Z")


@pytest.fixture
def theirs(user, other_user):
    """A device each of maria and tom for which trust was given on days one to four of January."""
    return Device.objects.bulk_create(
        factories.remembered(owner, expires_at=FIRST + factories.PERIOD + timedelta(days=day))
        for owner in (user, other_user)
        for day in range(4)
    )


def granted():
    return sorted({device.trust_granted_at.day for device in Device.objects.remembered()})


def test_trust_given_before_a_moment_ends_with_its_sessions(theirs, client, capsys):
    client.session.save()
    sessions.attach(device=theirs[0], session_key=client.session.session_key, now=FIRST)
    call_command(*BEFORE_THE_THIRD, "--yes", "--note", "Backup restored")
    assert granted() == [3, 4]
    assert capsys.readouterr().out == "Devices not trusted any more: 4\n"
    assert not DeviceSession.objects.exists()
    logged = DeviceEvent.objects.values_list("action", "reason", "note").distinct()
    assert list(logged) == [("not_remembered", "staff_stopped", "Backup restored")]


def test_nothing_ends_without_a_yes_a_moment_or_in_a_dry_run(theirs, capsys):
    call_command(*BEFORE_THE_THIRD, "--dry-run")
    assert capsys.readouterr().out == "Devices to stop trusting: 4 (users: 2, live sessions: 0)\n"
    for arguments in (BEFORE_THE_THIRD, ("end_trust", "--yes"), ("end_trust", "--before", "yesterday", "--yes")):
        with pytest.raises(CommandError):
            call_command(*arguments)
    assert granted() == [1, 2, 3, 4]
