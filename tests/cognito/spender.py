"""Spends from a shared budget in a process of its own, as told by one line on its standard input.

``["take", name, rate, burst]``: how many tokens that bucket gives without waiting. ``["act", options, user ids]``: an
act in the background for each of these users, one after the other. Prints how many.
"""

import json
import os
import sys

import django
from redis import Redis


def take(url, name, rate, burst):
    bucket, taken = budget.RedisBucket(Redis.from_url(url), name, rate, burst), 0
    while not bucket.take():
        taken += 1
    return taken


def act(url, options, user_ids):
    done = []
    for user_id in user_ids:
        given = conf.Options(REDIS_URL=url, **options)
        budget.in_background(lambda user_id=user_id: done.append(user_id), given, user_id=user_id)
    return len(done)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
from trusted_devices.cognito import budget, conf  # noqa: E402 - they need Django

print("ready", flush=True)  # noqa: T201
what, *arguments = json.loads(sys.stdin.readline())
print({"take": take, "act": act}[what](*arguments), flush=True)  # noqa: T201
