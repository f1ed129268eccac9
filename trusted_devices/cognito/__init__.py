"""What speaks to an Amazon Cognito user pool: ``TRUSTED_DEVICES = {"BACKEND": "cognito", "COGNITO": {...}}``.

``client`` is the only place that calls boto3, ``translate`` puts the pool's words into ours, ``flow`` walks a sign-in
through its challenges. What the services see is ``owners.pool`` and the sign-in.
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
