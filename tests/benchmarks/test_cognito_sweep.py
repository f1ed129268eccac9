"""The simulation of the sweep's backlog on Amazon Cognito."""

import pytest

from benchmarks.cognito_sweep import falling_due, main, simulate


def test_as_many_fall_due_a_day_as_the_period_says():
    assert sum(falling_due(6_000_000, 60)) == pytest.approx(100_000)


def test_a_budget_above_the_busiest_minute_leaves_no_backlog():
    report = simulate(1_000_000, 5)
    assert (report.most_due, report.longest_wait, report.left) == (0, 0, 0)
    assert report.clears


def test_a_budget_above_the_mean_clears_every_night_what_the_day_has_left():
    report = simulate(100_000_000, 20)
    assert report.clears
    assert report.most_due > 100_000
    assert 1 < report.longest_wait < 24


def test_a_budget_below_the_mean_falls_behind_by_the_difference_every_day():
    short, long = simulate(100_000_000, 5, days=2), simulate(100_000_000, 5, days=4)
    assert not long.clears
    assert long.left - short.left == pytest.approx(2 * (100_000_000 / 60 - 5 * 86_400), rel=0.01)


def test_the_command_reports_every_size_at_every_budget(capsys):
    main(["--devices", "1000000", "100000000", "--writes", "5", "25"])
    said = capsys.readouterr().out
    assert said.count("writes a second") == 4
    assert "100,000,000 devices: 1,666,667 fall due a day, 19.29 a second on average" in said
    assert "never catches up" in said
