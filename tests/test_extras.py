"""Each extra brings all that it needs: nothing works only because something else is installed as well."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]


IMPORT = """
import importlib, json, sys
absent = set(json.loads(sys.argv[1]))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
for name in absent:
    sys.modules.pop(name, None)
for module in sys.argv[2:]:
    importlib.import_module(module)
"""


def closure(names):
    """Return the distributions that installing ``names`` brings along, by canonical name."""
    found = set()
    pending = [Requirement(name) for name in names]
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                pending += _needs(name, extra)
    return {name for name, _extra in found}


def _needs(name, extra):
    for text in requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


@pytest.mark.parametrize(
    ("extra", "modules"),
    [
        ("celery", "celery celery.app.base kombu.transport.redis"),
        ("cognito", "boto3 joserfc.jwt"),
        ("cognito-idp", "botocore.session joserfc.jwt"),
        ("qr", "segno"),
        ("srp", "gmpy2"),
        ("user-agents", "ua_parser"),
    ],
)
def test_what_an_extra_is_for_can_be_imported_where_nothing_else_is_installed(extra, modules):
    brought = closure([*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]])
    absent = {
        name for name, owners in packages_distributions().items() if brought.isdisjoint(map(canonicalize_name, owners))
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT, json.dumps(sorted(absent)), *modules.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
