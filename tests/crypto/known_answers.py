"""Readers for the known answers under ``vectors/``; its README explains the fields."""

import json
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).parent / "vectors"


def constants(name: str) -> dict[str, str]:
    """The group constants as read out of the live clients."""
    return _read(name)["header"]["constants"]


def vectors(name: str) -> list[Any]:
    """One pytest parameter per vector of a file, named by its id."""
    return [pytest.param(vector, id=vector["id"]) for vector in _read(name)["vectors"]]


def _read(name: str) -> dict[str, Any]:
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
