"""How far a long command has come: at most ten plain lines, and none at ``--verbosity 0``."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management.base import OutputWrapper

LINES = 10


def count(batches: Iterable[int], stream: OutputWrapper, *, total: int, noun: str, verbosity: int) -> int:
    """Return the sum of ``batches``, whose sizes make up ``total``, and say on ``stream`` how far it has come."""
    done = said = 0
    for size in batches:
        done += size
        # More may come along while it runs than there were in the beginning.
        expected = max(total, done)
        if verbosity and total and (reached := LINES * done // expected) > said:
            said = reached
            # Standard error is red otherwise.
            stream.write(f"{done:,} of {expected:,} {noun}", style_func=str)
            stream.flush()
    return done
