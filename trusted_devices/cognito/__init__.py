"""Devices that an Amazon Cognito user pool owns: ``TRUSTED_DEVICES = {"BACKEND": "cognito", "COGNITO": {...}}``.

``client`` is the only place that calls boto3, ``translate`` puts the pool's words into ours, ``flow`` walks a sign-in
through its challenges, and ``backend`` is what the services see.
"""

from __future__ import annotations

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured


class MissingExtra(ImproperlyConfigured, ImportError):
    """The libraries that speak to Amazon Cognito are not installed."""


if missing := [name for name in ("boto3", "joserfc") if find_spec(name) is None]:
    raise MissingExtra(
        f"The Cognito backend needs {' and '.join(missing)}, which the extra brings: "
        "pip install 'django-device-trust[cognito]'"
    )

from trusted_devices.cognito.backend import CognitoBackend  # noqa: E402 - first the sentence, then the error

__all__ = ["CognitoBackend", "MissingExtra"]
