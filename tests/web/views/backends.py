"""Backends of which a part cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trusted_devices.backends.base import FirstFactor
from trusted_devices.backends.local import LocalBackend
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.types import MfaVerification


class NoPasswords(LocalBackend):
    """Cannot check passwords."""

    def first_factor(self, **arguments: Any) -> FirstFactor:
        raise BackendUnavailable


class NoCodes(LocalBackend):
    """Cannot check or send codes."""

    def second_factor(self, *arguments: Any, **options: Any) -> MfaVerification:
        raise BackendUnavailable

    def send_code(self, *arguments: Any, **options: Any) -> Mapping[str, str]:
        raise BackendUnavailable


class Broken(LocalBackend):
    """Fails in ways that nobody has thought of."""

    def first_factor(self, **arguments: Any) -> FirstFactor:
        raise RuntimeError("broken")

    def second_factor(self, *arguments: Any, **options: Any) -> MfaVerification:
        raise RuntimeError("broken")


class OnlyAtSignIn(LocalBackend):
    """Asks for second factors only in the course of a sign-in."""

    verifies_anytime = False


class LosesFactors(LocalBackend):
    """The factor that is asked for is removed while its code is on the way."""

    def second_factor(self, user: Any, *arguments: Any, **options: Any) -> MfaVerification:
        user.totpdevice_set.all().delete()
        return super().second_factor(user, *arguments, **options)

    def send_code(self, user: Any, *arguments: Any, **options: Any) -> Mapping[str, str]:
        user.emaildevice_set.all().delete()
        return super().send_code(user, *arguments, **options)
