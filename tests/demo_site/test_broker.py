"""The Celery broker made of files, used through Kombu as Celery does."""

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest
from kombu import Connection

from demo_site import environment
from tests.demo_site.conftest import ROOT

SEND = """
import sys
from pathlib import Path
from tests.demo_site.test_broker import Queue
queue = Queue(Path(sys.argv[1]), sys.argv[2])
for number in map(int, sys.argv[3:]):
    queue.send(number)
"""


class Queue:
    """A queue of its own name, because Kombu remembers for the life of the process which queues are bound."""

    def __init__(self, folder, name=""):
        self.name = name or f"work-{uuid4()}"
        self.broker = environment.broker({}, folder)
        self.folder = folder / "broker"

    @contextmanager
    def connected(self):
        broker = self.broker
        with (
            Connection(broker.url, transport=broker.transport, transport_options=broker.options) as connection,
            connection.SimpleQueue(self.name) as queue,
        ):
            yield queue

    def send(self, number):
        with self.connected() as queue:
            queue.put({"number": number})

    def receive(self, count):
        found = []
        with self.connected() as queue:
            for _ in range(count):
                message = queue.get(timeout=20)
                found.append(message.payload["number"])
                message.ack()
        return found

    def is_empty(self):
        with self.connected() as queue:
            try:
                queue.get(block=False)
            except queue.Empty:
                return True
        return False


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path)


def test_a_message_arrives_once(queue):
    queue.send(7)
    assert queue.receive(1) == [7]
    assert queue.is_empty()


def test_messages_come_in_the_order_in_which_they_were_sent(queue):
    for number in range(5):
        queue.send(number)
    assert queue.receive(5) == [0, 1, 2, 3, 4]


def test_a_message_that_is_still_being_written_is_not_seen(queue):
    queue.send(1)
    (queue.folder / f"0_half-written.{queue.name}.draft").write_text('{"body": ')
    assert queue.receive(1) == [1]
    assert queue.is_empty()


def test_nothing_is_lost_when_several_processes_write_while_another_reads(tmp_path):
    queue = Queue(tmp_path)
    parts = [range(start, start + 30) for start in (0, 30)]
    with ExitStack() as stack:
        for part in parts:
            command = [sys.executable, "-c", SEND, str(tmp_path), queue.name, *map(str, part)]
            sender = stack.enter_context(subprocess.Popen(command, cwd=ROOT))
            stack.callback(sender.kill)
        assert sorted(queue.receive(60)) == list(range(60))
    assert queue.is_empty()
