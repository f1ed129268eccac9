"""What ends trust from outside: changed passwords and second factors, disabled and deleted accounts, signing out.

Each receiver asks one service. They are connected to the models concerned alone, so that saving or deleting anything
else costs nothing; a signal without a sender would also take Django's fast deletes away from every model.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import Signal
from django.http import HttpRequest

from trusted_devices import conf, signals
from trusted_devices.mfa import get_provider
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.services import activity, devices, hash_upgrades, sessions
from trusted_devices.services.stamps import password_stamp
from trusted_devices.types import By, StatusReason
from trusted_devices.web import jar, mails, session_note

_STORED = "_trusted_devices_stored"
_followed: list[type[Model]] = []


def connect() -> None:
    """Connect everything. Connecting twice is the same as once."""
    for model in _with_descendants(get_user_model()):
        _connect(pre_save, read_stored_password, model)
        _connect(post_save, follow_password, model)
        _connect(post_save, follow_disabling, model)
        _connect(pre_delete, erase_user, model)
    _connect(user_logged_out, follow_sign_out)
    _connect(signals.device_remembered, mail_about_new_device)
    _connect(signals.device_compromised, mail_about_misuse)
    _connect(signals.devices_forgotten, mail_about_forgetting)
    for signal in (signals.device_remembered, signals.device_not_remembered, signals.device_forgotten):
        _connect(signal, follow_trust)
    _connect(setting_changed, follow_setting)
    follow_factors()


def follow_factors() -> None:
    """Connect to the factors of the provider that is set now, in place of those of an earlier one."""
    for model in _followed:
        pre_save.disconnect(sender=model, dispatch_uid=_uid(read_stored_factor))
        post_save.disconnect(sender=model, dispatch_uid=_uid(follow_saved_factor))
        post_delete.disconnect(sender=model, dispatch_uid=_uid(follow_deleted_factor))
    _followed[:] = _factor_models()
    for model in _followed:
        _connect(pre_save, read_stored_factor, model)
        _connect(post_save, follow_saved_factor, model)
        _connect(post_delete, follow_deleted_factor, model)


def read_stored_password(
    sender: type[Any], instance: Any, raw: bool, using: str, update_fields: Collection[str] | None, **_: Any
) -> None:
    """Before a user is saved: read the hash that goes, if what follows depends on it."""
    if raw or instance._state.adding or not _touches(update_fields, "password"):
        return
    if hash_upgrades.may_be(instance, update_fields) or _kept_key(instance):
        stored = sender._base_manager.using(using).filter(pk=instance.pk).only("password").first()
        setattr(instance, _STORED, stored)


def follow_password(instance: Any, created: bool, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """After a user is saved: end trust if the password is another, and only then."""
    stored = vars(instance).pop(_STORED, None)
    if created or raw or not _touches(update_fields, "password"):
        return
    upgraded = (
        stored is not None
        and hash_upgrades.may_be(instance, update_fields)
        and hash_upgrades.happened(stored, instance)
    )
    kept = "" if upgraded else _kept_key(instance)
    new, old = password_stamp(instance), password_stamp(stored) if stored is not None else ""
    devices.follow_password(
        user=instance,
        stamp=new,
        old_stamp=old if upgraded or kept else "",
        only_key=None if upgraded else kept,
        by=By(actor=_actor()),
    )


def follow_disabling(instance: Any, created: bool, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """After a disabled user is saved: end trust and sessions."""
    if created or raw or getattr(instance, "is_active", True) or not _touches(update_fields, "is_active"):
        return
    devices.end_trust(user=instance, reason=StatusReason.ACCOUNT_DISABLED, end_sessions=True, by=By(actor=_actor()))


def erase_user(instance: Any, **_: Any) -> None:
    """Before a user is deleted: remove devices and traces."""
    devices.erase(user=instance)


def read_stored_factor(sender: type[Any], instance: Any, raw: bool, using: str, **_: Any) -> None:
    """Before a second factor is saved: read what is stored of it."""
    vars(instance).pop(_STORED, None)
    if not raw and not instance._state.adding:
        setattr(instance, _STORED, sender._base_manager.using(using).filter(pk=instance.pk).first())


def follow_saved_factor(instance: Any, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """After a second factor is saved: end trust if it was added, reset or put out of use."""
    before = vars(instance).pop(_STORED, None)
    if raw:
        return
    after = instance
    if before is not None and update_fields is not None:
        after = copy.copy(before)
        for name in update_fields:
            setattr(after, name, getattr(instance, name))
    fingerprint = get_provider().factor_fingerprint
    if (fingerprint(before) if before is not None else None) != fingerprint(after):
        _end_trust_of_owners(before, after)


def follow_deleted_factor(instance: Any, **_: Any) -> None:
    """After a second factor is deleted: end trust, unless it never counted."""
    if get_provider().factor_fingerprint(instance) is not None:
        _end_trust_of_owners(instance)


def follow_sign_out(request: HttpRequest | None, user: AbstractBaseUser, **_: Any) -> None:
    """Before a session ends by itself: forget which device it came from."""
    session = getattr(request, "session", None)
    if session is None or user is None:
        return
    note = session_note.read(session, str(user.pk))
    session_note.clear(session)
    if note is not None and note.session_digest:
        sessions.detach(session_digest=note.session_digest)


def follow_trust(device: Device, **_: Any) -> None:
    """After trust was given or ended before its date: tell other apps, where the backend has a way to."""
    get_owner().publish(device.user_id)


def mail_about_new_device(device: Device, new: bool, **_: Any) -> None:
    """Tell a user that a device was trusted for the first time."""
    if new:
        mails.send_new_device(device)


def mail_about_misuse(device: Device, **_: Any) -> None:
    """Tell a user that the key of a device was copied."""
    mails.send_misuse(device)


def mail_about_forgetting(devices: Sequence[Device], actor: Any, **_: Any) -> None:
    """Tell a user that another user made the site forget devices."""
    if actor is not None and actor.pk not in (None, devices[0].user_id):
        mails.send_forgotten(devices)


def follow_setting(setting: str, **_: Any) -> None:
    """Follow another provider's factors when tests change the setting."""
    if setting == conf.NAME:
        follow_factors()


