"""Device, DeviceSession, SessionToEnd and DeviceEvent. Facts only: who may change them and when is in ``services``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trusted_devices.querysets import DeviceEventQuerySet, DeviceQuerySet
from trusted_devices.types import Binding, DeviceStatus, StatusReason
from trusted_devices.words import browsers, reasons

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField

DIGEST_LENGTH = 64
STAMP_DOT = "."
"""What stands between the password's and the factors' half of a credential stamp."""
STAMP_LENGTH = 2 * DIGEST_LENGTH + len(STAMP_DOT)


class PlainCharField(_CharField):
    """A ``CharField`` that migrations know as Django's own.

    Its choices, and the function that makes a default, are no part of the table: they may grow, move and be worded
    anew without a migration, and no migration needs this package.
    """

    def deconstruct(self) -> Any:
        """Return what migrations keep: nothing that lives in this package."""
        name, _path, args, kwargs = super().deconstruct()
        kwargs.pop("choices", None)
        if callable(kwargs.get("default")):
            del kwargs["default"]
        return name, "django.db.models.CharField", args, kwargs


class Device(models.Model):
    """One user's browser or app installation.

    ``device_key`` is its public identifier, never a secret. Of the device secret only digests are kept: the current
    one, and the successor's until that has been seen. ``trust_granted_at`` and ``trust_period`` are what was chosen,
    ``trust_expires_at`` what came of it; the effective expiry may be earlier (``policy.effective_expiry``).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="trusted_devices",
        verbose_name=_("user"),
        db_index=False,
    )
    device_key = models.CharField(_("device key"), max_length=55, unique=True, editable=False)
    device_group_key = models.CharField(_("device group key"), max_length=16, editable=False)
    name = models.CharField(_("name"), max_length=1024, blank=True, default="", db_default="")
    binding = PlainCharField(
        _("binding"),
        max_length=16,
        choices=reasons.BINDINGS,
        default=Binding.COOKIE.value,
        db_default=Binding.COOKIE.value,
        editable=False,
    )

    status = PlainCharField(
        _("status"),
        max_length=16,
        choices=reasons.STATUSES,
        default=DeviceStatus.NOT_REMEMBERED.value,
        db_default=DeviceStatus.NOT_REMEMBERED.value,
        editable=False,
    )
    status_reason = PlainCharField(
        _("why"),
        max_length=32,
        choices=reasons.STATUS_REASONS,
        default=StatusReason.CONFIRMED.value,
        db_default=StatusReason.CONFIRMED.value,
        editable=False,
    )
    status_changed_at = models.DateTimeField(_("status since"), default=timezone.now, db_default=Now(), editable=False)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, editable=False)
    trust_granted_at = models.DateTimeField(_("trusted since"), null=True, editable=False)
    trust_period = models.DurationField(_("chosen period"), null=True, editable=False)
    trust_expires_at = models.DateTimeField(_("trusted until"), null=True, editable=False)
    mfa_factor = models.CharField(_("earned by"), max_length=255, blank=True, default="", db_default="", editable=False)

    secret_digest = models.CharField(max_length=DIGEST_LENGTH, blank=True, default="", db_default="", editable=False)
    next_secret_digest = models.CharField(
        max_length=DIGEST_LENGTH, blank=True, default="", db_default="", editable=False
    )
    secret_generation = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    rotation_nonce = models.BinaryField(default=bytes, db_default=b"", editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    srp_salt = models.BinaryField(null=True, editable=False)
    srp_verifier = models.BinaryField(null=True, editable=False)
    credential_stamp = models.CharField(max_length=STAMP_LENGTH, blank=True, default="", db_default="", editable=False)
    grant_id = models.CharField(max_length=DIGEST_LENGTH, null=True, unique=True, editable=False)

    last_authenticated_at = models.DateTimeField(_("last used"), null=True, editable=False)
    last_ip = models.GenericIPAddressField(_("last network address"), null=True, editable=False)
    user_agent = models.CharField(
        _("user agent"), max_length=browsers.MAX_LENGTH, blank=True, default="", db_default="", editable=False
    )
    created_at = models.DateTimeField(_("first seen"), default=timezone.now, db_default=Now(), editable=False)
    modified_at = models.DateTimeField(_("modified"), default=timezone.now, db_default=Now(), editable=False)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        indexes = [
            models.Index(fields=["user", "status"], name="td_device_user_status"),
            # MariaDB and MySQL ignore the condition (models.W037); the status in front makes the index serve there too.
            models.Index(
                fields=["status", "trust_expires_at"],
                name="td_device_due",
                condition=Q(status=DeviceStatus.REMEMBERED.value),
            ),
            models.Index(
                fields=["status", "modified_at"],
                name="td_device_dead",
                condition=Q(status=DeviceStatus.NOT_REMEMBERED.value),
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name that its user gave it, or else browser and system in words."""
        return self.name or self.description

    @property
    def description(self) -> str:
        """Browser and system in words, such as "Chrome on Windows"."""
        return browsers.describe(self.user_agent)

    @property
    def is_remembered(self) -> bool:
        """Whether its status is remembered; trust may have ended all the same."""
        return self.status == DeviceStatus.REMEMBERED


class CognitoUser(models.Model):
    """Which user of an Amazon Cognito user pool a user of the site is, by ``sub``, which nobody inherits.

    ``username`` is the name that the pool had for them last; names can be given to somebody else. ``synced_at`` is
    when their devices were last compared with the pool's.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="cognito_user", verbose_name=_("user")
    )
    sub = models.CharField(max_length=128, unique=True, editable=False)
    username = models.CharField(_("name in the user pool"), max_length=128, unique=True, null=True, editable=False)
    synced_at = models.DateTimeField(_("compared"), null=True, editable=False, db_index=True)

    class Meta:
        verbose_name = _("user of the user pool")
        verbose_name_plural = _("users of the user pool")

    def __str__(self) -> str:
        return self.sub


class DeviceSession(models.Model):
    """Which live session came from which device. The session key, a credential, is kept sealed and as a digest."""

    device = models.ForeignKey(Device, models.CASCADE, related_name="sessions", verbose_name=_("device"))
    session_digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    sealed_session_key = models.TextField(editable=False)
    created_at = models.DateTimeField(_("signed in"), default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("device session")
        verbose_name_plural = _("device sessions")
        indexes = [models.Index(fields=["created_at"], name="td_session_time")]

    def __str__(self) -> str:
        return f"session {self.pk}"


class SessionToEnd(models.Model):
    """A session that should have ended when the site's sessions could not be reached. Its key is kept as above."""

    session_digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    sealed_session_key = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("session to end")
        verbose_name_plural = _("sessions to end")

    def __str__(self) -> str:
        return f"session {self.pk}"


class DeviceEvent(models.Model):
    """One entry of the append-only activity log: who did what to which device, with what outcome."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="trusted_device_events",
        verbose_name=_("user"),
        db_index=False,
    )
    device = models.ForeignKey(
        Device, models.SET_NULL, null=True, related_name="events", verbose_name=_("device"), db_index=False
    )
    device_key = models.CharField(_("device key"), max_length=55, blank=True, default="", db_default="")
    action = PlainCharField(_("action"), max_length=32, choices=reasons.ACTIONS)
    reason = models.CharField(_("reason"), max_length=32, blank=True, default="", db_default="")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    note = models.CharField(_("note"), max_length=255, blank=True, default="", db_default="")
    ip_address = models.GenericIPAddressField(_("network address"), null=True)
    user_agent = models.CharField(
        _("user agent"), max_length=browsers.MAX_LENGTH, blank=True, default="", db_default=""
    )
    created_at = models.DateTimeField(_("when"), default=timezone.now, db_default=Now())

    objects = DeviceEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activity log")
        indexes = [
            models.Index(fields=["user", "-created_at"], name="td_event_user_time"),
            models.Index(fields=["device", "-created_at"], name="td_event_device_time"),
            models.Index(fields=["action", "created_at"], name="td_event_action_time"),
            models.Index(fields=["created_at"], name="td_event_time"),
            # Entries outlive their device; this finds those of a device that was forgotten.
            models.Index(fields=["device_key"], name="td_event_device_key"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.device_key}".strip()

    def get_reason_display(self) -> str:
        """The reason in words; as it is where there are none for it."""
        return reasons.describe(self.reason)
