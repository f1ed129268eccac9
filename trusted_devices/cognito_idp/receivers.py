"""What the endpoint follows: changes of users and their passwords, and requests without the slash at the end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.signals import request_started
from django.db.models.signals import post_save, pre_save
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from trusted_devices import signals
from trusted_devices.cognito_idp import accounts, tokens
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.services import hash_upgrades

_STORED = "_trusted_devices_cognito_idp_stored"
UNSLASHED = "trusted_devices.unslashed"


def connect() -> None:
    """Connect everything. Connecting twice is the same as once."""
    # A signal names the very class that is saved, so proxies and children of the user model are connected as well.
    for model in apps.get_models():
        if issubclass(model, get_user_model()):
            pre_save.connect(read_stored_password, sender=model, dispatch_uid=f"{__name__}.read_stored_password")
            post_save.connect(follow_user, sender=model, dispatch_uid=f"{__name__}.follow_user")
    signals.factors_changed.connect(follow_change, dispatch_uid=f"{__name__}.follow_change")
    request_started.connect(append_slash, dispatch_uid=f"{__name__}.append_slash")


def read_stored_password(
    sender: type[Any], instance: Any, raw: bool, using: str, update_fields: Collection[str] | None, **_: Any
) -> None:
    """Before a user is saved whose password Django hashes anew: read the hash that goes."""
    vars(instance).pop(_STORED, None)
    if not raw and not instance._state.adding and hash_upgrades.may_be(instance, update_fields):
        setattr(instance, _STORED, sender._base_manager.using(using).filter(pk=instance.pk).only("password").first())


@sensitive_variables("password")
def follow_user(instance: Any, created: bool, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """After a user is saved: note that it was changed, and follow its password.

    Sign-ins of a disabled user end for good. Django keeps the clear password on the instance from ``set_password``
    until the save is done: sign-ins end, and a verifier is kept where a pool wants one. When it merely upgrades a hash
    it takes it off before, and what rests on the password goes on resting on it.
    """
    stored = vars(instance).pop(_STORED, None)
    if raw:
        return
    if stored is not None and hash_upgrades.happened(stored, instance):
        accounts.follow_upgrade(instance, before=stored)
        tokens.follow_upgrade(instance, before=stored)
        return
    if not created and (update_fields is None or not set(update_fields) <= {"last_login"}):
        follow_change(user_id=instance.pk)
    password = vars(instance).get("_password")
    disabled = not getattr(instance, "is_active", True) and (update_fields is None or "is_active" in update_fields)
    if isinstance(password, str) or (disabled and not created):
        tokens.revoke_all(user=instance)
    if isinstance(password, str):
        accounts.keep_verifiers(user=instance, password=password)


def follow_change(user_id: Any, **_: Any) -> None:
    """After a user's second factors changed, or anything else of a user: note when that was."""
    PoolUser.objects.filter(user=user_id).update(modified_at=timezone.now())


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
