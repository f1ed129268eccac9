"""People, their devices, and clients that speak for them."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.utils import timezone
from django_otp.oath import totp as totp_code
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from trusted_devices.services import granting, stamps
from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import By, MfaVerification, Presented, VerifiedBy
from trusted_devices.web import session_note
from trusted_devices.web.session_note import Verification

SIXTY_DAYS = timedelta(days=60)


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def trust_device(client_info):
    """Have a user trust a new device, now."""

    def trust_device(user, name="", period=SIXTY_DAYS):
        now = timezone.now()
        return granting.grant(
            user=user,
            verification=MfaVerification(kind="totp", factor_id="otp_totp.totpdevice/1", at=now),
            presented=Presented(),
            choice=TrustChoice(period=period, name=name),
            by=By(client=client_info, at=now),
        )

    return trust_device


@pytest.fixture
def granted(user, totp, trust_device):
    """A device that the user trusts."""
    return trust_device(user, "Work laptop")


@pytest.fixture
def device(granted):
    """The same, as stored."""
    return granted.device


@pytest.fixture
def staff(db):
    """Staff without any permission."""
    return get_user_model().objects.create_user("sam", "sam@example.com", "pw", is_staff=True)


@pytest.fixture
def helpdesk(db):
    """Staff who may look, and no more."""
    user = get_user_model().objects.create_user("hella", "hella@example.com", "pw", is_staff=True)
    _permit(user, "view_device", "view_deviceevent")
    return user


@pytest.fixture
def operator(db):
    """Staff who may do everything to devices."""
    user = get_user_model().objects.create_user("olga", "olga@example.com", "pw", is_staff=True)
    _permit(user, "view_device", "change_device", "delete_device", "view_deviceevent")
    return user


def _permit(user, *codenames):
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


@pytest.fixture
def by_token(db):
    """A client with a user's token; without one for nobody."""

    def by_token(user=None):
        client = APIClient()
        if user is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get_or_create(user=user)[0].key}")
        return client

    return by_token


@pytest.fixture
def by_session(db):
    """A client with a session that was verified in some way, some time ago, with CSRF protection on."""

    def by_session(
        user,
        *,
        verified_by=VerifiedBy.MFA,
        age=timedelta(0),
        device=None,
        csrf=False,
    ):
        client = APIClient(enforce_csrf_checks=csrf)
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        session = client.session
        note = Verification(
            user_id=str(user.pk),
            verified_by=verified_by,
            at=timezone.now() - age,
            device_key=device.device_key if device else "",
            stamp=stamps.current(user),
        )
        session_note.write(session, note)
        session.save()
        return client

    return by_session


@pytest.fixture
def new_code():
    """The code that a user's authenticator shows now; the user gets an authenticator if there is none."""

    def new_code(user):
        factor = TOTPDevice.objects.get_or_create(user=user, confirmed=True, defaults={"name": "phone"})[0]
        return f"{totp_code(factor.bin_key):06d}"

    return new_code
