"""How much of the pool's quota background work may use: one token bucket for all processes, kept in Redis.

Without ``COGNITO["REDIS_URL"]`` each process has a bucket of its own, and the budget has to be divided by hand. What
users and staff do by hand is not held up here; the budget leaves the rest of the quota to them.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Any, Protocol, TypeVar

from trusted_devices.cognito.client import full_jitter, paced
from trusted_devices.cognito.conf import USER_QUOTA, Options
from trusted_devices.cognito.errors import Throttled

logger = logging.getLogger(__name__)

ATTEMPTS = 7
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds of back-off where the pool refuses for load."""
IDLE_SECONDS = 120

sleep: Callable[[float], None] = time.sleep

Done = TypeVar("Done")

# GCRA, the leaky bucket as a meter: one number a bucket, the time at which it would be empty. Redis's own clock
# counts, so that those of the workers need not agree. Returns the seconds to wait, as text; 0 takes the token.
_SCRIPT = """
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local empty = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = empty + interval - burst * interval - now
if wait > 0 then
  return tostring(wait)
end
redis.call('SET', KEYS[1], string.format('%.6f', empty + interval), 'EX', ARGV[3])
return '0'
"""


class Bucket(Protocol):
    """Hands out ``rate`` tokens a second."""

    def take(self) -> float:
        """Take a token and return 0, or return how many seconds to wait before asking again."""


@dataclass(slots=True)
class LocalBucket:
    """A bucket of this process, for all its threads."""

    rate: float
    burst: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _empty: float = float("-inf")
    _lock: Any = field(default_factory=Lock, repr=False)

    def take(self) -> float:
        interval = 1 / self.rate
        with self._lock:
            now = self.clock()
            empty = max(self._empty, now)
            wait = empty + interval - self.burst * interval - now
            if wait > 0:
                return wait
            self._empty = empty + interval
            return 0.0


@dataclass(slots=True)
class RedisBucket:
    """A bucket that all processes share. Where Redis is out of order, this process falls back on one of its own."""

    redis: Any
    name: str
    rate: float
    burst: float = 1.0
    fallback: LocalBucket = field(init=False)

    def __post_init__(self) -> None:
        self.fallback = LocalBucket(self.rate, self.burst)

    def take(self) -> float:
        from redis.exceptions import RedisError

        keep = int(IDLE_SECONDS + (self.burst + 1) / self.rate)
        try:
            return float(self.redis.eval(_SCRIPT, 1, self.name, 1 / self.rate, self.burst, keep))
        except RedisError as error:
            logger.warning("The shared budget cannot be read (%s).", type(error).__name__)
            return self.fallback.take()


def in_background(act: Callable[[], Done], options: Options, *, user_id: Any, reading: bool = False) -> Done:
    """Do ``act`` when the budget allows it, and return what it does; do it again where the pool refuses for load.

    Raises ``BackendUnavailable`` if it still refuses after a minute or so.
    """
    rate = options.READS_PER_SECOND if reading else options.WRITES_PER_SECOND
    for attempt in range(1, ATTEMPTS + 1):
        _wait_for(_bucket(options, "reads" if reading else "writes", rate))
        if rate > USER_QUOTA:
            _wait_for(_bucket(options, f"user {user_id}", USER_QUOTA / 2))
        try:
            with paced():
                return act()
        except Throttled:
            if attempt == ATTEMPTS:
                raise
            sleep(full_jitter(attempt, first=FIRST_WAIT, longest=LONGEST_WAIT))
    raise AssertionError("The last attempt returns or raises.")


def wait_to_publish(options: Options) -> None:
    """Wait until the budget allows to write an attribute of a user; Amazon counts these apart from devices."""
    _wait_for(_bucket(options, "attributes", options.WRITES_PER_SECOND))


def _wait_for(bucket: Bucket) -> None:
    while (wait := bucket.take()) > 0:
        sleep(wait)


@lru_cache(maxsize=1024)
def _bucket(options: Options, purpose: str, rate: float) -> Bucket:
    if options.REDIS_URL is None:
        return LocalBucket(rate)
    name = hashlib.sha256(f"{options.region}\0{options.USER_POOL_ID}\0{purpose}".encode()).hexdigest()[:24]
    return RedisBucket(_redis(options.REDIS_URL), f"trusted_devices:budget:{name}", rate)


@lru_cache(maxsize=4)
def _redis(url: str) -> Any:
    import redis

    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
