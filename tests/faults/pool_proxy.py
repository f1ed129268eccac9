"""A proxy between this site and its pool, which breaks what it is told to break."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PREFIX = "AWSCognitoIdentityProviderService."
THROTTLED = b'{"__type":"TooManyRequestsException","message":"Too many requests"}'
BROKEN = b'{"__type":"InternalErrorException","message":"Something went wrong"}'

FAULTS = {
    "reset": "the connection is cut before the pool hears of it",
    "lost answer": "the pool does it, and the connection is cut before it can say so",
    "silence": "nothing comes back until the caller has had enough",
    "throttled": "TooManyRequestsException",
    "500": "InternalErrorException",
    "502": "a page of a gateway",
    "held answer": "the pool does it, and the caller waits for an answer that never comes",
    "truncated": "half of the answer, after the pool did it",
    "no object": "a JSON list",
    "empty": "an object without members",
    "html": "a page with status 200",
    "slow": "the answer comes late, though in time",
}
SLOW_SECONDS = 0.2
JSON, HTML = "application/x-amz-json-1.1", "text/html"
ANSWERS = {
    "throttled": (400, JSON, THROTTLED),
    "500": (500, JSON, BROKEN),
    "502": (502, HTML, b"<html>Bad gateway</html>"),
    "no object": (200, JSON, b"[1, 2]"),
    "empty": (200, JSON, b"{}"),
    "html": (200, HTML, b"<html>Welcome to this hotel's network</html>"),
}


@dataclass
class PoolProxy:
    """Forwards to ``upstream``. ``faults`` maps a step (``*``: any) to the fault that befalls it.

    A step is called what the pool is asked for: an operation, the challenge that is answered by
    ``RespondToAuthChallenge``, or ``JWKS``, the pool's keys. ``seen`` are all of them in order, ``met`` those that a
    fault befell. While an answer is slow, ``meanwhile`` is done.
    """

    upstream: str
    url: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    holding: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def breaks(self, step, fault, *, times=10_000):
        """Let ``fault`` befall that step the next times."""
        self.faults[step], self.left[step] = fault, times

    def heals(self):
        """Everything works again."""
        self.faults.clear()

    def starts_afresh(self):
        """Forget what was, and let go of whatever waits."""
        self.over.set()
        self.heals()
        self.seen, self.met, self.meanwhile = [], [], lambda: None
        self.holding, self.over = threading.Event(), threading.Event()

    def fault_for(self, step):
        self.seen.append(step)
        for name in (step, "*"):
            if name in self.faults and self.left[name] > 0:
                self.left[name] -= 1
                self.met.append(step)
                return self.faults[name]
        return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self):
        self._meet("JWKS", b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = self.headers.get("X-Amz-Target", "").removeprefix(PREFIX)
        self._meet(json.loads(body).get("ChallengeName") or operation, body)

    def _meet(self, step, body):
        proxy = self.server.proxy
        fault = proxy.fault_for(step)
        if fault == "reset":
            self._cut()
        elif fault == "silence":
            proxy.over.wait(10)
            self._cut()
        elif fault in ANSWERS:
            self._answer(*ANSWERS[fault])
        else:
            status, answer = self._forward(proxy, body)
            if fault == "slow":
                proxy.meanwhile()
                proxy.over.wait(SLOW_SECONDS)
            if fault == "held answer":
                proxy.holding.set()
                proxy.over.wait(60)
            if fault in ("lost answer", "held answer"):
                self._cut()
            else:
                self._answer(status, JSON, answer, cut=fault == "truncated")

    def _forward(self, proxy, body):
        there = urlsplit(proxy.upstream)
        connection = http.client.HTTPConnection(there.netloc, timeout=20)
        try:
            # With the headers as they came, Host included: it is signed.
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _answer(self, status, content_type, body, *, cut=False):
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._cut()

    def _cut(self):
        # Closing without lingering sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args):
        pass


@contextmanager
def running_proxy(upstream):
    """Run a proxy in front of ``upstream``, a URL without a path."""
    proxy = PoolProxy(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.proxy = proxy
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
