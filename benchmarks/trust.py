"""The middleware left alone, and the trust check at sign-in, each beside a bare baseline in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.handlers.base import BaseHandler
from django.test import RequestFactory, override_settings
from django.utils import timezone

from benchmarks.timing import measure
from trusted_devices.models import Device
from trusted_devices.services import granting, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import By, ClientInfo, MfaVerification, Presented

ROUNDS = 400
REQUESTS = 20


def main() -> None:
    """Print lower quartiles and their ratios."""
    _middleware()
    print()
    _check()


def _middleware() -> None:
    ours = "trusted_devices.middleware.DeviceKeyMiddleware"
    factory = RequestFactory()

    def requests(middleware: list[str]) -> Callable[[], None]:
        handler = BaseHandler()
        with override_settings(MIDDLEWARE=middleware):
            handler.load_middleware()

        def run() -> None:
            for _ in range(REQUESTS):
                assert handler.get_response(factory.get("/")).status_code == 200

        return run

    bare = [path for path in settings.MIDDLEWARE if path != ours]
    took = _quartiles(measure({"bare": requests(bare), "with": requests(settings.MIDDLEWARE)}, ROUNDS))
    print(f"One request that does not ask about trust, lower quartile of {ROUNDS} times {REQUESTS}:")
    print(f"  the project without it         {took['bare'] / REQUESTS * 1e6:8.1f} us")
    print(f"  with DeviceKeyMiddleware       {took['with'] / REQUESTS * 1e6:8.1f} us")
    print(f"  ratio                          {took['with'] / took['bare']:8.3f}   (goal: at most 1.06)")


def _check() -> None:
    user = get_user_model().objects.create_user("bench", "bench@example.com", "correct horse")
    now = timezone.now()
    client = ClientInfo(ip_address="203.0.113.77", user_agent="Mozilla/5.0")
    granted = granting.grant(
        user=user,
        verification=MfaVerification(kind="totp", factor_id="bench", at=now),
        presented=Presented(),
        choice=TrustChoice(period=timedelta(days=60)),
        by=By(client=client, at=now),
    )
    held = {"credential": granted.credential}
    device_key = granted.device.device_key

    def get() -> None:
        Device.objects.get(device_key=device_key)

    writes: list[float] = []

    def write(*arguments: Any) -> bool:
        start = time.perf_counter()
        try:
            return replace(*arguments)
        finally:
            writes.append(time.perf_counter() - start)

    def check() -> float:
        later = now + timedelta(minutes=2)
        found = trust.check(
            user=user,
            presented=Presented(credential=held["credential"]),
            mfa_active=True,
            by=By(client=client, at=later),
        )
        assert found.decision.allowed
        assert found.credential is not None
        held["credential"] = found.credential
        return writes[-1]

    # The write is timed where it happens: apart from the check, it would find the processor's caches in another state.
    replace, trust._replace_secret = trust._replace_secret, write
    try:
        took = _quartiles({**measure({"get": get, "check": check}, ROUNDS), "write": writes})
    finally:
        trust._replace_secret = replace
    print(f"The trust check at sign-in, lower quartile of {ROUNDS}:")
    print(f"  one ORM get                    {took['get'] * 1e6:8.1f} us")
    print(f"  the check without its write    {took['check'] * 1e6:8.1f} us")
    print(f"  ratio                          {took['check'] / took['get']:8.3f}   (goal: at most 1.25)")
    print(f"  the rotation's write           {took['write'] * 1e6:8.1f} us")


def _quartiles(times: Mapping[str, list[float]]) -> dict[str, float]:
    """Return lower quartiles. They leave out the rounds in which something else had the processor."""
    return {name: statistics.quantiles(measured, n=4)[0] for name, measured in times.items()}