def _touches(update_fields: Collection[str] | None, field: str) -> bool:
    return update_fields is None or field in update_fields


def _kept_key(user: AbstractBaseUser) -> str:
    """Return the key of the device on which ``user`` is changing the password and may stay trusted, if any."""
    if getattr(user, "_password", None) is None or not conf.get_settings().KEEP_DEVICE_ON_PASSWORD_CHANGE:
        return ""
    return jar.key_in_hand(user)


def _end_trust_of_owners(*factors: Any) -> None:
    for owner in {factor.user_id for factor in factors if factor is not None and factor.user_id is not None}:
        devices.end_trust(user=owner, reason=StatusReason.MFA_CHANGED, by=By(actor=_actor()))
        activity.announce(signals.factors_changed, user_id=owner)


def _actor() -> Any:
    """Return the user of the current request, without loading it early."""
    return getattr(jar.current_request.get(), "user", None)


def _factor_models() -> list[type[Model]]:
    try:
        named = get_provider().factor_models()
        return list(dict.fromkeys(model for base in named for model in _with_descendants(base)))
    except (ImproperlyConfigured, ImportError, RuntimeError, TypeError):
        return []  # the system checks say what is wrong with the provider


def _with_descendants(base: type[Any]) -> Iterator[type[Any]]:
    """Yield a model, its proxies and its children: a signal names the very class that is saved."""
    return (model for model in apps.get_models() if issubclass(model, base))


def _connect(signal: Signal, receiver: Any, sender: type[Model] | None = None) -> None:
    signal.connect(receiver, sender=sender, dispatch_uid=_uid(receiver))


def _uid(receiver: Any) -> str:
    return f"{__name__}.{receiver.__name__}"
