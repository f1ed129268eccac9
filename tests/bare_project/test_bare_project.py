"""Build the wheel, install it with Django alone, and walk through a project made from what the README says."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).parent / "project"
UNREACHABLE = ("No matching distribution found", "Could not find a version", "Temporary failure in name resolution")
SETTINGS = ("--settings=settings", "--pythonpath=.")
PATIENCE = 300
"""Seconds that a step may take."""


def _run(*command, cwd):
    """Run a command with nothing of this project on its path; return what it said."""
    environ = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        text=True,
        timeout=PATIENCE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode and any(sign in done.stdout for sign in UNREACHABLE):
        pytest.skip("needs a package index that pip can reach")
    assert done.returncode == 0, done.stdout
    return done.stdout


def _source_files():
    """Return every file of the package."""
    files = (path for path in (ROOT / "trusted_devices").rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_a_bare_project_with_the_wheel_and_nothing_else_has_trusted_devices(tmp_path):
    source = _source_files()
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "dist", ROOT, cwd=tmp_path)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert any(name.endswith(".html") for name in source)
    assert any(name.endswith(".css") for name in source)
    assert "trusted_devices/py.typed" in source
    assert source <= packed
    assert not any(name.startswith(("tests/", "demo_site/", "templates/")) for name in packed)

    _run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    _run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)

    project = shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    walked = _run(python, "-W", "error", "-m", "django", "walk", *SETTINGS, cwd=project)
    assert walked.splitlines()[-1] == "All is well."
    tested = _run(python, "-W", "error", "-m", "django", "test", "people", *SETTINGS, cwd=project)
    assert re.search(r"Ran \d\d tests", tested)
    assert "OK" in tested
