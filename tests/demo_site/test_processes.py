"""The supervisor: several programs that end as one, run as a program of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo_site.processes import Supervisor
from tests.demo_site.conftest import ROOT

DEADLINE = 20

SUPERVISED = """
import os, sys, time
name, folder = sys.argv[1:]
if os.fork() == 0:
    name += "-child"
open(f"{folder}/{name}.tmp", "w").write(str(os.getpid()))
os.rename(f"{folder}/{name}.tmp", f"{folder}/{name}.pid")
time.sleep(600)
"""

SUPERVISOR = """
import os, sys
from pathlib import Path
from demo_site.processes import ProcessEnded, Program, StopRequested, Supervisor
folder, script = map(Path, sys.argv[1:])
try:
    with Supervisor(os.environ, folder) as supervisor:
        for name in ("one", "two"):
            command = [sys.executable, str(script), name, str(folder)]
            supervisor.start(Program(name=name, command=command, log=folder / f"{name}.log"))
        supervisor.watch()
except StopRequested:
    print("stopped")
except ProcessEnded as ended:
    print(ended.name, ended.returncode)
"""
NAMES = ("one", "one-child", "two", "two-child")


def is_running(pid):
    """Return whether the process exists and is more than an entry waiting for its parent to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {DEADLINE} seconds"
        time.sleep(0.02)


class Running:
    """A supervisor with two programs, each of which has a child."""

    def __init__(self, folder):
        script = folder / "supervised.py"
        script.write_text(SUPERVISED)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(folder), str(script)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        files = [folder / f"{name}.pid" for name in NAMES]
        wait_for(lambda: all(file.exists() for file in files), "starting")
        self.pids = {name: int(file.read_text()) for name, file in zip(NAMES, files, strict=True)}

    def all_gone(self):
        return not any(map(is_running, self.pids.values()))

    def output(self):
        output, _ = self.process.communicate(timeout=DEADLINE)
        return output.strip()


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.process.kill()
    running.process.communicate()
    for pid in running.pids.values():
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to look for processes")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_the_programs_and_what_they_started(running, signum):
    running.process.send_signal(signum)
    assert running.output() == "stopped"
    assert running.all_gone()


def test_when_one_program_ends_the_others_end_and_it_is_named(running):
    os.kill(running.pids["two"], signal.SIGKILL)
    assert running.output() == "two -9"
    assert running.all_gone()


def test_an_impatient_second_ctrl_c_leaves_nobody_behind(running):
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGINT)
    assert running.output() == "stopped"
    assert running.all_gone()


def test_waiting_for_what_does_not_happen_ends_after_the_time_given(tmp_path):
    assert Supervisor({}, tmp_path).wait_until(lambda: False, timeout=0.05) is False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_the_programs_end_even_if_the_supervisor_is_killed(running):
    running.process.kill()
    wait_for(lambda: not is_running(running.pids["one"]) and not is_running(running.pids["two"]), "ending")
