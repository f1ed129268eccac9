"""``manage.py expire_devices``."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests import factories
from trusted_devices.models import Device

DUE = 25


@pytest.fixture
def due(user):
    return factories.store_due(user, DUE, now=timezone.now() - timedelta(minutes=1))


def remembered():
    return Device.objects.remembered().count()


def test_it_flips_what_is_due_and_says_how_many(due, capsys):
    call_command("expire_devices")
    assert remembered() == 0
    assert capsys.readouterr().out == "Devices made not remembered: 25\n"


def test_a_dry_run_counts_and_changes_nothing(due, capsys):
    call_command("expire_devices", "--dry-run")
    assert remembered() == DUE
    assert capsys.readouterr().out == "Devices due: 25\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_it_reports_in_at_most_ten_plain_lines(due, capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    call_command("expire_devices", "--batch-size", "1", *(["--force-color"] if terminal else []))
    said = capsys.readouterr().err
    lines = said.splitlines()
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == ("3 of 25 devices", "25 of 25 devices")
    assert "\x1b" not in said


def test_it_can_be_silent(due, capsys):
    call_command("expire_devices", "--verbosity", "0")
    assert remembered() == 0
    assert capsys.readouterr() == ("", "")


def test_with_nothing_due_it_says_so(db, capsys):
    call_command("expire_devices")
    assert capsys.readouterr() == ("Devices made not remembered: 0\n", "")


@pytest.mark.parametrize("size", ["0", "-1", "10001", "1e3", "٣", "", "ten", "1" * 5000])
def test_a_batch_size_that_makes_no_sense_is_refused_before_anything_is_done(due, size):
    with pytest.raises(CommandError, match="batch-size"):
        call_command("expire_devices", f"--batch-size={size}")
    assert remembered() == DUE
