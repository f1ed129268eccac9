"""Only ``services.transitions`` writes what a device is."""

import ast
from pathlib import Path

import pytest

import trusted_devices
from trusted_devices.models import Device

PACKAGE = Path(trusted_devices.__file__).parent
WRITER = PACKAGE / "services" / "transitions.py"
MODULES = [path for path in PACKAGE.rglob("*.py") if path != WRITER and "migrations" not in path.parts]
# A name, an address and the like are columns of other models, too.
SHARED = {"id", "user", "name", "device_key", "created_at", "modified_at", "user_agent", "last_ip"}
COLUMNS = {field.name for field in Device._meta.concrete_fields} - SHARED
ROWS = {"create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "save", "delete"}


def writes(source):
    """Yield the lines of ``source`` that change a device."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_is_column(target) for target in targets):
                yield node.lineno
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "Device" and node.keywords:
                yield node.lineno
            elif isinstance(node.func, ast.Attribute) and node.func.attr in ROWS:
                rows = ast.unparse(node.func.value)
                of_another_model = rows[0].isupper() and not rows.startswith("Device.")
                named = {keyword.arg for keyword in node.keywords} if node.func.attr == "update" else set()
                if rows.startswith(("Device.", "device")) or (named & COLUMNS and not of_another_model):
                    yield node.lineno


def _is_column(target):
    of_itself = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
    return isinstance(target, ast.Attribute) and target.attr in COLUMNS and not of_itself


@pytest.mark.parametrize(
    "line",
    [
        "device.status = 'remembered'",
        "stored.trust_expires_at: datetime = until",
        "Device(user=user, device_key=key)",
        "Device.objects.filter(pk=1).update(**changes)",
        "found.update(status_reason=reason)",
        "device.save()",
        "Device.objects.of(user).delete()",
        "Device.objects.bulk_create(made)",
    ],
)
def test_a_line_that_changes_a_device_is_found(line):
    assert list(writes(f"def change():\n    {line}\n")) == [2]


def test_the_writer_itself_is_full_of_such_lines():
    assert len(list(writes(WRITER.read_text()))) > 8


def test_no_other_module_changes_a_device():
    found = {
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in MODULES
        for line in writes(path.read_text())
        if "testing" not in path.relative_to(PACKAGE).parts[0]  # it plays a site's part
    }
    assert not found
