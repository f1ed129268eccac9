"""Finished sign-ins with their tokens, and the keys that sign tokens."""

from __future__ import annotations

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from trusted_devices.cognito_idp.models.accounts import PoolUser
from trusted_devices.cognito_idp.models.pools import UserPool, UserPoolClient
from trusted_devices.models import DIGEST_LENGTH, STAMP_LENGTH, PlainCharField
from trusted_devices.types import MfaVerification


class RefreshToken(models.Model):
    """One finished sign-in and all tokens that come from it; ``origin_jti`` is what they have in common.

    Of the refresh token itself only the digest is kept. ``generation`` counts its rotations. ``device_key`` is the
    device that the sign-in carried or was given a key for, ``device_confirmed`` whether that was ever confirmed. All
    tokens are good only while the user has the credentials of ``credential_stamp``.
    """

    app_client = models.ForeignKey(UserPoolClient, models.CASCADE, related_name="+")
    pool_user = models.ForeignKey(PoolUser, models.CASCADE, related_name="refresh_tokens")
    origin_jti = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    generation = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    device_key = models.CharField(max_length=55, blank=True, default="", db_default="", editable=False)
    device_confirmed = models.BooleanField(default=False, db_default=False, editable=False)
    event_id = models.UUIDField(default=uuid.uuid4, editable=False)
    auth_time = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    mfa_kind = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    mfa_factor = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    mfa_at = models.DateTimeField(null=True, editable=False)
    credential_stamp = models.CharField(max_length=STAMP_LENGTH, default="", db_default="", editable=False)

    class Meta:
        indexes = [models.Index(fields=["pool_user", "revoked_at"], name="td_idp_token_user")]

    def __str__(self) -> str:
        return f"refresh token {self.origin_jti}"

    @property
    def user(self) -> AbstractBaseUser:
        """Whose sign-in it was."""
        return self.pool_user.user

    @property
    def verification(self) -> MfaVerification | None:
        """The second factor that was verified in that sign-in, if one was."""
        if self.mfa_at is None:
            return None
        return MfaVerification(
            kind=self.mfa_kind, factor_id=self.mfa_factor, at=self.mfa_at, stamp=self.credential_stamp
        )


class TokenUse(models.TextChoices):
    """What a signing key signs."""

    ACCESS = "access", _("Access tokens")
    ID = "id", _("ID tokens")


class SigningKey(models.Model):
    """An RSA key of one pool for one sort of token. It is published before it signs and after it has stopped."""

    pool = models.ForeignKey(UserPool, models.CASCADE, related_name="signing_keys")
    token_use = PlainCharField(max_length=8, choices=TokenUse.choices, editable=False)
    kid = models.CharField(max_length=64, unique=True, editable=False)
    sealed_private_key = models.TextField(editable=False)
    public_jwk = models.JSONField(editable=False)
    signs_from = models.DateTimeField(editable=False)
    published_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["pool", "token_use", "signs_from"], name="td_idp_signing_key")]

    def __str__(self) -> str:
        return self.kid
