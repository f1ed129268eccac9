"""Which tests run what, and what they say of each mutant."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import coverage

from tests.mutants.bench import Bench
from tests.mutants.guards import Mutant

LEFT_OUT = (
    "bare_project",
    "benchmarks",
    "clients",
    "demo_site",
    "docs",
    "e2e",
    "faults",
    "test_mutants.py",
    "test_real_pool.py",
)
"""Folders and files under ``tests`` that are not run: slow for what they add, or not about the package's code."""
FIRST_TESTS = 40
FIRST_SECONDS = 15.0
"""What a mutant is given to before the many other tests, which take longer to collect."""
PATIENCE = 60.0
"""Seconds that a run of tests may take on top of three times what they took before."""

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass
class Measured:
    """What one run of all tests says of each."""

    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    starting: list[str] = field(default_factory=list)
    """Tests that start processes of their own, or that use what another has started."""
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """By file and line the tests that run it; an empty name is the loading of modules."""
    elsewhere: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """The same of those processes; an empty name is whatever was not done for a request."""

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that run the statement of a mutant, in the order in which they are asked."""
        names = _running(self.lines, mutant)
        if names == {""}:
            # What runs while modules are loaded concerns whoever uses the module.
            names = {name for found in self.lines[mutant.path].values() for name in found}
        others = _running(self.elsewhere, mutant)
        if others == {""}:
            others = set(self.starting)
        return self._in_order(names) + self._in_order(others - names)

    def _in_order(self, names: Iterable[str]) -> list[str]:
        """Return the quickest case of each test, then the second of each, and so on, the quickest first."""
        cases: dict[str, int] = defaultdict(int)
        order = []
        for test in sorted(set(names) & self.seconds.keys(), key=lambda test: (self.seconds[test], test)):
            function = test.partition("[")[0]
            order.append((cases[function], self.seconds[test], test))
            cases[function] += 1
        return [test for _, _, test in sorted(order)]


def _running(lines: dict[str, dict[int, list[str]]], mutant: Mutant) -> set[str]:
    statement = range(mutant.first, mutant.last + 1)
    return {name for number in statement for name in lines.get(mutant.path, {}).get(number, ())}


@dataclass
class Verdict:
    """What became of a mutant: ``by`` is the test that noticed it, or "loading", "time-out" or "crash", or nothing."""

    mutant: Mutant
    by: str = ""
    tests: int = 0
    """How many tests run its statement."""
    seconds: float = 0.0


def tell(line: str) -> None:
    """Say how it goes."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def measure(
    benches: Sequence[Bench], folder: Path, under: Sequence[str] = (), left_out: Iterable[str] = LEFT_OUT
) -> Measured:
    """Run all tests once, or those under some paths."""
    files = _test_files(benches[0].tree, under, set(left_out))
    count = min(4 * len(benches), len(files))
    jobs = [(str(folder / f"coverage.{number}"), files[number::count]) for number in range(count)]
    measured = Measured()

    def run(bench: Bench, job: tuple[str, list[str]]) -> None:
        found = bench.ask("measure", data=job[0], files=job[1])
        if "seconds" not in found:
            raise RuntimeError(bench.log())
        measured.seconds |= found["seconds"]
        measured.failed += found["failed"]
        measured.starting += found["starting"]
        tell(f"{len(measured.seconds)} tests have run")

    list(_dealt(benches, jobs, run))
    for data, _ in jobs:
        _add(measured.lines, data)
    for file in (file for bench in benches for file in bench.elsewhere()):
        _add(measured.elsewhere, str(file))
    return measured


def _test_files(tree: Path, under: Sequence[str], left_out: set[str]) -> list[str]:
    files = [file.relative_to(tree) for file in sorted((tree / "tests").rglob("test_*.py"))]
    kept = [file.as_posix() for file in files if not left_out.intersection(file.parts)]
    return [file for file in kept if file.startswith(tuple(under))] if under else kept


