"""``manage.py prune_device_events``."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests import factories
from trusted_devices.models import DeviceEvent
from trusted_devices.services import sessions
from trusted_devices.types import EventAction

DAY = timedelta(days=1)


@pytest.fixture
def log(user, settings):
    """One entry a day for 40 days, of which 30 days are kept."""
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "EVENT_RETENTION": 30 * DAY}
    now = timezone.now() - timedelta(minutes=1)
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=now - age * DAY) for age in range(40)
    )


def oldest_in_days():
    return (timezone.now() - DeviceEvent.objects.order_by("created_at")[0].created_at).days


def test_it_deletes_what_has_been_kept_long_enough_and_nothing_else(log, capsys):
    call_command("prune_device_events", "--batch-size", "3")
    assert (DeviceEvent.objects.count(), oldest_in_days()) == (30, 29)
    assert capsys.readouterr().out == "Entries deleted: 10; notes of ended sessions: 0; devices: 0\n"


def test_a_dry_run_counts_and_changes_nothing(log, capsys):
    call_command("prune_device_events", "--dry-run")
    assert DeviceEvent.objects.count() == 40
    assert capsys.readouterr().out == "Entries to delete: 10; devices: 0\n"


def test_another_number_of_days_can_be_kept_for_once(log, capsys):
    call_command("prune_device_events", "--keep-days", "7", "--verbosity", "0")
    assert (DeviceEvent.objects.count(), oldest_in_days()) == (7, 6)
    assert capsys.readouterr() == ("", "")


def test_notes_of_sessions_that_ended_go_with_the_log(user):
    long_ago = timezone.now() - timedelta(days=400)
    [device] = factories.store_due(user, 1, now=long_ago)
    sessions.attach(device=device, session_key="ended-long-ago", now=long_ago)
    call_command("prune_device_events", "--verbosity", "0")
    assert sessions.count([device]) == 0


@pytest.mark.parametrize("argument", ["--keep-days=0", "--keep-days=-3", "--keep-days=36501", "--batch-size=no"])
def test_a_number_that_makes_no_sense_is_refused(log, argument):
    with pytest.raises(CommandError, match="is not a whole number from 1 to"):
        call_command("prune_device_events", argument)
    assert DeviceEvent.objects.count() == 40
