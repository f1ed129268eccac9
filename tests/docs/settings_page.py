"""The reference of settings, made from the options themselves: ``python -m tests.docs.settings_page`` writes it."""

from collections.abc import Mapping
from dataclasses import MISSING
from datetime import timedelta
from pathlib import Path

from trusted_devices import conf

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "settings.md"
HEAD = """\
# Settings

All options live in one dict, `TRUSTED_DEVICES`, and all have a default. `manage.py check` refuses unknown options and
wrong values ([system checks](checks.md)). Periods and durations are `datetime.timedelta`.

```python
from datetime import timedelta

TRUSTED_DEVICES = {
    "MFA": "trusted_devices.mfa.otp.OTPProvider",
    "STAFF_MAX_PERIOD": timedelta(days=7),
}
```

| option | default | meaning |
| --- | --- | --- |
"""


def render():
    """Return the whole page."""
    return HEAD + "".join(map(_row, conf.Settings.options()))


def _row(option):
    default = option.default_factory() if option.default_factory is not MISSING else option.default
    return f"| `{option.name}` | `{_code(default)}` | {option.metadata['help']} |\n"


def _code(value):
    if isinstance(value, timedelta):
        days, minutes = value.days, value.seconds // 60
        return f"timedelta({f'days={days}' if days else f'minutes={minutes}'})"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_code, value))}]"
    if isinstance(value, Mapping):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    PAGE.write_text(render())