def _add(found: dict[str, dict[int, list[str]]], file: str) -> None:
    """Add what a file of coverage's says: by file and line the names of who ran it."""
    data = coverage.CoverageData(file)
    data.read()
    for path in data.measured_files():
        lines = found.setdefault(Path(path).as_posix(), {})
        for number, names in data.contexts_by_lineno(path).items():
            lines.setdefault(number, []).extend(names)


def _dealt(benches: Sequence[Bench], jobs: Iterable[Job], act: Callable[[Bench, Job], Result]) -> Iterator[Result]:
    """Do ``act`` with each job on whichever bench is free; yield what it returns in the order of the jobs."""
    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)

    def on_a_bench(job: Job) -> Result:
        bench = free.get()
        try:
            return act(bench, job)
        finally:
            free.put(bench)

    with ThreadPoolExecutor(len(benches)) as pool:
        try:
            yield from pool.map(on_a_bench, jobs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for bench in benches:
                bench.stop()
            raise


def judge_all(benches: Sequence[Bench], mutants: Sequence[Mutant], measured: Measured) -> list[Verdict]:
    """Return what became of each mutant, on the word of tests that do not fail without one."""
    barred: set[str] = set()

    def anew(bench: Bench, mutant: Mutant) -> Verdict:
        return judge(bench, mutant, measured, barred)

    verdicts = list(_dealt(benches, mutants, anew))
    while witnesses := sorted({verdict.by for verdict in verdicts} & measured.seconds.keys() - barred):
        answer = benches[0].ask("judge", tests=witnesses, first=False)
        if "failed" not in answer:
            raise RuntimeError(benches[0].log())
        unreliable = set(answer["failed"])
        if not unreliable:
            break
        tell(f"No witnesses, as they fail without a mutant: {sorted(unreliable)}")
        barred |= unreliable
        again = [number for number, verdict in enumerate(verdicts) if verdict.by in unreliable]
        doubtful = [verdicts[number].mutant for number in again]
        for number, verdict in zip(again, _dealt(benches, doubtful, anew), strict=True):
            verdicts[number] = verdict
    return verdicts


def judge(bench: Bench, mutant: Mutant, measured: Measured, barred: Iterable[str] = ()) -> Verdict:
    """Give a mutant to the tests that run its statement, but for those that are barred."""
    began = time.monotonic()
    tests = [test for test in measured.tests_of(mutant) if test not in barred]
    verdict = Verdict(mutant, tests=len(tests))
    with bench.changed(mutant):
        verdict.by = _noticed_by(bench, tests, measured)
    verdict.seconds = round(time.monotonic() - began, 1)
    tell(f"{verdict.seconds:6} s  {verdict.by or '-'}  {mutant.path}:{mutant.line}  {mutant.id}")
    return verdict


def _noticed_by(bench: Bench, tests: Sequence[str], measured: Measured) -> str:
    """Return what noticed that something is wrong; tests that wait for other processes are asked twice."""
    waiting = _parts(tests, measured)
    while waiting:
        part = waiting.pop(0)
        by = _asked(bench, part, measured)
        if by not in measured.starting or _asked(bench, [by], measured):
            if by:
                return by
        elif rest := [test for test in part if test != by]:
            waiting.insert(0, rest)
    return ""


def _asked(bench: Bench, tests: Sequence[str], measured: Measured) -> str:
    limit = 3 * sum(measured.seconds[test] for test in tests) + PATIENCE
    answer: dict[str, Any] = bench.ask("judge", tests=tests, first=True, timeout=limit)
    if answer.get("missing") and not answer["by"]:
        tell(f"With this mutant there are no such tests any more: {answer['missing']}")
    return str(answer["by"])


def _parts(tests: Sequence[str], measured: Measured) -> list[Sequence[str]]:
    """Return a few tests, then all others."""
    count, seconds = 0, 0.0
    for test in tests[:FIRST_TESTS]:
        seconds += measured.seconds[test]
        if count and seconds > FIRST_SECONDS:
            break
        count += 1
    return [part for part in (tests[:count], tests[count:]) if part]
