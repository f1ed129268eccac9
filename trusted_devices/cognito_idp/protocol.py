"""AWS JSON 1.1: reading a request's body and validating it against botocore's model of the service.

The wording is Cognito's: ``1 validation error detected: Value '99' at 'limit' failed to satisfy constraint: ...``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured

from trusted_devices.cognito_idp.errors import invalid_parameter, serialization

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "AWSCognitoIdentityProviderService."
MAX_BODY = 128 * 1024
LONGEST_ECHO = 256

_VISIBLE = r"\p{L}\p{M}\p{S}\p{N}\p{P}"


@cache
def service_model() -> Any:
    """Return botocore's model of ``cognito-idp``. Raises ``ImproperlyConfigured`` where botocore is not installed."""
    try:
        from botocore.loaders import Loader
        from botocore.model import ServiceModel
    except ImportError as error:
        raise ImproperlyConfigured(
            "trusted_devices.cognito_idp needs botocore and joserfc: pip install 'django-device-trust[cognito-idp]'."
        ) from error
    return ServiceModel(Loader().load_service_model("cognito-idp", "service-2"), "cognito-idp")


def parse(body: bytes) -> dict[str, Any]:
    """Return the one JSON object in ``body``. Raises ``WireError`` (SerializationException) for anything else."""
    try:
        parsed = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        _require_plain(parsed)
    except (ValueError, RecursionError):
        raise serialization("The request body is not valid JSON.") from None
    if not isinstance(parsed, dict):
        raise serialization("The request body is not a JSON object.")
    return parsed


def validate(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return ``params`` without members that the model does not know or that are null. Maps keep their nulls.

    Raises ``WireError``: SerializationException for a wrong type, InvalidParameterException naming every constraint
    that does not hold.
    """
    shape = service_model().operation_model(operation).input_shape
    cleaned: dict[str, Any] = _clean(shape, params, "")
    failures = list(_failures(shape, cleaned, ""))
    if failures:
        count = len(failures)
        listed = "; ".join(failures)
        raise invalid_parameter(f"{count} validation error{'s'[: count > 1]} detected: {listed}")
    return cleaned


def one_line(text: str) -> str:
    """Return ``text`` fit for a header: printable ASCII, at most 1024 characters."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)[:1024]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _require_plain(value: Any) -> None:
    """Raise ``ValueError`` for text that no database takes: half a surrogate pair, or a NUL."""
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError("a NUL")
    elif isinstance(value, dict):
        for key, item in value.items():
            _require_plain(key)
            _require_plain(item)
    elif isinstance(value, list):
        for item in value:
            _require_plain(item)


def _clean(shape: Any, value: Any, path: str) -> Any:
    """Return ``value`` with known members only; raise for one of another type than the model's."""
    kind = shape.type_name
    expected: Any = {
        "structure": dict,
        "map": dict,
        "list": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "long": int,
    }.get(kind)
    good: bool = expected is not None and isinstance(value, expected)
    if not good or (isinstance(value, bool) and expected is int):
        raise serialization(f"The value at '{path}' is not a {kind}.")
    if kind == "structure":
        return {
            name: _clean(member, value[name], _join(path, name))
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "map":
        return {
            key: None if item is None else _clean(shape.value, item, _join(path, key, lower=False))
            for key, item in value.items()
        }
    if kind == "list":
        return [_clean(shape.member, item, f"{path}.{position}.member") for position, item in enumerate(value, 1)]
    return value


def _failures(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield _failure(None, _join(path, name), "Member must not be null")
        for name, item in value.items():
            yield from _failures(shape.members[name], item, _join(path, name))
        return
    yield from _own_failures(shape, value, path)
    if shape.type_name == "list":
        for position, item in enumerate(value, 1):
            yield from _failures(shape.member, item, f"{path}.{position}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            if item is not None:
                yield from _failures(shape.value, item, _join(path, key, lower=False))


def _own_failures(shape: Any, value: Any, path: str) -> Iterator[str]:
    limits: Mapping[str, Any] = shape.metadata
    size = value if isinstance(value, int) else len(value)
    what = "value" if isinstance(value, int) else "length"
    if isinstance(value, bool):
        return
    shown = None if limits.get("sensitive") else value
    if "enum" in limits and value not in limits["enum"]:
        listed = ", ".join(limits["enum"])
        yield _failure(shown, path, f"Member must satisfy enum value set: [{listed}]")
    if "max" in limits and size > limits["max"]:
        yield _failure(shown, path, f"Member must have {what} less than or equal to {limits['max']}")
    if "min" in limits and size < limits["min"]:
        yield _failure(shown, path, f"Member must have {what} greater than or equal to {limits['min']}")
    too_long = "max" in limits and size > limits["max"]
    if "pattern" in limits and not too_long and not _matches(limits["pattern"], value):
        yield _failure(shown, path, f"Member must satisfy regular expression pattern: {limits['pattern']}")


def _failure(value: Any, path: str, constraint: str) -> str:
    """Word one failure. What is secret or long is left out."""
    shown = f" '{value}'" if value is not None and len(str(value)) <= LONGEST_ECHO else ""
    if constraint == "Member must not be null":
        shown = " null"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _matches(pattern: str, value: str) -> bool:
    r"""Match like Java, whose ``\w`` is ASCII and whose ``\p{L}`` ... ``\p{P}`` Python's ``re`` does not know.

    Those occur together only and mean whatever is neither a control character nor a blank.
    """
    if _VISIBLE in pattern:
        if any(unicodedata.category(character)[0] in "CZ" and character not in " \t\r\n" for character in value):
            return False
        pattern = pattern.replace(_VISIBLE, "!-~\u00a1-\U0010ffff").replace(r"\p{Z}", " ")
    return re.fullmatch(pattern, value, re.ASCII) is not None


def _join(path: str, name: str, *, lower: bool = True) -> str:
    name = name[:1].lower() + name[1:] if lower else name
    return f"{path}.{name}" if path else name
