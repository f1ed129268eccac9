"""A mail server of a test, which answers, refuses or says nothing as it is told."""

import socketserver
from contextlib import contextmanager
from threading import Event, Thread


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps the mails that it takes in ``mails``, and how often somebody called in ``calls``.

    While ``speaks`` is not set, it accepts a call and never says a word. It refuses the first ``refusing`` calls, and
    hangs up on the first ``dropping`` mails without saying whether it has them.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Call)
        self.speaks = Event()
        self.mails = []
        self.calls = self.refusing = self.dropping = 0

    @property
    def port(self):
        """Where it listens."""
        return self.server_address[1]


class Call(socketserver.StreamRequestHandler):
    """One client's conversation with it (RFC 5321)."""

    def handle(self):
        self.server.calls += 1
        if not self.server.speaks.is_set():
            self.server.speaks.wait()
            return
        if self.server.refusing:
            self.server.refusing -= 1
            self.say("421 busy")
            return
        self.say("220 mail.test")
        for line in self.rfile:
            word = line.split()[0].upper()
            if word == b"DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                if self.server.dropping:
                    self.server.dropping -= 1
                    return
                self.server.mails.append(text.decode())
            self.say("221 bye" if word == b"QUIT" else "250 ok")

    def say(self, line):
        """Answer."""
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def running_mail_server():
    """Run one; all that it has left open ends with it."""
    with MailServer() as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.speaks.set()
        server.shutdown()
