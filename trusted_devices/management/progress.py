"""How far a long command has come: a bar on a terminal, ten plain lines elsewhere, silence at ``--verbosity 0``."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management.base import OutputWrapper

WIDTH = 30
STEPS = 10


class Progress:
    """Counts up to ``total`` on ``stream``."""

    def __init__(self, stream: OutputWrapper, *, total: int, noun: str, verbosity: int) -> None:
        self._stream = stream
        self._total = total
        self._noun = noun
        self._silent = verbosity == 0 or total == 0
        self._bar = stream.isatty()
        self._done = 0
        self._step = 0

    def count(self, batches: Iterable[int]) -> int:
        """Show how far it has come after each of ``batches``; return their sum."""
        try:
            for size in batches:
                self._done += size
                if size and not self._silent:
                    self._show()
        finally:
            if self._bar and self._done and not self._silent:
                self._write("\n")
        return self._done

    def _show(self) -> None:
        # More may come along while it runs than there were in the beginning.
        total = max(self._total, self._done)
        if self._bar:
            filled = "#" * (WIDTH * self._done // total)
            self._write(f"\r[{filled:<{WIDTH}}] {self._done:,} of {total:,} {self._noun}")
        elif (step := STEPS * self._done // total) > self._step:
            self._step = step
            self._write(f"{self._done:,} of {total:,} {self._noun}\n")

    def _write(self, text: str) -> None:
        # Standard error is red otherwise, and each write a line.
        self._stream.write(text, style_func=str, ending="")
        self._stream.flush()
