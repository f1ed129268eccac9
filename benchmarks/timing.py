"""How times are taken: contenders in turn, and of each the lower quartile."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping


def measure(contenders: Mapping[str, Callable[[], float | None]], rounds: int) -> dict[str, float]:
    """Return for each contender, by name, the lower quartile of the seconds that it took over ``rounds`` rounds.

    A contender may return seconds of its run that are not to be counted.

    They take turns, so that a busy machine slows them alike. The quartile leaves out the rounds in which something
    else had the processor, and unlike the minimum rests on many rounds.
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
    return {name: statistics.quantiles(measured, n=4)[0] for name, measured in times.items()}
