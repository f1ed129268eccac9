"""``python -m tests.mutants``: break guards of the package on purpose, a line at a time, and see what the tests notice.

A mutant is one change of one line inside a function: a test negated, a comparison moved to its neighbour, ``and`` for
``or``, a ``not`` dropped, a boolean flipped, a ``raise`` left out, a keyword of a query left out, a comparison of
digests that always agrees, ``+`` for ``-``. From each area the same number is taken, by a hash of the function's name
and of the line before and after: code that only moved to another file or line gives the same mutants again, so that
two states of the project can be compared.

All tests run once, with a note of the lines that each test runs. Then each mutant is given to the tests that run its
statement: first one case of each test, the quickest first, until one fails. A mutant counts as unnoticed only when all
of them have passed, and those that had the statement run by a process of their own. Tests that never end count as
noticing, and so does a package that cannot be loaded. Against chance, a test that has to do with other processes must
fail twice, and every test that noticed something runs once more on the unchanged code: what fails there is no witness.

The files of the project stay as they are: everything happens in copies in a temporary folder, one for each worker.
Left out are tests that need a browser, Node or a server, that drive other programs or the demo site, that wait for a
pool that does not answer, or that are about the documentation: see ``LEFT_OUT`` (``--also faults`` runs that folder
nevertheless) and ``LEFT_OUT_MARKERS``. Nothing is judged here: the exit status is 0 whatever was found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.bench import LEFT_OUT_MARKERS, Bench
from tests.mutants.guards import AREAS, PACKAGE, choose
from tests.mutants.trial import LEFT_OUT, Measured, Verdict, judge_all, measure

ROOT = Path(__file__).resolve().parents[2]
PER_AREA = 25


def table(verdicts: Sequence[Verdict], measured: Measured) -> str:
    """Return how many of each area were noticed, and those that were not."""
    rows = [("area", "mutants", "noticed", "unnoticed")]
    areas = dict.fromkeys(verdict.mutant.area for verdict in verdicts)
    groups = [(area, [verdict for verdict in verdicts if verdict.mutant.area == area]) for area in areas]
    for name, of in [*groups, ("all", verdicts)]:
        noticed = sum(bool(verdict.by) for verdict in of)
        rows.append((name, str(len(of)), str(noticed), str(len(of) - noticed)))
    lines = [f"{name:<16}{total:>9}{noticed:>9}{unnoticed:>11}" for name, total, noticed, unnoticed in rows]
    late = sum(verdict.by == "time-out" for verdict in verdicts)
    lines += ["", f"{late} of those noticed by nothing but a time-out. {len(measured.seconds)} tests could be asked."]
    lines += [f"Not asked, as it fails without a mutant: {test}" for test in measured.failed]
    lines += ["", "Unnoticed:"]
    for verdict in verdicts:
        if not verdict.by:
            mutant = verdict.mutant
            ran = f"{verdict.tests} tests run it" if verdict.tests else "no test runs it"
            lines.append(f"  {mutant.area}, {mutant.path}:{mutant.line}, {mutant.kind}, {ran}")
            lines.append(f"    {mutant.id}")
    return "\n".join(lines)


def as_json(verdicts: Sequence[Verdict], measured: Measured, options: argparse.Namespace) -> str:
    """Return the same for programs."""
    mutants = [
        {
            "area": verdict.mutant.area,
            "id": verdict.mutant.id,
            "file": verdict.mutant.path,
            "line": verdict.mutant.line,
            "kind": verdict.mutant.kind,
            "before": verdict.mutant.before,
            "after": verdict.mutant.after,
            "noticed": bool(verdict.by),
            "by": verdict.by,
            "tests": verdict.tests,
            "seconds": verdict.seconds,
        }
        for verdict in verdicts
    ]
    left_out = [name for name in (*LEFT_OUT, *LEFT_OUT_MARKERS) if name not in options.also]
    facts = {"seed": options.seed, "per_area": options.per_area, "left_out": left_out}
    facts |= {"tests": len(measured.seconds), "failed_before": measured.failed, "mutants": mutants}
    return json.dumps(facts, indent=1) + "\n"


def _digest(root: Path, options: argparse.Namespace) -> str:
    """Return what tells one state of the package and its tests from another, but for these files."""
    digest = hashlib.sha256(repr((options.tests, options.also)).encode())
    for folder in (PACKAGE, "tests"):
        for file in sorted((root / folder).rglob("*.py")):
            if Path(__file__).parent not in file.parents:
                digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _remembered(file: Path | None, digest: str) -> Measured | None:
    """Return what was measured earlier, if it was of the same files."""
    if file is None or not file.exists():
        return None
    kept = json.loads(file.read_text())
    if kept.pop("digest") != digest:
        return None
    for name in ("lines", "elsewhere"):
        kept[name] = {path: {int(line): tests for line, tests in of.items()} for path, of in kept[name].items()}
    return Measured(**kept)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as the command line says and print the table; progress goes to standard error."""
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=summary)
    parser.add_argument("--area", action="append", choices=AREAS, help="only this area; may be repeated")
    parser.add_argument("--per-area", type=int, default=PER_AREA, help="mutants of each area (default: %(default)s)")
    parser.add_argument("--tests", action="append", metavar="PATH", help="only tests under this; may be repeated")
    parser.add_argument("--also", action="append", choices=LEFT_OUT, default=[], help="run these tests nevertheless")
    parser.add_argument("--seed", default="1", help="another seed chooses other mutants (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="workers (default: one for each core)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there for programs, too")
    parser.add_argument("--measured", type=Path, metavar="FILE", help="keep there which test runs what, for next time")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args(arguments)
    mutants = choose(ROOT, options.area or AREAS, options.per_area, options.seed)
    if options.list:
        for mutant in mutants:
            sys.stdout.write(f"{mutant.area}, {mutant.path}:{mutant.line}, {mutant.id}\n")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        benches = [Bench(ROOT, folder / str(number)) for number in range(options.jobs)]
        try:
            for bench in benches:
                bench.begin()
            measured = _remembered(options.measured, digest := _digest(ROOT, options))
            if measured is None:
                measured = measure(benches, folder, options.tests or (), set(LEFT_OUT) - set(options.also))
                if options.measured:
                    options.measured.write_text(json.dumps(vars(measured) | {"digest": digest}))
            verdicts = judge_all(benches, mutants, measured)
        finally:
            for bench in benches:
                bench.close()
    if options.json:
        options.json.write_text(as_json(verdicts, measured, options))
    sys.stdout.write(table(verdicts, measured) + "\n")


if __name__ == "__main__":
    main()
