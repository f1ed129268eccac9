"""User pools and their app clients: what staff set up."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trusted_devices.cognito_idp import conf
from trusted_devices.cognito_idp.models.identifiers import new_client_id, new_group_key, new_pool_id, new_seed
from trusted_devices.models import PlainCharField
from trusted_devices.types import TrackingMode

MAX_POOL_ID_LENGTH = 55

REFRESH_FLOW = "ALLOW_REFRESH_TOKEN_AUTH"
AUTH_FLOWS = (
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    REFRESH_FLOW,
)
_ALWAYS_LEGACY = {"ALLOW_USER_SRP_AUTH", REFRESH_FLOW}
LEGACY_FLOWS = {
    "ADMIN_NO_SRP_AUTH": {"ALLOW_ADMIN_USER_PASSWORD_AUTH", *_ALWAYS_LEGACY},
    "USER_PASSWORD_AUTH": {"ALLOW_USER_PASSWORD_AUTH", *_ALWAYS_LEGACY},
    "CUSTOM_AUTH_FLOW_ONLY": {REFRESH_FLOW},
}
"""The old names of flows, and what a client with one of them may do: refreshing always, SRP as well unless "only"."""


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
        db_default=TrackingMode.OPT_IN.value,
    )
    challenge_required_on_new_device = models.BooleanField(
        _("remembered devices skip MFA"),
        default=True,
        db_default=True,
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
        _("MFA"),
        max_length=8,
        choices=MfaConfiguration.choices,
        default=MfaConfiguration.OPTIONAL.value,
        db_default=MfaConfiguration.OPTIONAL.value,
    )
    software_token_mfa = models.BooleanField(_("codes from authenticator apps"), default=True, db_default=True)
    email_mfa = models.BooleanField(_("codes by e-mail"), default=False, db_default=False)
    sms_mfa = models.BooleanField(_("codes by text message"), default=False, db_default=False)
    email_alias = models.BooleanField(
        _("sign-in by e-mail address"),
        default=False,
        db_default=False,
        help_text=_("Works for addresses that only one user has, and that are nobody else's user name."),
    )
    srp_seed = PlainCharField(max_length=64, default=new_seed, editable=False)
    keep_srp_verifiers = models.BooleanField(
        _("keep SRP verifiers"),
        default=True,
        db_default=True,
        help_text=_(
            "USER_SRP_AUTH needs one, made from the password when it is set or typed in. It is stored encrypted; "
            "whoever also has the SECRET_KEY can guess passwords against it much faster than against Django's hashes."
        ),
    )
    required_attributes = models.JSONField(
        _("required attributes"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Users who have to set a new password are asked for those that they lack."),
    )
    refresh_without_device = models.BooleanField(
        _("refresh for unconfirmed devices"),
        default=False,
        db_default=False,
        help_text=_("Refresh tokens work without a device key as long as the device was never confirmed."),
    )
    threat_protection = models.BooleanField(
        _("authentication events"),
        default=True,
        db_default=True,
        help_text=_("Clients may read sign-in events and give feedback."),
    )
    deletion_protection = models.BooleanField(_("protected from deletion"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_default=Now(), editable=False)
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


class UserPoolClient(models.Model):
    """An app that signs users in to a pool. A client with a secret proves it at every step."""

    pool = models.ForeignKey(UserPool, models.CASCADE, related_name="clients", verbose_name=_("user pool"))
    client_id = PlainCharField(_("client id"), max_length=128, unique=True, default=new_client_id, editable=False)
    name = models.CharField(_("name"), max_length=128)
    sealed_secret = models.TextField(blank=True, default="", db_default="", editable=False)
    auth_flows = models.JSONField(
        _("sign-in flows"),
        default=list,
        db_default=[],
        help_text=_('A list such as ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"].'),
    )
    access_token_validity = models.DurationField(
        _("access tokens last"), default=timedelta(hours=1), db_default=timedelta(hours=1), validators=TOKEN_RANGE
    )
    id_token_validity = models.DurationField(
        _("ID tokens last"), default=timedelta(hours=1), db_default=timedelta(hours=1), validators=TOKEN_RANGE
    )
    refresh_token_validity = models.DurationField(
        _("refresh tokens last"),
        default=timedelta(days=30),
        db_default=timedelta(days=30),
        validators=REFRESH_TOKEN_RANGE,
    )
    token_units = models.JSONField(default=dict, db_default={}, editable=False)
    auth_session_validity = models.PositiveSmallIntegerField(
        _("minutes for a sign-in"), default=3, db_default=3, validators=[MinValueValidator(3), MaxValueValidator(15)]
    )
    prevent_user_existence_errors = models.BooleanField(_("never tell who exists"), default=True, db_default=True)
    enable_token_revocation = models.BooleanField(_("tokens can be revoked"), default=True, db_default=True)
    propagate_context = models.BooleanField(
        _("believe the client's address"),
        default=False,
        db_default=False,
        help_text=_("Log the network address that a client with a secret names (UserContextData)."),
    )
    rotate_refresh_tokens = models.BooleanField(_("rotate refresh tokens"), default=False, db_default=False)
    rotation_grace = models.PositiveSmallIntegerField(
        _("seconds that a rotated token still works"), default=0, db_default=0, validators=[MaxValueValidator(60)]
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_default=Now(), editable=False)
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
        """Return whether the client may use ``flow``, such as ``USER_SRP_AUTH``."""
        return f"ALLOW_{flow}" in self.flows

    @property
    def flows(self) -> set[str]:
        """Its flows by the names of today (``ALLOW_``), whichever names they were given by."""
        return {name for flow in self.auth_flows for name in LEGACY_FLOWS.get(flow, {flow})}
