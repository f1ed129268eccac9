"""``manage.py expire_devices``."""

from __future__ import annotations

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


def test_without_a_terminal_it_reports_in_at_most_ten_plain_lines(due, capsys):
    call_command("expire_devices", "--batch-size", "1")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == ("3 of 25 devices", "25 of 25 devices")


def test_on_a_terminal_it_draws_a_bar(due, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    call_command("expire_devices", "--batch-size", "10", "--force-color")
    drawn = capsys.readouterr().err
    assert drawn.startswith("\r[############                  ] 10 of 25 devices\r[")
    assert drawn.endswith(f"\r[{'#' * 30}] 25 of 25 devices\n")


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
