"""Readers for the known answers under ``vectors/``; its README explains the fields."""

import json
from pathlib import Path

_FOLDER = Path(__file__).parent / "vectors"


def constants(name):
    """The group constants as read out of the live clients."""
    return _read(name)["header"]["constants"]


def vectors(name):
    """The vectors of a file; a failing test names the ``id`` of one."""
    return _read(name)["vectors"]


def _read(name):
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
