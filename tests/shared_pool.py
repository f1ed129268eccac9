"""A user pool in a process of its own, which the tests of a worker share."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from urllib.request import Request, urlopen

import pytest

from tests.shared_database import ROOT
from trusted_devices.cognito import client


@dataclass
class Process:
    """The pool's process, and its back door."""

    port: int
    common_pool: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def endpoint(self):
        return f"{self.url}/cognito-idp"

    def act(self, name, **params):
        request = Request(f"{self.url}/back-door/{name}", json.dumps(params).encode(), method="POST")
        with urlopen(request, timeout=20) as response:
            return json.load(response)


@pytest.fixture(scope="session")
def pool_process(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("pool")
    client._session.cache_clear()
    environ = os.environ | {"POOL_PORT": str(port), "POOL_DATABASE": str(folder / "db.sqlite3")}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.cognito.pool"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert server.stdout.readline() == "ready\n", (folder / "log").read_text()
            process = Process(port)
            process.common_pool = process.act("new_pool")
            yield process
        finally:
            server.stdin.close()
            server.wait(20)
            server.stdout.close()
