"""What the endpoint follows: passwords that are set, and requests that come without the slash at the end."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.signals import request_started
from django.db.models.signals import post_save
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito_idp import accounts, tokens

UNSLASHED = "trusted_devices.unslashed"


def connect() -> None:
    """Connect everything. Connecting twice is the same as once."""
    # A signal names the very class that is saved, so proxies and children of the user model are connected as well.
    for model in apps.get_models():
        if issubclass(model, get_user_model()):
            post_save.connect(follow_password, sender=model, dispatch_uid=f"{__name__}.follow_password")
    request_started.connect(append_slash, dispatch_uid=f"{__name__}.append_slash")


@sensitive_variables("password")
def follow_password(instance: Any, raw: bool, **_: Any) -> None:
    """After a user is saved with a new password: end their sign-ins, and keep a verifier where a pool wants one.

    Django keeps the clear password on the instance from ``set_password`` until the save is done. When it merely
    upgrades a hash it takes it off before, and no session ends.
    """
    password = vars(instance).get("_password")
    if raw or not isinstance(password, str):
        return
    tokens.revoke_all(user=instance)
    accounts.keep_verifiers(user=instance, password=password)


def append_slash(environ: dict[str, Any] | None = None, scope: dict[str, Any] | None = None, **_: Any) -> None:
    """Before a request is made of it: turn the endpoint's path without its slash into the one that is routed."""
    if environ is not None:
        if environ.get("REQUEST_METHOD") in ("POST", "OPTIONS") and _is_endpoint(environ.get("PATH_INFO", "")):
            environ["PATH_INFO"] += "/"
            environ[UNSLASHED] = True
    elif scope is not None and scope.get("method") in ("POST", "OPTIONS") and _is_endpoint(scope["path"]):
        scope["path"] += "/"


def _is_endpoint(path: str) -> bool:
    if not path or path.endswith("/"):
        return False
    try:
        routed = reverse("trusted_devices_cognito_idp:endpoint")
    except NoReverseMatch:
        return False
    return "/" + routed.removeprefix(get_script_prefix()) == path + "/" or routed == path + "/"
