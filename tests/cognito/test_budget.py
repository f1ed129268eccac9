"""The budget of background work: one bucket for all, in Redis or in the process."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from trusted_devices.cognito import budget, client, conf
from trusted_devices.cognito.errors import Throttled
from trusted_devices.exceptions import BackendUnavailable

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {"USER_POOL_ID": "eu-central-1_AbCdEf123", "CLIENT_ID": "1example23456789"}


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(budget, "sleep", clock.sleep)
    budget._bucket.cache_clear()
    original = budget.LocalBucket
    monkeypatch.setattr(budget, "LocalBucket", lambda rate, burst=1.0: original(rate, burst, clock))
    yield clock
    budget._bucket.cache_clear()


def options(**changes):
    return conf.Options(**{**GIVEN, "WRITES_PER_SECOND": 5, **changes})


def redis_url():
    return f"redis://{django_settings.REDIS_HOST}:{django_settings.REDIS_PORT}/9"


def test_writes_of_many_users_are_as_many_a_second_as_the_budget_says(clock):
    done = []
    for number in range(51):
        budget.in_background(lambda: done.append(clock.now), options(), user_id=number)
    assert clock.now - 1000 == pytest.approx(50 / 5)
    in_any_second = max(sum(start <= at < start + 0.999 for at in done) for start in done)
    assert in_any_second <= 5


def test_reads_have_a_budget_of_their_own(clock):
    for number in range(21):
        budget.in_background(lambda: None, options(READS_PER_SECOND=40), user_id=number, reading=True)
    assert clock.now - 1000 == pytest.approx(20 / 40)


def test_one_user_never_has_more_writes_a_second_than_amazon_allows_one(clock):
    for _ in range(26):
        budget.in_background(lambda: None, options(WRITES_PER_SECOND=25), user_id=7)
    assert 25 / (clock.now - 1000) <= conf.USER_QUOTA / 2


@pytest.mark.parametrize("failures", [1, 3, budget.ATTEMPTS - 1])
def test_a_refusal_for_load_is_answered_with_patience(clock, failures):
    left = [Throttled("no")] * failures

    def act():
        if left:
            raise left.pop()
        return "done"

    assert budget.in_background(act, options(), user_id=1) == "done"
    assert left == []
    assert len(clock.slept) >= failures


def test_patience_ends(clock):
    tried = []

    def act():
        tried.append(1)
        raise Throttled("no")

    with pytest.raises(BackendUnavailable):
        budget.in_background(act, options(), user_id=1)
    assert len(tried) == budget.ATTEMPTS
    assert clock.now - 1000 <= budget.ATTEMPTS * (budget.LONGEST_WAIT + 1)


def test_every_call_costs_a_turn_whatever_is_answered(clock, monkeypatch):
    called = []

    def refuse(self, operation, params):
        called.append(clock.now)
        raise Throttled("no")

    monkeypatch.setattr(client.PoolClient, "_once", refuse)
    monkeypatch.setattr(client, "sleep", clock.sleep)
    ask = partial(client.PoolClient(options()).call, "admin_forget_device")
    with pytest.raises(BackendUnavailable):
        budget.in_background(ask, options(), user_id=1)
    assert len(called) == budget.ATTEMPTS
    assert min(after - before for before, after in pairwise(called)) >= 0.999 / 5
    called.clear()
    with pytest.raises(BackendUnavailable):
        ask()
    assert len(called) == client.ATTEMPTS


def test_what_is_no_matter_of_load_is_not_tried_again(clock):
    tried = []

    def act():
        tried.append(1)
        raise BackendUnavailable

    with pytest.raises(BackendUnavailable):
        budget.in_background(act, options(), user_id=1)
    assert tried == [1]


def test_processes_without_redis_have_a_bucket_each_and_their_threads_share_it(clock):
    assert budget._bucket(options(), "writes", 5) is budget._bucket(options(), "writes", 5)
    assert budget._bucket(options(), "writes", 5) is not budget._bucket(options(), "reads", 5)


def test_a_bucket_hands_out_its_burst_at_once_and_then_its_rate():
    clock = Clock()
    bucket = budget.LocalBucket(rate=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.take() == 0
    assert bucket.take() > 0


class TestInRedis:
    pytestmark = [pytest.mark.redis]

    @pytest.fixture
    def server(self):
        import redis

        client = redis.Redis.from_url(redis_url())
        yield client
        client.close()

    def bucket(self, server, name, rate=1.0, burst=1.0):
        return budget.RedisBucket(server, f"trusted_devices:test:{name}", rate, burst)

    @pytest.fixture
    def name(self, server):
        name = uuid.uuid4().hex
        yield name
        server.delete(f"trusted_devices:test:{name}")

    def test_two_processes_share_one_budget(self, server, name):
        one, other = self.bucket(server, name), self.bucket(server, name)
        assert one.take() == 0
        assert 0 < other.take() <= 1
        assert 0 < one.take() <= 1

    def test_the_burst_is_shared_too(self, server, name):
        buckets = [self.bucket(server, name, rate=0.001, burst=4) for _ in range(2)]
        assert [bucket.take() for bucket in buckets * 2] == [0, 0, 0, 0]
        assert buckets[0].take() > 900

    def spend(self, server, *orders):
        """Carry out each order (see ``spender``) in a process of its own, all at once.

        Return what they say, and how many seconds of Redis's own clock it took.
        """
        found = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.cognito.spender"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in orders
        ]
        assert [process.stdout.readline() for process in found] == ["ready\n"] * len(orders)
        began = server.time()
        for process, (what, *arguments) in zip(found, orders, strict=True):
            process.stdin.write(json.dumps([what, redis_url(), *arguments]) + "\n")
            process.stdin.flush()
        done = [int(process.stdout.readline()) for process in found]
        ended = server.time()
        for process in found:
            process.communicate(timeout=60)
        return done, ended[0] - began[0] + (ended[1] - began[1]) / 1_000_000

    def test_processes_that_take_at_once_get_the_burst_together(self, server, name):
        order = ("take", f"trusted_devices:test:{name}", 0.001, 500)
        taken, _seconds = self.spend(server, order, order)
        assert sum(taken) == 500

    @pytest.mark.parametrize(
        ("users", "per_second"),
        [
            pytest.param((range(25), range(25, 50)), 25, id="users of all kinds"),
            pytest.param(([7] * 6, [7] * 6), conf.USER_QUOTA / 2, id="one user"),
        ],
    )
    def test_processes_that_act_at_once_stay_under_the_rate_together(self, server, users, per_second):
        given = {**GIVEN, "USER_POOL_ID": f"local_{uuid.uuid4().hex}", "WRITES_PER_SECOND": 25}
        done, seconds = self.spend(server, *[("act", given, list(ids)) for ids in users])
        assert done == [len(ids) for ids in users]
        assert seconds >= (sum(done) - 1) / per_second - 0.001  # the bucket counts in microseconds

    def test_an_empty_bucket_is_forgotten_in_the_end(self, server, name):
        self.bucket(server, name).take()
        left = server.ttl(f"trusted_devices:test:{name}")
        assert 0 < left <= budget.IDLE_SECONDS + 2

    def test_pools_and_purposes_have_buckets_of_their_own(self, server, clock):
        names = {
            budget._bucket(options(REDIS_URL=redis_url(), USER_POOL_ID=pool), purpose, 5).name
            for pool in ("eu-central-1_AbCdEf123", "eu-central-1_ZyXwVu987")
            for purpose in ("writes", "reads")
        }
        assert len(names) == 4
        assert not any("AbCdEf123" in name for name in names)
        budget._redis(redis_url()).close()
        budget._redis.cache_clear()


def test_without_redis_in_reach_each_process_falls_back_on_its_own_bucket(clock, caplog):
    class Away:
        def eval(self, *args):
            from redis.exceptions import ConnectionError as Refused

            raise Refused("redis://user:secret@host")

    bucket = budget.RedisBucket(Away(), "name", 2.0)
    assert bucket.take() == 0
    assert bucket.take() == pytest.approx(0.5)
    assert "The shared budget cannot be read (ConnectionError)." in caplog.text
    assert "secret" not in caplog.text
