"""Second factors from django-otp: TOTP and HOTP, codes by e-mail, static recovery codes, and any other plug-in.

django-otp's own row-level throttling guards each factor against guessing; its row lock makes a code good for once.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from time import time
from typing import Any

import django_otp
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _
from django_otp.models import Device as OTPDevice
from django_otp.models import SideChannelDevice
from django_otp.oath import TOTP, hotp

from trusted_devices import database
from trusted_devices.exceptions import BackendUnavailable, CodeMismatch, CodeUsed, TooManyAttempts, UnknownMethod
from trusted_devices.mfa.base import BaseMfaProvider, fingerprint
from trusted_devices.mfa.codes import normalise
from trusted_devices.types import ClientInfo, MfaMethod, MfaVerification

logger = logging.getLogger(__name__)

RECOVERY_APP = "otp_static"
KINDS = {"otp_totp": "totp", "otp_hotp": "hotp", "otp_email": "email", RECOVERY_APP: "recovery"}
NOT_SET_UP = frozenset({"name", "token"})
"""What a factor is called, and the code that was sent last: of texts in a factor's row no part of its set-up."""


class OTPProvider(BaseMfaProvider):
    """``TRUSTED_DEVICES = {"MFA": "trusted_devices.mfa.otp.OTPProvider"}``."""

    def methods(self, user: AbstractBaseUser) -> Sequence[MfaMethod]:
        devices = list(django_otp.devices_for_user(user, confirmed=True))
        for device in devices:
            device.user = user  # whose address codes by e-mail may go to
        sorts = Counter(device._meta.app_label for device in devices)
        factors = [self._method(device, alone=sorts[device._meta.app_label] == 1) for device in devices]
        if all(method.recovery for method in factors):
            return ()  # recovery codes stand in for a factor; alone they are none
        return tuple(sorted(factors, key=lambda method: (method.recovery, method.needs_sending)))

    def verify(
        self, user: AbstractBaseUser, method: MfaMethod, code: str, *, client: ClientInfo, now: datetime
    ) -> MfaVerification:
        token = normalise(code)
        if method.recovery:
            token = token.lower()
        with database.atomic():
            device = self._device(user, method, for_verify=True)
            allowed, why_not = device.verify_is_allowed()
            if not allowed:
                raise TooManyAttempts((why_not or {}).get("locked_until"))
            used = _is_used(device, token)
            verified = not used and bool(token) and device.verify_token(token)
        if used:
            raise CodeUsed
        if not verified:
            # Only now: the failure that the factor has counted must be stored.
            raise CodeMismatch
        return MfaVerification(kind=method.kind, factor_id=method.id, at=now, recovery=method.recovery)

    def send_code(self, user: AbstractBaseUser, method: MfaMethod, *, client: ClientInfo) -> None:
        device = self._device(user, method)
        allowed, why_not = device.generate_is_allowed()
        if not allowed:
            raise TooManyAttempts((why_not or {}).get("next_generation_at"))
        try:
            device.generate_challenge()
        except OSError as error:  # the mail server's refusals are such, too
            logger.error("A code could not be sent (%s).", type(error).__name__)  # noqa: TRY400 - it quotes the address
            raise BackendUnavailable from error

    def on_verified(self, request: Any, user: AbstractBaseUser, verification: MfaVerification) -> None:
        # Django-otp's middleware looks the factor up at the next request, and whose it is; here that would be a query.
        request.session[django_otp.DEVICE_ID_SESSION_KEY] = verification.factor_id

    def kinds(self) -> Iterable[str]:
        apps = {model._meta.app_label for model in django_otp.device_classes()} - {RECOVERY_APP}
        return {KINDS.get(app, app) for app in apps}

    def factor_models(self) -> Iterable[type[Any]]:
        return list(django_otp.device_classes())

    def factor_fingerprint(self, factor: Any) -> str | None:
        if not factor.confirmed or factor._meta.app_label == RECOVERY_APP:
            return None
        return fingerprint(factor.persistent_id, factor.user_id, *_set_up(factor))

    def _method(self, device: Any, *, alone: bool) -> MfaMethod:
        app = device._meta.app_label
        kind = KINDS.get(app, app)
        labels = {
            "totp": _("Code from your authenticator app"),
            "hotp": _("Code from your token"),
            "email": _("Code by e-mail"),
            "recovery": _("Recovery code"),
        }
        label = labels.get(kind, device.name)
        if not alone and label != device.name:
            label = _("%(factor)s: %(name)s") % {"factor": label, "name": device.name}
        return MfaMethod(
            id=device.persistent_id,
            kind=kind,
            label=label,
            recovery=kind == "recovery",
            needs_sending=isinstance(device, SideChannelDevice),
            fingerprint=self.factor_fingerprint(device) or "",
        )

    def _device(self, user: AbstractBaseUser, method: MfaMethod, *, for_verify: bool = False) -> Any:
        device = OTPDevice.from_persistent_id(method.id, for_verify=for_verify)
        if device is None or device.user_id != user.pk or not device.confirmed:
            raise UnknownMethod(method.id)
        return device


def _is_used(device: Any, token: str) -> bool:
    """Return whether ``token`` is a right code of ``device`` that is good no more, as it or a later one was used.

    Who hears so knows a code that nobody can use; whoever guesses hears it as seldom as they guess right.
    """
    app = device._meta.app_label
    if not token.isdigit() or app not in ("otp_totp", "otp_hotp"):
        return False
    if app == "otp_hotp":
        return bool(device.counter) and hotp(device.bin_key, device.counter - 1, device.digits) == int(token)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time()
    unused = totp.verify(int(token), device.tolerance, device.last_t + 1)
    return not unused and totp.verify(int(token), device.tolerance)


def _set_up(factor: Any) -> Iterator[tuple[str, object]]:
    """Yield the columns of a factor that make it what it is, in whatever plug-in: all texts, bytes and references.

    Counters, throttles and times of use are numbers, times and flags, and change with each use.
    """
    if not getattr(factor, "email", True):
        yield "address", factor.user.email  # where its codes go then
    for field in factor._meta.concrete_fields:
        if field.name in NOT_SET_UP or field.primary_key:
            continue
        value = getattr(factor, field.attname)
        if isinstance(value, bytes | bytearray | memoryview):
            yield field.attname, bytes(value)
        elif field.is_relation or isinstance(value, str | uuid.UUID):
            yield field.attname, str(value)
