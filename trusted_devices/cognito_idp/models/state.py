"""Unfinished sign-ins, wrong guesses, and feedback on sign-ins."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from trusted_devices.cognito_idp.models.accounts import PoolUser
from trusted_devices.cognito_idp.models.pools import UserPoolClient
from trusted_devices.models import DIGEST_LENGTH, DeviceEvent


class PendingDeviceProof(models.Model):
    """A sign-in that waits for its device to prove itself; ``state`` is what is known of it so far.

    Several clients begin that step without a session, so that nothing in their request says that the first factor
    was passed; they must come from the ``origin`` that passed it, a digest of its network. Others name the ``sign_in``.
    Good once, for minutes, for one user, app client and device.
    """

    app_client = models.ForeignKey(UserPoolClient, models.CASCADE, related_name="+")
    pool_user = models.ForeignKey(PoolUser, models.CASCADE, related_name="+")
    device_key = models.CharField(max_length=55, editable=False)
    sign_in = models.CharField(max_length=32, editable=False)
    origin = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    state = models.JSONField(default=dict, db_default={}, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["device_key"], name="td_idp_device_proof")]

    def __str__(self) -> str:
        return f"device proof {self.pk}"


class SpentToken(models.Model):
    """A session or secret block that has been used up, or a person or number that was sent a text message just now.

    Unused ones cost no row: they are sealed, not stored.
    """

    digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"spent {self.digest[:8]}"


class FailedAttempts(models.Model):
    """Guesses at one user name in one pool, whether or not there is such a user, or at one user's code."""

    digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    last_failed_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"attempts {self.digest[:8]}"


class AuthEventFeedback(models.Model):
    """What is said of a sign-in: it was (``Valid``) or was not (``Invalid``) the user."""

    event = models.OneToOneField(DeviceEvent, models.CASCADE, related_name="+")
    value = models.CharField(max_length=8)
    provider = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now())

    def __str__(self) -> str:
        return self.value
