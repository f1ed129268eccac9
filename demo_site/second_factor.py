"""Setting up, replacing and removing a user's second factors, on django-otp.

Codes are checked by django-otp, which counts wrong ones on the factor's row: the wait doubles with each, for a factor
that is still being set up as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import django_otp
from django.db import transaction
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from trusted_devices.exceptions import CodeMismatch, TooManyAttempts
from trusted_devices.mfa import get_provider
from trusted_devices.mfa.codes import normalise
from trusted_devices.types import ClientInfo, MfaVerification

RECOVERY_CODES = 10
PENDING_FOR = timedelta(hours=1)
"""How long a key that was shown but not confirmed stays the one being set up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the security page shows of a user's factors."""

    authenticator: TOTPDevice | None
    email: bool
    recovery_codes: int

    @property
    def active(self) -> bool:
        return self.authenticator is not None or self.email


def overview(user: Any) -> Overview:
    """Return which factors ``user`` has."""
    return Overview(
        authenticator=TOTPDevice.objects.filter(user=user, confirmed=True).first(),
        email=EmailDevice.objects.filter(user=user, confirmed=True).exists(),
        recovery_codes=StaticToken.objects.filter(device__user=user, device__confirmed=True).count(),
    )


@transaction.atomic
def pending_authenticator(user: Any, now: datetime) -> TOTPDevice:
    """Return the authenticator that ``user`` is setting up. It counts for nothing before it is confirmed.

    There is one for each user, so that starting over does not start the counting of wrong codes over.
    """
    pending = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
    if pending is None:
        return TOTPDevice.objects.create(user=user, name="Authenticator app", confirmed=False)
    if pending.created_at is None or pending.created_at < now - PENDING_FOR:
        pending.key = default_key()
        pending.created_at = now
        pending.save(update_fields=["key", "created_at"])
    return pending


def confirm_authenticator(user: Any, code: str, now: datetime) -> MfaVerification:
    """Put the authenticator that is being set up to use, in place of any other that ``user`` had.

    Raises ``CodeMismatch`` for a wrong code or when nothing is being set up, ``TooManyAttempts`` while throttled.
    """
    pending = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if pending is None:
        raise CodeMismatch
    allowed, why_not = pending.verify_is_allowed()
    if not allowed:
        raise TooManyAttempts((why_not or {}).get("locked_until"))
    device = django_otp.verify_token(user, pending.persistent_id, normalise(code))
    if device is None:
        raise CodeMismatch
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
    return MfaVerification(kind="totp", factor_id=device.persistent_id, at=now)


def verify(user: Any, code: str, now: datetime) -> MfaVerification:
    """Check and use up a code from the authenticator or a recovery code of ``user``, told apart by their looks.

    Raises ``CodeMismatch`` or ``TooManyAttempts``.
    """
    provider = get_provider()
    kind = "totp" if normalise(code).isdigit() else "recovery"
    method = next((method for method in provider.methods(user) if method.kind == kind), None)
    if method is None:
        raise CodeMismatch
    return provider.verify(user, method, code.lower(), client=ClientInfo(), now=now)


@transaction.atomic
def remove_all(user: Any) -> None:
    """Remove every second factor of ``user``, recovery codes and an unfinished set-up included."""
    for model in django_otp.device_classes():
        model.objects.filter(user=user).delete()


@transaction.atomic
def renew_recovery_codes(user: Any) -> Sequence[str]:
    """Replace the recovery codes of ``user``. The returned ones are shown once and cannot be had again."""
    device, _ = StaticDevice.objects.get_or_create(user=user, defaults={"name": "Recovery codes"})
    device.token_set.all().delete()
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes
