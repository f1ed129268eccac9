"""User pools, their clients and users, and what the endpoint keeps of sign-ins. Devices are ``trusted_devices.Device``.

Everything that would let its reader in is sealed under ``SECRET_KEY`` (``sealed.py``) or kept as a digest.
"""

from __future__ import annotations

import re
import secrets
import string
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trusted_devices.cognito_idp import conf
from trusted_devices.models import DeviceEvent, PlainCharField
from trusted_devices.services.srp_devices import Terms
from trusted_devices.types import MfaVerification, TrackingMode

DIGEST_LENGTH = 64
MAX_POOL_ID_LENGTH = 55
_ALPHANUMERIC = string.ascii_letters + string.digits

REFRESH_FLOW = "ALLOW_REFRESH_TOKEN_AUTH"
AUTH_FLOWS = (
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    REFRESH_FLOW,
)


def random_text(alphabet: str, length: int) -> str:
    """Return ``length`` characters of ``alphabet``, drawn by the operating system."""
    return "".join(secrets.choice(alphabet) for _position in range(length))


def new_pool_id() -> str:
    """Return a fresh user pool id, ``<region>_<nine letters or digits>``."""
    return f"{conf.get_options().REGION}_{random_text(_ALPHANUMERIC, 9)}"


def new_group_key() -> str:
    """Return a fresh device group key: ``-`` and eight letters or digits."""
    return "-" + random_text(_ALPHANUMERIC, 8)


def new_client_id() -> str:
    """Return a fresh client id: 26 lower-case letters and digits."""
    return random_text(string.ascii_lowercase + string.digits, 26)


def new_access_key_id() -> str:
    """Return a fresh access key id: 20 capitals and digits."""
    return "TDAK" + random_text(string.ascii_uppercase + string.digits, 16)


def default_auth_flows() -> list[str]:
    """Return the flows of a client that names none: SRP and refreshing."""
    return ["ALLOW_USER_SRP_AUTH", REFRESH_FLOW]


def _between(shortest: timedelta, longest: timedelta, message: Any) -> Any:
    return [MinValueValidator(shortest, message=message), MaxValueValidator(longest, message=message)]


TRUST_PERIOD_RANGE = _between(
    timedelta(seconds=1), timedelta(days=400), _("Must be more than nothing and at most 400 days.")
)
TOKEN_RANGE = _between(timedelta(minutes=5), timedelta(days=1), _("Must be from 5 minutes to 1 day."))
REFRESH_TOKEN_RANGE = _between(timedelta(hours=1), timedelta(days=3650), _("Must be from 1 hour to 10 years."))


class MfaConfiguration(models.TextChoices):
    """Whether a pool asks for a second factor."""

    OFF = "OFF", _("Off: never")
    OPTIONAL = "OPTIONAL", _("Optional: users who have one")
    ON = "ON", _("On: everybody; users without one set one up")


class UserPool(models.Model):
    """A door for clients of Cognito to the site's users: how their devices are tracked and when MFA is asked."""

    pool_id = PlainCharField(
        _("user pool id"),
        max_length=MAX_POOL_ID_LENGTH,
        unique=True,
        default=new_pool_id,
        validators=[RegexValidator(re.compile(r"\A[A-Za-z0-9-]{1,18}_[0-9a-zA-Z]{1,36}\Z"))],
    )
    name = models.CharField(_("name"), max_length=128)
    device_group_key = PlainCharField(max_length=16, unique=True, default=new_group_key, editable=False)
    tracking = PlainCharField(
        _("device tracking"),
        max_length=8,
        choices=[
            (TrackingMode.OFF.value, _("Off")),
            (TrackingMode.OPT_IN.value, _("User opt-in: users are asked")),
            (TrackingMode.ALWAYS.value, _("Always remember")),
        ],
        default=TrackingMode.OPT_IN.value,
    )
    challenge_required_on_new_device = models.BooleanField(
        _("remembered devices skip MFA"),
        default=True,
        help_text=_("Only new devices are asked for MFA (Cognito: ChallengeRequiredOnNewDevice)."),
    )
    trust_period = models.DurationField(
        _("trust period"),
        null=True,
        blank=True,
        validators=TRUST_PERIOD_RANGE,
        help_text=_("For how long a remembered device skips MFA, as “60 00:00:00”. Empty: the site's default."),
    )
    mfa = PlainCharField(
        _("MFA"), max_length=8, choices=MfaConfiguration.choices, default=MfaConfiguration.OPTIONAL.value
    )
    software_token_mfa = models.BooleanField(_("codes from authenticator apps"), default=True)
    email_mfa = models.BooleanField(_("codes by e-mail"), default=False)
    sms_mfa = models.BooleanField(_("codes by text message"), default=False)
    email_alias = models.BooleanField(
        _("sign-in by e-mail address"), default=False, help_text=_("Works for addresses that only one user has.")
    )
    keep_srp_verifiers = models.BooleanField(
        _("keep SRP verifiers"),
        default=False,
        help_text=_(
            "USER_SRP_AUTH needs one, made from the password when it is set or typed in. It is stored encrypted; "
            "whoever also has the SECRET_KEY can guess passwords against it much faster than against Django's hashes."
        ),
    )
    required_attributes = models.JSONField(
        _("required attributes"),
        default=list,
        blank=True,
        help_text=_("Users who have to set a new password are asked for those that they lack."),
    )
    refresh_without_device = models.BooleanField(
        _("refresh for unconfirmed devices"),
        default=False,
        help_text=_("Refresh tokens work without a device key as long as the device was never confirmed."),
    )
    threat_protection = models.BooleanField(
        _("authentication events"), default=True, help_text=_("Clients may read sign-in events and give feedback.")
    )
    deletion_protection = models.BooleanField(_("protected from deletion"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    modified_at = models.DateTimeField(_("modified"), auto_now=True)

    class Meta:
        verbose_name = _("user pool")
        verbose_name_plural = _("user pools")

    def __str__(self) -> str:
        return self.name

    @property
    def pool_name(self) -> str:
        """What goes into the SRP identity: the part of the id behind the underscore."""
        return self.pool_id.partition("_")[2]

    @property
    def region(self) -> str:
        """The part of the id in front of the underscore; device keys begin with it."""
        return self.pool_id.partition("_")[0]

    @property
    def issuer(self) -> str:
        """What ``iss`` says in its tokens: the configured endpoint and the pool id."""
        return f"{conf.endpoint()}/{self.pool_id}"

    @property
    def is_tracking(self) -> bool:
        """Whether devices are tracked at all."""
        return self.tracking != TrackingMode.OFF

    @property
    def terms(self) -> Terms:
        """What the pool says of its devices, in the services' words."""
        return Terms(
            tracking=TrackingMode(self.tracking),
            skip_mfa=self.challenge_required_on_new_device,
            period=self.trust_period,
        )


class UserPoolClient(models.Model):
    """An app that signs users in to a pool. A client with a secret proves it at every step."""

    pool = models.ForeignKey(UserPool, models.CASCADE, related_name="clients", verbose_name=_("user pool"))
    client_id = PlainCharField(_("client id"), max_length=128, unique=True, default=new_client_id, editable=False)
    name = models.CharField(_("name"), max_length=128)
    sealed_secret = models.TextField(blank=True, editable=False)
    auth_flows = models.JSONField(
        _("sign-in flows"),
        default=list,
        help_text=_('A list such as ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"].'),
    )
    access_token_validity = models.DurationField(
        _("access tokens last"), default=timedelta(hours=1), validators=TOKEN_RANGE
    )
    id_token_validity = models.DurationField(_("ID tokens last"), default=timedelta(hours=1), validators=TOKEN_RANGE)
    refresh_token_validity = models.DurationField(
        _("refresh tokens last"), default=timedelta(days=30), validators=REFRESH_TOKEN_RANGE
    )
    token_units = models.JSONField(default=dict, editable=False)
    auth_session_validity = models.PositiveSmallIntegerField(
        _("minutes for a sign-in"), default=3, validators=[MinValueValidator(3), MaxValueValidator(15)]
    )
    prevent_user_existence_errors = models.BooleanField(_("never tell who exists"), default=True)
    enable_token_revocation = models.BooleanField(_("tokens can be revoked"), default=True)
    propagate_context = models.BooleanField(
        _("believe the client's address"),
        default=False,
        help_text=_("Log the network address that a client with a secret names (UserContextData)."),
    )
    rotate_refresh_tokens = models.BooleanField(_("rotate refresh tokens"), default=False)
    rotation_grace = models.PositiveSmallIntegerField(
        _("seconds that a rotated token still works"), default=0, validators=[MaxValueValidator(60)]
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    modified_at = models.DateTimeField(_("modified"), auto_now=True)

    class Meta:
        verbose_name = _("app client")
        verbose_name_plural = _("app clients")

    def __str__(self) -> str:
        return self.name

    @property
    def has_secret(self) -> bool:
        """Whether it must prove a secret."""
        return bool(self.sealed_secret)

    def allows(self, flow: str) -> bool:
        """Return whether ``flow`` (with or without ``ALLOW_``) is among its flows."""
        return f"ALLOW_{flow}" in self.auth_flows or flow in self.auth_flows


class PoolUser(models.Model):
    """A user as a pool knows them: a stable ``sub`` that no recycled user name inherits, and choices about MFA."""

    pool = models.ForeignKey(UserPool, models.CASCADE, related_name="users")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    sub = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    preferred_mfa = models.CharField(max_length=20, blank=True)
    mfa_enabled = models.JSONField(default=dict)
    phone_number = models.CharField(_("phone number"), max_length=32, blank=True)
    must_change_password = models.BooleanField(
        _("new password at the next sign-in"),
        default=False,
        help_text=_("The next sign-in through this pool goes on only once the user has set a new password."),
    )

    class Meta:
        verbose_name = _("user of a pool")
        verbose_name_plural = _("users of pools")
        constraints = [models.UniqueConstraint(fields=["pool", "user"], name="td_idp_pool_user")]

    def __str__(self) -> str:
        return str(self.sub)


class SrpCredential(models.Model):
    """A user's SRP verifier, sealed. Good for one password (``password_stamp``) under one user name (``user_id``)."""

    pool_user = models.OneToOneField(PoolUser, models.CASCADE, related_name="srp_credential")
    sealed_verifier = models.TextField(editable=False)
    user_id_for_srp = models.CharField(max_length=255, editable=False)
    password_stamp = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"SRP credential {self.pk}"


class RefreshToken(models.Model):
    """One finished sign-in and all tokens that come from it; ``origin_jti`` is what they have in common.

    Of the refresh token itself only the digest is kept. ``generation`` counts its rotations. ``device_key`` is the
    device that the sign-in carried or was given a key for, ``device_confirmed`` whether that was ever confirmed.
    """

    app_client = models.ForeignKey(UserPoolClient, models.CASCADE, related_name="+")
    pool_user = models.ForeignKey(PoolUser, models.CASCADE, related_name="refresh_tokens")
    origin_jti = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    generation = models.PositiveIntegerField(default=0, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    device_key = models.CharField(max_length=55, blank=True, editable=False)
    device_confirmed = models.BooleanField(default=False, editable=False)
    event_id = models.UUIDField(default=uuid.uuid4, editable=False)
    auth_time = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    mfa_kind = models.CharField(max_length=32, blank=True, editable=False)
    mfa_factor = models.CharField(max_length=255, blank=True, editable=False)
    mfa_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["pool_user", "revoked_at"], name="td_idp_token_user")]

    def __str__(self) -> str:
        return f"refresh token {self.origin_jti}"

    @property
    def user(self) -> Any:
        """Whose sign-in it was."""
        return self.pool_user.user

    @property
    def verification(self) -> MfaVerification | None:
        """The second factor that was verified in that sign-in, if one was."""
        if self.mfa_at is None:
            return None
        return MfaVerification(kind=self.mfa_kind, factor_id=self.mfa_factor, at=self.mfa_at)


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
        blank=True,
        help_text=_('A list of names such as ["AdminListDevices"], where “*” stands for anything: ["AdminList*"].'),
    )
    pools = models.ManyToManyField(
        UserPool,
        blank=True,
        related_name="access_keys",
        verbose_name=_("user pools"),
        help_text=_("Limits the key to these pools. None: all pools, also making new ones."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")

    def __str__(self) -> str:
        return self.access_key_id


class PendingDeviceProof(models.Model):
    """A sign-in that waits for its device to prove itself; ``state`` is what is known of it so far.

    Several clients begin that step without a session, so that nothing in their request says that the first factor
    was passed. Good once, for minutes, for one user, app client and device.
    """

    app_client = models.ForeignKey(UserPoolClient, models.CASCADE, related_name="+")
    pool_user = models.ForeignKey(PoolUser, models.CASCADE, related_name="+")
    device_key = models.CharField(max_length=55, editable=False)
    state = models.JSONField(default=dict, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["pool_user", "device_key"], name="td_idp_device_proof")]

    def __str__(self) -> str:
        return f"device proof {self.pk}"


class SpentToken(models.Model):
    """A session or secret block that has been used up. Unused ones cost no row: they are sealed, not stored."""

    digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"spent {self.digest[:8]}"


class FailedAttempts(models.Model):
    """Guesses at one user name in one pool, whether or not there is such a user, or at one user's code."""

    digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    last_failed_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"attempts {self.digest[:8]}"


class AuthEventFeedback(models.Model):
    """What somebody says of a sign-in: it was (``Valid``) or was not (``Invalid``) the user."""

    event = models.OneToOneField(DeviceEvent, models.CASCADE, related_name="+")
    value = models.CharField(max_length=8)
    provider = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.value
