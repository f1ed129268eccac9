"""Which user of the site a user of the pool is: known by ``sub`` alone, so that a recycled name inherits nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError
from django.utils.module_loading import import_string

from trusted_devices import database
from trusted_devices.cognito.conf import get_options
from trusted_devices.exceptions import InvalidCredentials
from trusted_devices.models import CognitoUser

logger = logging.getLogger(__name__)

FIELDS = {"email": "email", "given_name": "first_name", "family_name": "last_name"}
"""Claims, and the fields of Django's user model that follow them."""


class UserMapper:
    """How users of the pool become users of the site. Name a subclass in ``COGNITO["USER_MAPPER"]``.

    ``claims`` are those of a verified ID token, or the pool's own record of the user under the same names.
    """

    def create(self, claims: Mapping[str, Any]) -> Any:
        """Return the user for a newcomer.

        A user of the site who has the same name already stays somebody else: whoever may sign up at the pool could
        become anybody here. A site that knows better returns its existing user instead.
        """
        model: Any = get_user_model()
        name = str(claims.get(get_options().USERNAME_CLAIM) or claims["sub"])
        longest = model._meta.get_field(model.USERNAME_FIELD).max_length or len(name) + 9
        if model._default_manager.filter(**{model.USERNAME_FIELD: name}).exists() or len(name) > longest:
            name = f"{name[: longest - 9]}-{claims['sub'][:8]}"
        user = model(**{model.USERNAME_FIELD: name})
        user.set_unusable_password()
        self._follow(user, claims)
        user.save()
        return user

    def update(self, user: Any, claims: Mapping[str, Any]) -> None:
        """Take over what the pool says of ``user`` at every sign-in: name and e-mail address."""
        if changed := self._follow(user, claims):
            user.save(update_fields=changed)

    def _follow(self, user: Any, claims: Mapping[str, Any]) -> list[str]:
        changed = []
        for claim, field in FIELDS.items():
            value = claims.get(claim)
            if not isinstance(value, str) or field == user.USERNAME_FIELD or not _has_field(user, field):
                continue
            value = value[: user._meta.get_field(field).max_length]
            if getattr(user, field) != value:
                setattr(user, field, value)
                changed.append(field)
        return changed


def get_mapper() -> UserMapper:
    """Return the site's mapper."""
    mapper: UserMapper = import_string(get_options().USER_MAPPER)()
    return mapper


def candidate(username: str) -> Any:
    """Return the user who had that name in the pool at the last sign-in, or ``None``.

    Good enough to choose a device to send along, which the pool then checks; whose sign-in it was, tokens tell.
    """
    known = CognitoUser.objects.select_related("user").filter(username=username).first()
    return _ready(known.user) if known is not None else None


def resolve(claims: Mapping[str, Any]) -> Any:
    """Return the user of the site with that ``sub``, made on first sight. Raises ``InvalidCredentials`` if disabled."""
    sub, username = str(claims["sub"]), str(claims.get("cognito:username") or claims["sub"])
    mapper = get_mapper()
    known = CognitoUser.objects.select_related("user").filter(sub=sub).first()
    if known is None:
        known = _meet(mapper, sub, claims)
    else:
        mapper.update(known.user, claims)
    if known.username != username:
        _hand_over(username, known)
    if not known.user.is_active:
        raise InvalidCredentials
    return _ready(known.user)


def sub_of(user_id: Any) -> str | None:
    """Return what the pool knows the user by; ``None`` for users who are not from the pool."""
    return CognitoUser.objects.filter(user=user_id).values_list("sub", flat=True).first()


def _meet(mapper: UserMapper, sub: str, claims: Mapping[str, Any]) -> CognitoUser:
    try:
        with database.atomic():
            user = mapper.create(claims)
            return CognitoUser.objects.create(user=user, sub=sub)
    except IntegrityError:
        # Another request was first; or the mapper named a user who belongs to another ``sub``.
        known = CognitoUser.objects.select_related("user").filter(sub=sub).first()
        if known is None:
            logger.error("The user mapper gave a user of the pool an account that is another's; nobody was signed in.")  # noqa: TRY400
            raise InvalidCredentials from None
        return known


def _hand_over(username: str, known: CognitoUser) -> None:
    """Let a name that was another user's once lead to ``known``."""
    for last in (False, True):
        try:
            with database.atomic():
                holder = CognitoUser.objects.filter(username=username)
                # Locked in one order, so that two who swap their names do not wait for each other for ever.
                both = [known.pk, *holder.values_list("pk", flat=True)]
                list(CognitoUser.objects.select_for_update().filter(pk__in=both).order_by("pk"))
                holder.update(username=None)
                CognitoUser.objects.filter(pk=known.pk).update(username=username)
        except IntegrityError:
            # Somebody else claimed it at the same moment, and holds it now.
            if last:
                raise
        else:
            return


def _ready(user: Any) -> Any:
    """Give ``user`` the authentication backend that its session will name."""
    for path in settings.AUTHENTICATION_BACKENDS:
        if issubclass(import_string(path), ModelBackend):
            user.backend = path
            break
    return user


def _has_field(user: Any, name: str) -> bool:
    try:
        user._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
