"""``manage.py demo`` from start to end: web server, worker and beat, and nothing left behind."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.core.management import CommandError, call_command

from demo_site.management.commands import demo as demo_command
from tests.demo_site.conftest import ROOT, demo_environ, free_port

DEADLINE = 90
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to look for processes")

MAKE_A_DUE_DEVICE = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from trusted_devices.models import Device
now = timezone.now()
before = now - timedelta(days=60)
Device.objects.create(
    user=get_user_model().objects.get(username="maria"), device_key="local_00000000-0000-4000-8000-000000000001",
    name="Laptop", status="remembered", confirmed_at=before, trust_granted_at=before,
    trust_expires_at=now - timedelta(seconds=1),
)
"""


def wait_for(look, what):
    deadline = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {DEADLINE} seconds"
        time.sleep(0.1)
    return found


class Demo:
    """A running ``manage.py demo``."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.output = folder / "demo.out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--port", str(self.port)],
                cwd=ROOT,
                env=demo_environ(folder),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def says(self, text):
        assert self.process.poll() is None or text in self.output.read_text(), self.output.read_text()
        return text in self.output.read_text()

    def processes(self):
        """Return the command lines of all living processes that belong to this demo, by process id."""
        mark = f"DEMO_DIR={self.folder}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def statuses(self):
        """Return the statuses of all devices, as another program sees them."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as connection:
            return [status for (status,) in connection.execute("SELECT status FROM trusted_devices_device")]

    def get(self, path):
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            return response.read().decode()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def demo_run(demo_folder, manage):
    assert manage("seed_demo").returncode == 0
    demo = Demo(demo_folder)
    yield demo
    demo.end()


def test_one_command_serves_sweeps_and_ends_everything_on_ctrl_c(demo_run, manage):
    made = manage("shell", "--no-imports", "--command", MAKE_A_DUE_DEVICE)
    assert made.returncode == 0, made.stderr
    wait_for(lambda: demo_run.says("The demo is ready"), "starting")
    assert "maria-demo" in demo_run.output.read_text()
    assert "maria-demo" in demo_run.get("/")
    assert ".td" in demo_run.get("/static/trusted_devices/trusted_devices.css")
    commands = " ".join(demo_run.processes().values())
    assert all(program in commands for program in ("gunicorn", "celery --app demo_site worker", "beat"))

    wait_for(lambda: demo_run.statuses() == ["not_remembered"], "the sweep by beat and worker")
    demo_run.process.send_signal(signal.SIGINT)
    assert demo_run.process.wait(DEADLINE) == 0
    assert "The demo has ended" in demo_run.output.read_text()
    assert demo_run.processes() == {}


def test_one_folder_serves_one_demo_which_ends_when_a_part_dies(demo_run, manage):
    wait_for(lambda: demo_run.says("The demo is ready"), "starting")
    second = manage("demo", "--port", str(free_port()))
    assert second.returncode == 1
    assert "A demo is running already" in second.stderr
    beat = next(pid for pid, command in demo_run.processes().items() if "demo_site beat" in command)
    os.kill(beat, signal.SIGKILL)
    assert demo_run.process.wait(DEADLINE) == 1
    assert "The beat process ended by itself (exit code -9), so the demo ends." in demo_run.output.read_text()
    assert demo_run.processes() == {}


def test_a_port_in_use_is_said_plainly_before_anything_starts(manage):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = manage("demo", "--port", str(port))
    assert result.returncode == 1
    assert f"Port {port} cannot be used" in result.stderr
    assert "PORT=8123 make demo" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_that_cannot_hold_the_demos_files_is_said_plainly(demo, tmp_path):
    demo.DEMO_DIR, demo.PORT = tmp_path, "8000"
    (tmp_path / "log").write_text("in the way")
    with pytest.raises(CommandError, match=r"cannot keep its files in .*log: File exists"):
        call_command(demo_command.Command(), "--port", str(free_port()))


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_is_none_is_refused(demo, port):
    demo.PORT = "8000"
    with pytest.raises(CommandError, match="from 1 to 65535"):
        call_command(demo_command.Command(), "--port", port)
