"""The demo as a visitor starts it, on a free port and with all its files in a folder of its own, and its people.

Browser tests see the site only from outside: through the browser, and through ``manage.py``. Nothing of Django's runs
in their own process, so Playwright's event loop disturbs nobody.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

from django_otp.oath import hotp

from tests.demo_site.conftest import ROOT, demo_environ, free_port

PATIENCE = 90
"""Seconds after which something that should have come is not coming any more."""
STEP = 30
LATEST = 10
"""Seconds within which a code is typed."""

ADD_PEOPLE = """
import json, secrets
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
password = make_password("correct horse")
people = []
for number in range({count}):
    username = f"person-{{number}}-{{secrets.token_hex(3)}}"
    user = get_user_model().objects.create(username=username, password=password, email=username + "@example.com")
    key = secrets.token_hex(20)
    TOTPDevice.objects.create(user=user, name="phone", key=key)
    EmailDevice.objects.create(user=user, name="mail")
    StaticDevice.objects.create(user=user, name="codes").token_set.create(token="abcd2345")
    people.append({{"username": username, "key": key}})
print(json.dumps(people))
"""


@dataclass
class Person:
    """Somebody with a password, an authenticator, codes by e-mail and the recovery code "abcd2345"."""

    username: str
    key: bytes
    password: str = "correct horse"
    last_step: int = 0

    def code(self):
        """Return a code that has not been used. Up to three are at hand at once: a step early or late is accepted."""
        step = max(int(time.time() + LATEST) // STEP - 1, self.last_step + 1)
        while step > int(time.time()) // STEP + 1:
            time.sleep(0.5)  # the authenticator shows no other code yet
        self.last_step = step
        return str(hotp(self.key, step)).zfill(6)


class RunningDemo:
    """A running ``manage.py demo``, and what its project says beside it. To be closed."""

    def __init__(self, folder, port, environ=None):
        self.folder = folder
        self.environ = demo_environ(folder) | (environ or {})
        self.url = f"http://127.0.0.1:{port}"
        self._inside = None

    def run(self, code):
        """Run Python code inside the demo's project; return what it printed."""
        if self._inside is None:
            self._inside = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.inside"],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self._inside.stdin.write(json.dumps(code) + "\n")
        self._inside.stdin.flush()
        answer = json.loads(self._inside.stdout.readline())
        assert "failure" not in answer, answer["failure"]
        return answer["printed"]

    def expect_soon(self, code, printed):
        """Run ``code`` until it prints what is expected; beat and worker run on their own time."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.run(code).strip()) != printed:
            assert time.monotonic() < deadline, f"{code} prints {found!r}, not {printed!r}"
            time.sleep(0.2)

    def close(self):
        """Run no more code."""
        if self._inside is not None:
            self._inside.communicate(timeout=PATIENCE)

    def add_people(self, count):
        """Return new people, whom nobody has signed in as yet."""
        added = json.loads(self.run(ADD_PEOPLE.format(count=count)))
        return [Person(person["username"], bytes.fromhex(person["key"])) for person in added]

    def seeded(self):
        """Return the demo's own people by user name."""
        code = (
            "import json; from django_otp.plugins.otp_totp.models import TOTPDevice;"
            "print(json.dumps({d.user.get_username(): d.key for d in TOTPDevice.objects.select_related('user')}))"
        )
        keys = json.loads(self.run(code))
        return {name: Person(name, bytes.fromhex(key), f"{name}-demo") for name, key in keys.items()}

    def move_dates(self, person, days):
        """Let ``days`` pass for the devices of ``person``."""
        self.run(
            "from datetime import timedelta; from django.db.models import F; from trusted_devices.models import Device;"
            f"ago = timedelta(days={days});"
            f"Device.objects.filter(user__username={person.username!r}).update("
            "trust_granted_at=F('trust_granted_at') - ago, trust_expires_at=F('trust_expires_at') - ago,"
            "last_authenticated_at=F('last_authenticated_at') - ago, created_at=F('created_at') - ago)"
        )


@contextmanager
def running_demo(folder, environ=None):
    """Start the demo with its files in ``folder``; end it, and all that it started, afterwards."""
    port = free_port()
    output = folder / "demo.out"
    demo = RunningDemo(folder, port, environ)
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(port)],
            cwd=ROOT,
            env=demo.environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while "The demo is ready" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, f"The demo did not start within {PATIENCE} seconds."
            time.sleep(0.1)
        yield demo
    finally:
        demo.close()
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
