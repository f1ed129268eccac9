"""Copies of the tree in which tests run again and again, and ``python -m tests.mutants.bench``, which runs them."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any, NoReturn

import coverage
import pytest

from tests.mutants.guards import PACKAGE, Mutant

LEFT_OUT_MARKERS = ("browser", "clients", "mariadb", "node", "postgres", "redis")
"""What marks tests that need a program or a server that is not everywhere."""
PYTEST = ["-q", "--assert=plain", "--no-header", "--tb=line", "-p", "no:randomly", "-p", "no:cacheprovider"]
NAP = 0.02
LOADED_BEFOREHAND = ("boto3", "cryptography.x509", "django.db.models", "django.test", "hypothesis.strategies")


class Bench:
    """A copy of the tree, and in it a process that has loaded what tests need apart from the package itself."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.tree = folder / "tree"
        self._work = folder
        for name in _files(root):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.tree / name)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.bench"],
            cwd=self.tree,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self) -> None:
        """Wait until everything is loaded; before that, the copy must not change."""
        self._process.stdout.readline()

    def ask(self, act: str, **job: Any) -> dict[str, Any]:
        """Have tests run; return what came of it."""
        job |= {"act": act, "folder": str(self._work)}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """Let the copy be the mutant for a while."""
        file = self.tree / mutant.path
        source, times = file.read_text(), file.stat()
        # What is compiled is known by its time and size only, and another mutant may have both.
        Path(cache_from_source(str(file))).unlink(missing_ok=True)
        file.write_text(mutant.apply(source))
        try:
            yield
        finally:
            file.write_text(source)
            os.utime(file, (times.st_atime, times.st_mtime))

    def log(self) -> str:
        """Return the end of what the last run printed."""
        return (self._work / "log").read_text(errors="replace")[-3000:]

    def elsewhere(self) -> list[Path]:
        """Return the files that say what ran in processes that tests started."""
        return [file for file in self._work.glob("elsewhere.*") if file.suffix != ".ini"]

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self._process.terminate()

    def close(self) -> None:
        """End the process once it has answered."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _files(root: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def serve() -> None:
    """Run tests as standard input asks, each time in a fork of this process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    for name in LOADED_BEFOREHAND:
        import_module(name)
    for folder in (PACKAGE, "tests"):
        compileall.compile_dir(folder, quiet=2)
    print("ready", flush=True)  # noqa: T201 - from now on the tree may change
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_forked(job)), flush=True)  # noqa: T201 - the answer


def _forked(job: dict[str, Any]) -> dict[str, Any]:
    result = Path(job["folder"], "result.json")
    result.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_the_child(job, result)
    try:
        in_time = _ended(child, job.get("timeout"))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    # Examples that disproved one mutant must not be tried first on another.
    shutil.rmtree(".hypothesis", ignore_errors=True)
    if not in_time:
        return {"by": "time-out"}
    return json.loads(result.read_text()) if result.exists() else {"by": "crash"}


def _in_the_child(job: dict[str, Any], result: Path) -> NoReturn:
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with Path(job["folder"], "log").open("w") as log, Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        result.write_text(json.dumps(_measure(job) if job["act"] == "measure" else _judge(job)))
    except BaseException:  # noqa: BLE001 - the child of a fork must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def _ended(child: int, seconds: float | None) -> bool:
    """Wait for a child so long; end it if need be, first in a way that lets it end what it started.

    Naps are counted rather than time: they grow longer under load, and nobody naps while everything is stopped.
    """
    limits = [(seconds, signal.SIGINT), (seconds + 10, signal.SIGKILL)] if seconds else []
    naps = 0
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(NAP)
        naps += 1
        if limits and naps * NAP > limits[0][0]:
            os.kill(child, limits.pop(0)[1])
    return not seconds or naps * NAP <= seconds


class _Notes:
    """Notes what each test takes, and which tests have to do with processes that tests start."""

    def __init__(self, measure: coverage.Coverage, moment: Path) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.fixtures: dict[str, list[str]] = {}
        self.starters: set[str] = set()
        self._measure = measure
        self._moment = moment
        self._at_work = [""]
        self._popen = subprocess.Popen.__init__

    def watch(self) -> None:
        """See every process that is started from now on."""
        notes = self

        def init(self: Any, args: Any, *others: Any, **options: Any) -> None:
            if sys.executable in (args if isinstance(args, list | tuple) else [args]):
                notes.starters.add(notes._at_work[-1])
            notes._popen(self, args, *others, **options)

        subprocess.Popen.__init__ = init

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self.fixtures[item.nodeid] = list(getattr(item, "fixturenames", ()))
        self._measure.switch_context(item.nodeid)
        self._moment.write_text(item.nodeid)
        self._at_work.append(item.nodeid)
        try:
            return (yield)
        finally:
            self._at_work.pop()
            self._measure.switch_context("")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        self._at_work.append(fixturedef.argname)
        try:
            return (yield)
        finally:
            self._at_work.pop()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            self.skipped.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def found(self) -> dict[str, Any]:
        """Return what is known at the end, of the tests that can be asked."""
        usable = self.seconds.keys() - self.failed - self.skipped
        starting = [test for test in usable if self.starters & {test, *self.fixtures[test]}]
        seconds = {test: round(self.seconds[test], 4) for test in sorted(usable)}
        return {"seconds": seconds, "failed": sorted(self.failed), "starting": sorted(starting)}


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    """Run whole test files and note what each test runs."""
    folder, moment = Path(job["folder"]), Path(job["folder"], "moment")
    moment.write_text("")
    plugin = "tests.mutants.elsewhere"
    run = f"source = {PACKAGE}\nrelative_files = true\nparallel = true\ndata_file = {folder / 'elsewhere'}"
    config = f"[run]\n{run}\nplugins = {plugin}\n[{plugin}]\nfile = {moment}\n"
    (folder / "elsewhere.ini").write_text(config)
    os.environ |= {"COVERAGE_PROCESS_START": str(folder / "elsewhere.ini"), "PYTHONPATH": str(Path.cwd())}
    measure = coverage.Coverage(data_file=job["data"], source=[PACKAGE], config_file=False)
    measure.set_option("run:relative_files", True)
    notes = _Notes(measure, moment)
    notes.watch()
    measure.start()
    markers = " and ".join(f"not {name}" for name in LEFT_OUT_MARKERS)
    # What a test has left unclosed would otherwise end the run, and its notes with it.
    pytest.main([*PYTEST, "-p", "no:unraisableexception", "-m", markers, *job["files"]], plugins=[notes])
    measure.stop()
    measure.save()
    return notes.found()


class _Jury:
    """Runs some of the tests of a file, in a certain order, and notes who failed."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.failed: list[str] = []
        self.missing = dict.fromkeys(tests)
        self._position = {test: number for number, test in enumerate(tests)}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, Any, Any]:
        items[:] = [item for item in items if item.nodeid in self._position]
        items.sort(key=lambda item: self._position[item.nodeid])
        for item in items:
            self.missing.pop(item.nodeid, None)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def _judge(job: dict[str, Any]) -> dict[str, Any]:
    """Run some tests, until one fails or to the end."""
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    jury = _Jury(job["tests"])
    files = list(dict.fromkeys(test.partition("::")[0] for test in job["tests"]))
    status = pytest.main([*PYTEST, *(["-x"] if job["first"] else []), *files], plugins=[jury])
    by = jury.failed[0] if jury.failed else ""
    if not by and status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        by = "loading"
    return {"by": by, "failed": jury.failed, "missing": list(jury.missing)}


if __name__ == "__main__":
    serve()
