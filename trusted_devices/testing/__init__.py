"""For the tests of sites and extensions: trusted devices and verified sessions without the way there.

What extensions must do is in ``testing.contracts``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from trusted_devices import cookies
from trusted_devices.mfa import get_provider
from trusted_devices.models import Device
from trusted_devices.services import granting, registration, sessions, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import By, ClientInfo, MfaVerification, Presented, VerifiedBy
from trusted_devices.web import logins

CLIENT = ClientInfo(ip_address="192.0.2.1", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")
"""The client of the helpers: Firefox at an address that documentation uses."""


def make_device(
    user: AbstractBaseUser,
    *,
    remembered: bool = True,
    period: timedelta | None = None,
    name: str = "",
    client: ClientInfo = CLIENT,
    now: datetime | None = None,
) -> Device:
    """Return a new device of ``user``, remembered for ``period`` (the policy's default) or only confirmed.

    Raises ``InvalidPeriod`` and ``TrustNotAllowed`` as the site's policy says.
    """
    if remembered:
        return _trusted(user, Presented(), period, name, client, now).device
    return registration.confirm(user=user, name=name, by=By(client=client, at=now or timezone.now()))[0]


def trust_device(
    client: Client,
    user: AbstractBaseUser,
    *,
    period: timedelta | None = None,
    name: str = "",
    now: datetime | None = None,
) -> Device:
    """Let ``user`` trust the browser that ``client`` stands for; its next sign-in takes the password only.

    Raises ``InvalidPeriod`` and ``TrustNotAllowed`` as the site's policy says.
    """
    held = client.cookies.get(cookies.name())
    cookie = cookies.load(held.value if held else None)
    granted = _trusted(user, cookie.present(str(user.pk)), period, name, CLIENT, now)
    client.cookies[cookies.name()] = cookies.dump(cookie.put(granted.credential))
    return granted.device


def force_mfa_login(
    client: Client, user: AbstractBaseUser, *, verified_by: VerifiedBy = VerifiedBy.MFA, device: Device | None = None
) -> None:
    """Sign ``user`` in, on ``device`` if given, as if just verified by a second factor, or as ``verified_by`` says."""
    django_user = cast("Any", user)
    client.force_login(django_user)
    request = HttpRequest()
    request.session = client.session
    request.user = django_user
    provider = get_provider()
    method, verified = next(iter(provider.methods(user)), None), None
    if verified_by in (VerifiedBy.MFA, VerifiedBy.RECOVERY):
        kind, factor_id = (method.kind, method.id) if method is not None else ("testing", "testing")
        recovery = verified_by is VerifiedBy.RECOVERY
        verified = MfaVerification(kind=kind, factor_id=factor_id, at=timezone.now(), recovery=recovery)
    session_key = logins.note_verification(request, user, verified_by=verified_by, device=device, verification=verified)
    if device is not None:
        sessions.attach(device=device, session_key=session_key, now=timezone.now())
    if verified is not None and method is not None and verified_by is VerifiedBy.MFA:
        provider.on_verified(request, user, verified)
    request.session.save()


def _trusted(
    user: AbstractBaseUser,
    presented: Presented,
    period: timedelta | None,
    name: str,
    client: ClientInfo,
    now: datetime | None,
) -> granting.Grant:
    verification = MfaVerification(kind="testing", factor_id="testing", at=now or timezone.now())
    if period is None:
        offer = trust.offer(user=user, verification=verification, client=client)
        period = offer.default if offer else timedelta(days=60)
    return granting.grant(
        user=user,
        verification=verification,
        presented=presented,
        choice=TrustChoice(period=period, name=name),
        by=By(client=client, at=now or timezone.now()),
    )
