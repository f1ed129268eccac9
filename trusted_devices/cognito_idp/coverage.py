"""Which of Cognito's operations are answered, from the registry and botocore's model of the service."""

from __future__ import annotations

from collections import Counter

from trusted_devices.cognito_idp.protocol import service_model
from trusted_devices.cognito_idp.registry import operations

IMPLEMENTED, DIFFERS, MISSING = "implemented", "differs", "not"

_HEAD = """\
# Cognito operations

What `trusted_devices.cognito_idp` answers, operation by operation, out of all that Amazon's own description of the
service names. This page is made by `manage.py cognito_operations`.

*implemented*: as on Cognito. *differs*: with the difference in the last column. *not*: answered with
`UnknownOperationException`. {counts}

| operation | | authorised by | differs |
| --- | --- | --- | --- |
"""


def state_of(name: str) -> str:
    """Return ``implemented``, ``differs`` or ``not``."""
    known = operations().get(name)
    if known is None:
        return MISSING
    return DIFFERS if known.differs else IMPLEMENTED


def render() -> str:
    """Return the page as Markdown: what is answered first, each part in the order of the alphabet."""
    names = sorted(service_model().operation_names, key=lambda name: (state_of(name) == MISSING, name))
    count = Counter(state_of(name) for name in names)
    counts = f"{count[IMPLEMENTED]} are implemented, {count[DIFFERS]} differ, {count[MISSING]} are not."
    return _HEAD.format(counts=counts) + "".join(map(_row, names))


def _row(name: str) -> str:
    known = operations().get(name)
    if known is None:
        return f"| `{name}` | {MISSING} | | |\n"
    return f"| `{name}` | {state_of(name)} | {known.access.value} | {known.differs} |\n"
