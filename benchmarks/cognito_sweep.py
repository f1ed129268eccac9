"""``python -m benchmarks.cognito_sweep``: how far behind the sweep falls on Amazon Cognito, by devices and by budget.

A simulation, minute by minute, of trust that ends at the times of day at which people sign in, and of a sweep that
makes so many devices a second not remembered, oldest first. Trust itself ends on its date whatever this says: the
backlog is how late the *status* says so. Nothing else is installed or running for it.
"""

from __future__ import annotations

import argparse
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DEVICES = (1_000_000, 10_000_000, 100_000_000)
BUDGETS = (5.0, 10.0, 20.0, 25.0)
"""Writes a second: the default, twice as much, and what leaves little or nothing of Amazon's 25 to anybody else."""
PERIOD_DAYS = 60
DAYS = 14
MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one simulation: devices due, and hours for which the oldest has been."""

    devices: int
    budget: float
    due_a_day: float
    most_due: int
    longest_wait: float
    left: int
    clears: bool

    @property
    def sentence(self) -> str:
        """Return what the figures mean."""
        if not self.clears:
            return f"never catches up: {self.left:,} due after the last day, and more every day"
        if self.most_due < self.budget * 60:
            return "keeps up all day"
        return f"at most {self.most_due:,} due, the oldest for {self.longest_wait:.1f} hours; caught up every day"


def falling_due(devices: int, period_days: float) -> Iterator[float]:
    """Yield how many devices fall due in each minute of a day: most at noon, few at midnight."""
    mean = devices / period_days / MINUTES_A_DAY
    for minute in range(MINUTES_A_DAY):
        yield mean * (1 - 0.9 * math.cos(2 * math.pi * minute / MINUTES_A_DAY))


def simulate(devices: int, budget: float, *, period_days: float = PERIOD_DAYS, days: int = DAYS) -> Report:
    """Return how a sweep with that budget (writes a second) fares from a night without a backlog on."""
    profile = list(falling_due(devices, period_days))
    waiting: deque[tuple[int, float]] = deque()
    due = most = longest = 0.0
    for minute in range(days * MINUTES_A_DAY):
        fresh = profile[minute % MINUTES_A_DAY]
        waiting.append((minute, fresh))
        due += fresh
        spend = budget * 60
        while waiting and spend > 0:
            since, many = waiting[0]
            done = min(many, spend)
            spend, due = spend - done, due - done
            longest = max(longest, minute - since)
            if done == many:
                waiting.popleft()
            else:
                waiting[0] = (since, many - done)
        most = max(most, due)
    if waiting:
        longest = max(longest, days * MINUTES_A_DAY - waiting[0][0])
    a_day = devices / period_days
    return Report(
        devices=devices,
        budget=budget,
        due_a_day=a_day,
        most_due=round(most),
        longest_wait=longest / 60,
        left=round(due),
        clears=a_day <= budget * MINUTES_A_DAY * 60,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for every number of devices and every budget."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, nargs="+", default=DEVICES, help="remembered devices in the pool")
    parser.add_argument("--writes", type=float, nargs="+", default=BUDGETS, help="WRITES_PER_SECOND")
    parser.add_argument("--period", type=float, default=PERIOD_DAYS, help="days for which people trust a device")
    given = parser.parse_args(arguments)
    print(f"Trust for {given.period:g} days, {DAYS} days simulated.")
    for devices in given.devices:
        needed = devices / given.period / 86_400
        print(f"\n{devices:,} devices: {devices / given.period:,.0f} fall due a day, {needed:.2f} a second on average")
        for budget in given.writes:
            print(f"  {budget:>4g} writes a second: {simulate(devices, budget, period_days=given.period).sentence}")


if __name__ == "__main__":
    main()
