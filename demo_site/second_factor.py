"""Setting up, replacing and removing a user's second factors, on django-otp.

Codes are checked by django-otp, which counts wrong ones on the factor's row: the wait doubles with each, for a factor
that is still being set up as well.
"""

from __future__ import annotations

import hashlib
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
from trusted_devices.services import enrolment
from trusted_devices.types import ClientInfo, MfaVerification

NAME = "Authenticator app"
RECOVERY_CODES = 10
PENDING_FOR = timedelta(hours=1)
"""How long a key that was shown but not confirmed stays the one being set up."""


class BegunAnew(CodeMismatch):
    """The set-up was begun anew in another browser. The code was not looked at."""


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


def pending_authenticator(user: Any, now: datetime, *, shown: str) -> TOTPDevice:
    """Return the authenticator that ``user`` is setting up. It counts for nothing before it is confirmed.

    There is one for each user, so that starting over does not start the counting of wrong codes over. Its key is one
    that nobody saw but the session that was ``shown`` it (:func:`mark`): whoever knows the password could have begun
    before, and kept the key. Raises ``SecondFactorRequired`` for a user who has a factor.
    """
    with enrolment.changing(user, verified=False):
        return _pending_authenticator(user, now, shown)


def _pending_authenticator(user: Any, now: datetime, shown: str) -> TOTPDevice:
    pending = _pending(user)
    if pending is None:
        return TOTPDevice.objects.create(user=user, name=NAME, confirmed=False)
    if mark(pending) != shown or pending.created_at is None or pending.created_at < now - PENDING_FOR:
        pending.key = default_key()
        pending.created_at = now
        pending.save(update_fields=["key", "created_at"])
    return pending


def mark(pending: TOTPDevice) -> str:
    """Return by what a session remembers which key it was shown."""
    return hashlib.sha256(pending.key.encode()).hexdigest()


def confirm_authenticator(user: Any, code: str, now: datetime, *, shown: str) -> MfaVerification:
    """Put the authenticator that is being set up, and was ``shown``, to use as the first second factor of ``user``.

    Raises ``CodeMismatch`` for a wrong code, ``BegunAnew`` where another key is being set up or none is,
    ``TooManyAttempts`` while throttled, ``SecondFactorRequired`` where there is a factor by now.
    """
    pending = _pending(user)
    if pending is None or mark(pending) != shown:
        raise BegunAnew
    allowed, why_not = pending.verify_is_allowed()
    if not allowed:
        raise TooManyAttempts((why_not or {}).get("locked_until"))
    device = django_otp.verify_token(user, pending.persistent_id, normalise(code))
    if device is None:
        raise CodeMismatch
    with enrolment.changing(user, verified=False):
        stored = _pending(user)
        if stored is None or mark(stored) != shown:
            raise BegunAnew
        stored.confirmed = True
        stored.save(update_fields=["confirmed"])
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


def remove_all(user: Any) -> None:
    """Remove every second factor of ``user``, who has just used one, with recovery codes and an unfinished set-up."""
    with enrolment.changing(user, verified=True):
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


def _pending(user: Any) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user=user, confirmed=False, name=NAME).first()
