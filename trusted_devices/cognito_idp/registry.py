"""Which operations there are, who may call them, and what one is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any

from django.http import HttpRequest

from trusted_devices.cognito_idp.models import AccessKey
from trusted_devices.types import By, ClientInfo

MODULES = ("auth", "tokens", "devices", "users", "admin", "events", "pools", "clients")


class Access(StrEnum):
    """What authorises a call."""

    PUBLIC = "nothing"
    TOKEN = "access token"  # noqa: S105 - a word for the documentation
    SESSION = "access token or session"
    SIGNED = "signature"
    FEEDBACK = "feedback token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One validated request. ``key`` is whose signature it carries, ``None`` unless the operation asks for one."""

    operation: str
    params: dict[str, Any] = field(repr=False)
    request: HttpRequest
    client_info: ClientInfo
    now: datetime
    key: AccessKey | None = None

    @property
    def by(self) -> By:
        """Who calls, as services want it: a program, which is none of the site's users."""
        return By(client=self.client_info, at=self.now)


Answer = dict[str, Any] | None
Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An implemented operation; ``differs`` says in a sentence what is not as on Cognito."""

    name: str
    access: Access
    handler: Handler
    differs: str = ""


_OPERATIONS: dict[str, Operation] = {}


def operation(name: str, access: Access, *, differs: str = "") -> Callable[[Handler], Handler]:
    """Register the decorated function as what answers ``name``: ``{}`` or members, ``None`` for an empty body."""

    def register(handler: Handler) -> Handler:
        _OPERATIONS[name] = Operation(name=name, access=access, handler=handler, differs=differs)
        return handler

    return register


@cache
def operations() -> dict[str, Operation]:
    """Return all operations by name."""
    for module in MODULES:
        import_module(f"trusted_devices.cognito_idp.operations.{module}")
    return _OPERATIONS
