"""The stylesheet's colours hold WCAG 2.2 AA contrast in both themes (1.4.3 text, 1.4.11 controls)."""

import re
from itertools import product

import pytest

from tests.demo_site.conftest import ROOT

STYLESHEETS = (
    ROOT / "trusted_devices/static/trusted_devices/trusted_devices.css",
    ROOT / "demo_site/static/demo_site/demo.css",
)
TEXT, CONTROL = 4.5, 3.0
PAIRS = [
    *((ink, ground, TEXT) for ink, ground in product(("ink", "ink-soft"), ("canvas", "surface", "sunken"))),
    *((ink, ground, TEXT) for ink, ground in product(("accent", "accent-strong"), ("canvas", "surface", "sunken"))),
    *(("on-accent", ground, TEXT) for ground in ("accent", "accent-strong")),
    *(("on-danger", ground, TEXT) for ground in ("danger", "danger-strong")),
    *((f"{tone}-ink", f"{tone}-soft", TEXT) for tone in ("accent", "warn", "danger")),
    ("accent-ink", "surface", TEXT),
    ("danger", "surface", TEXT),
    ("danger-ink", "surface", TEXT),
    ("ink", "accent-soft", TEXT),
    ("ink-soft", "accent-soft", TEXT),
    *((line, ground, CONTROL) for line, ground in product(("line-strong", "accent", "danger"), ("canvas", "surface"))),
]


def themes():
    """Return the colours by name, for the light theme and, with what it overrides, the dark one."""
    blocks = re.findall(r":root \{(.*?)\}", STYLESHEETS[0].read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--td-([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def luminance(colour):
    """Return the relative luminance (WCAG 2.2, definition) of ``#rrggbb``."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_that_meet_can_be_told_apart(theme):
    colours = {name: luminance(colour) for name, colour in themes()[theme].items()}

    def contrast(ink, ground):
        darker, lighter = sorted((colours[ink], colours[ground]))
        return (lighter + 0.05) / (darker + 0.05)

    assert [(ink, ground) for ink, ground, least in PAIRS if contrast(ink, ground) < least] == []


def test_colours_are_set_in_one_place_only():
    for path in STYLESHEETS:
        rules = re.sub(r":root \{.*?\}|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) <= {"#ffffff"}  # the ground of QR codes


def test_every_colour_that_is_used_is_defined():
    defined = set(re.findall(r"(--td-[\w-]+):", STYLESHEETS[0].read_text()))
    for path in STYLESHEETS:
        assert set(re.findall(r"var\((--td-[\w-]+)", path.read_text())) <= defined


def test_the_apps_style_stays_within_its_own_class():
    css = re.sub(r"/\*.*?\*/", "", STYLESHEETS[0].read_text(), flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{", css)
    outside = {
        part.strip()
        for selector in selectors
        for part in re.split(r",(?![^()]*\))", selector)
        if not part.strip().startswith((".td", ":root", "@media"))
    }
    assert outside == set()
