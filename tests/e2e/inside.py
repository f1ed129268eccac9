"""Runs code inside the demo's project, beside the running demo, for as long as there is any.

Reads a program a line on standard input, as a JSON string, and answers a line of JSON: what it printed, or why it
failed. Starting a process of Django's for each program took longer than most tests.
"""

import io
import json
import os
import sys
import traceback
from contextlib import redirect_stdout

import django
from django.db import close_old_connections


def run(program):
    """Return what ``program`` printed."""
    printed = io.StringIO()
    close_old_connections()
    try:
        with redirect_stdout(printed):
            exec(compile(program, "program", "exec"), {})
    except Exception:  # noqa: BLE001 - told to the test
        return {"failure": traceback.format_exc()}
    return {"printed": printed.getvalue()}


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_site.settings")
    django.setup()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)  # noqa: T201


main()
