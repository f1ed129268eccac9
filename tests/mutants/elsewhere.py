"""A plugin of coverage for processes that tests start: what runs for a request is told apart by the test of the moment.

Which test that is stands in a file.
"""

from __future__ import annotations

from pathlib import Path
from types import FrameType
from typing import Any

from coverage import CoveragePlugin


class _TestOfTheMoment(CoveragePlugin):
    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def dynamic_context(self, frame: FrameType) -> str | None:
        """Return the test if a request begins with this call."""
        begins = frame.f_code.co_name == "__call__" and frame.f_globals["__name__"] == "django.core.handlers.wsgi"
        return self._file.read_text() if begins else None


def coverage_init(registry: Any, options: dict[str, str]) -> None:
    """Take part."""
    registry.add_dynamic_context(_TestOfTheMoment(options["file"]))
