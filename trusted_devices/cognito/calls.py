"""Calls of the user pool's operations, on behalf of a user or with the site's own credentials."""

from __future__ import annotations

from typing import Any

from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito import conf
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.errors import UserNotFound
from trusted_devices.exceptions import AlreadyAnswered, BackendUnavailable, DeviceNotFound, TrustedDevicesError


@sensitive_variables()
def as_user(operation: str, access_token: str, **params: Any) -> None:
    """Call on behalf of a user who has just signed in. Raises ``AlreadyAnswered``, ``BackendUnavailable``."""
    try:
        PoolClient(conf.get_options()).call(operation, AccessToken=access_token, **params)
    except (AlreadyAnswered, BackendUnavailable):
        raise
    except TrustedDevicesError as error:
        raise BackendUnavailable(f"{operation} was refused.") from error


def as_staff(operation: str, **params: Any) -> dict[str, Any]:
    """Call with the site's own credentials; return the members of the answer.

    Raises ``DeviceNotFound``, ``UserNotFound``, ``BackendUnavailable``.
    """
    options = conf.get_options()
    try:
        return PoolClient(options).call(operation, UserPoolId=options.USER_POOL_ID, **params)
    except (BackendUnavailable, DeviceNotFound, UserNotFound):
        raise
    except TrustedDevicesError as error:
        raise BackendUnavailable(f"{operation} was refused.") from error


def once(operation: str, **params: Any) -> None:
    """Call with the site's own credentials, without another attempt. Raises any ``TrustedDevicesError``."""
    options = conf.get_options()
    PoolClient(options, attempts=1).call(operation, UserPoolId=options.USER_POOL_ID, **params)


def user_record(username: str) -> dict[str, Any]:
    """Return what the pool has of a user, by name or ``sub`` (AdminGetUser). Raises as :func:`as_staff` does."""
    return as_staff("admin_get_user", Username=username)
