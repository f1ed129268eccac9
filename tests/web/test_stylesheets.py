"""The stylesheets: no class in them that no page of the package or of the demo uses."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHEETS = sorted((ROOT / "trusted_devices" / "static").rglob("*.css"))
FOLDERS = ("trusted_devices", "demo_site", "templates")


def used():
    """The classes that pages, views and scripts name. One that ends with a hyphen is the beginning of several."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    pages = [path for path in files if path.suffix in {".html", ".py", ".js"}]
    return {name for path in pages for name in re.findall(r"\btd-[a-z0-9-]+", path.read_text())}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_class_of_a_stylesheet_is_used(sheet):
    beginnings = tuple(name for name in used() if name.endswith("-"))
    classes = set(re.findall(r"\.(td-[a-z0-9-]+)", sheet.read_text()))
    assert classes
    assert {name for name in classes - used() if not name.startswith(beginnings)} == set()
