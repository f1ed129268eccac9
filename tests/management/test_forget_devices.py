"""``manage.py forget_devices``."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests import factories
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import sessions


@pytest.fixture
def theirs(user, other_user, now):
    """Five devices of maria and three of tom, granted trust on days one to five of January."""
    first = datetime(2026, 1, 1, tzinfo=UTC) + factories.PERIOD
    return Device.objects.bulk_create(
        factories.remembered(owner, expires_at=first + timedelta(days=day))
        for owner, days in ((user, 5), (other_user, 3))
        for day in range(days)
    )


class Terminal(StringIO):
    """Standard input with somebody in front of it."""

    def isatty(self):
        return True


def left(user):
    return Device.objects.of(user).count()


def test_a_users_devices_are_forgotten_with_a_reason_and_nobody_elses(theirs, user, other_user, capsys):
    call_command("forget_devices", "--user", "maria", "--note", "Laptop stolen")
    assert (left(user), left(other_user)) == (0, 3)
    assert capsys.readouterr().out == "Devices forgotten: 5\n"
    logged = DeviceEvent.objects.values_list("action", "user", "actor", "note").distinct()
    assert list(logged) == [("forgotten", user.pk, None, "Laptop stolen")]


def test_the_sessions_of_a_forgotten_device_end(theirs, client, now):
    session = client.session
    session["cart"] = "full"
    session.save()
    sessions.attach(device=theirs[0], session_key=session.session_key, now=now)
    call_command("forget_devices", "--device-key", theirs[0].device_key, "--verbosity", "0")
    assert not session.exists(session.session_key)
    assert Device.objects.count() == len(theirs) - 1


@pytest.mark.parametrize(
    ("since", "counts"),
    [
        ("2026-01-03T00:00:00Z", (2, 2)),
        ("2026-01-03T00:00:01Z", (3, 3)),
        ("2026-01-03", (2, 2)),
        ("2026-01-03T01:00:00+01:00", (2, 2)),
        ("2027-01-01", (5, 3)),
    ],
)
def test_everything_trusted_since_a_moment_is_forgotten(theirs, user, other_user, since, counts):
    call_command("forget_devices", "--all-users", "--since", since, "--yes")
    assert (left(user), left(other_user)) == counts


def test_a_dry_run_counts_and_changes_nothing(theirs, capsys):
    call_command("forget_devices", "--all-users", "--dry-run")
    assert Device.objects.count() == 8
    assert capsys.readouterr().out == "Devices to forget: 8 (users: 2, live sessions: 0)\n"


def test_all_users_need_a_yes_even_where_nobody_can_be_asked(theirs):
    with pytest.raises(CommandError, match=r"Devices of all users to forget: 8\. Add --yes"):
        call_command("forget_devices", "--all-users")
    assert Device.objects.count() == 8


@pytest.mark.parametrize("answer", ["y\n", "yes\n", " YES \n"])
def test_somebody_at_a_terminal_is_asked_and_may_agree(theirs, user, monkeypatch, capsys, answer):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    call_command("forget_devices", "--user", "maria")
    assert left(user) == 0
    assert "Devices to forget: 5. Forget them and sign out their sessions? [y/N]" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "yess\n"])
def test_any_other_answer_forgets_nothing(theirs, monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(CommandError, match="Nothing was forgotten"):
        call_command("forget_devices", "--user", "maria")
    assert Device.objects.count() == 8


def test_who_says_yes_beforehand_is_not_asked(theirs, user, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal())
    call_command("forget_devices", "--user", "maria", "--yes")
    assert left(user) == 0


def test_progress_is_reported_batch_by_batch(user, capsys, now):
    factories.store_trusted(user, 1200, now=now)
    call_command("forget_devices", "--user", "maria")
    assert left(user) == 0
    assert capsys.readouterr().err.splitlines() == [f"{done} of 1,200 devices" for done in ("500", "1,000", "1,200")]


def test_who_has_no_devices_is_no_error(user, capsys):
    call_command("forget_devices", "--user", "maria")
    assert capsys.readouterr().out == "Devices forgotten: 0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --user --all-users --device-key is required"),
        (["--user", "maria", "--all-users"], "not allowed with"),
        (["--user", "nobody"], "There is no user 'nobody'"),
        (["--user", ""], "There is no user ''"),
        (["--device-key", "local_nothing"], "There is no device 'local_nothing'"),
        (["--device-key", ""], "There is no device ''"),
        (["--all-users", "--since", "yesterday"], "'yesterday' is not a date and time"),
        (["--all-users", "--since", "2026-02-30"], "'2026-02-30' is not a date and time"),
        (["--all-users", "--since", "2026-01-01T25:00"], "is not a date and time"),
        (["--all-users", "--since", ""], "'' is not a date and time"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(theirs, arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("forget_devices", *arguments)
    assert Device.objects.count() == 8
