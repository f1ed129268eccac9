"""Who calls: the site's users as a pool knows them, and programs with an access key."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trusted_devices.cognito_idp.models.identifiers import new_access_key_id
from trusted_devices.cognito_idp.models.pools import UserPool
from trusted_devices.models import DIGEST_LENGTH, PlainCharField


class PoolUser(models.Model):
    """A user as a pool knows them: a stable ``sub`` that no recycled user name inherits, and choices about MFA."""

    pool = models.ForeignKey(UserPool, models.CASCADE, related_name="users")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    sub = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    preferred_mfa = models.CharField(max_length=20, blank=True, default="", db_default="")
    mfa_enabled = models.JSONField(default=dict, db_default={})
    phone_number = models.CharField(_("phone number"), max_length=32, blank=True, default="", db_default="")
    must_change_password = models.BooleanField(
        _("new password at the next sign-in"),
        default=False,
        db_default=False,
        help_text=_("The next sign-in through this pool goes on only once the user has set a new password."),
    )
    modified_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("user of a pool")
        verbose_name_plural = _("users of pools")
        constraints = [models.UniqueConstraint(fields=["pool", "user"], name="td_idp_pool_user")]

    def __str__(self) -> str:
        return str(self.sub)

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save, and note when the user was last changed."""
        if not self._state.adding:
            self.modified_at = timezone.now()
            update_fields = None if update_fields is None else {*update_fields, "modified_at"}
        super().save(update_fields=update_fields, **options)


class SrpCredential(models.Model):
    """A user's SRP verifiers, sealed, by what they are called in the exchange. Good for one password alone."""

    pool_user = models.OneToOneField(PoolUser, models.CASCADE, related_name="srp_credential")
    sealed_verifiers = models.TextField(editable=False)
    password_stamp = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"SRP credential {self.pk}"


class AccessKey(models.Model):
    """A key with which a program signs Admin calls (AWS Signature Version 4). Staff make it; its secret is sealed."""

    access_key_id = PlainCharField(
        _("access key id"), max_length=32, unique=True, default=new_access_key_id, editable=False
    )
    sealed_secret = models.TextField(editable=False)
    name = models.CharField(_("name"), max_length=128, help_text=_("Who uses it, and what for."))
    operations = models.JSONField(
        _("operations"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_('A list of names such as ["AdminListDevices"], where “*” stands for anything: ["AdminList*"].'),
    )
    pools = models.ManyToManyField(
        UserPool,
        blank=True,
        related_name="access_keys",
        verbose_name=_("user pools"),
        help_text=_("The pools that the key is good for. Once the last of them is deleted, it is good for none."),
    )
    all_pools = models.BooleanField(
        _("all user pools"),
        default=False,
        db_default=False,
        help_text=_("Good for every pool, also those to come, and for making new ones."),
    )
    is_active = models.BooleanField(_("active"), default=True, db_default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")

    def __str__(self) -> str:
        return self.access_key_id
