"""The table of options in the how-to about Amazon Cognito: ``python -m tests.docs.cognito_options`` writes it."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import django

PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "cognito.md"
TABLE = re.compile(r"(?<=\| --- \| --- \| --- \|\n)(?:\| `[A-Z_]+` .*\n)+|\{options\}\n")


def rows():
    """Return the table's rows."""
    from trusted_devices.cognito.conf import Options

    found = ""
    for option in fields(Options):
        default = "required" if option.default is MISSING else f"`{_code(option.default)}`"
        found += f"| `{option.name}` | {default} | {option.metadata['help']} |\n"
    return found


def _code(value):
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    django.setup()
    PAGE.write_text(TABLE.sub(lambda _: rows(), PAGE.read_text(), count=1))
