"""How times are taken: contenders in turn, without the garbage collector."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping


def measure(contenders: Mapping[str, Callable[[], float | None]], rounds: int) -> dict[str, list[float]]:
    """Return for each contender, by name, the seconds that it took in each of ``rounds`` rounds.

    They take turns, so that a busy machine slows them alike. A contender may return seconds that are not to count.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in contenders.items():
                start = time.perf_counter()
                left_out = run() or 0.0
                times[name].append(time.perf_counter() - start - left_out)
    finally:
        gc.enable()
    return times
