"""Staff in front of the admin: an operator who may do everything, and a help desk that may only look."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from tests.factories import remembered
from trusted_devices.models import Device
from trusted_devices.services import sessions, stamps
from trusted_devices.types import VerifiedBy
from trusted_devices.web import session_note
from trusted_devices.web.session_note import Verification


@pytest.fixture
def operator(db):
    """A superuser."""
    return get_user_model().objects.create_superuser("olga", "olga@example.com", "pw")


@pytest.fixture
def help_desk(db):
    """Staff who may view devices and their activity."""
    staff = get_user_model().objects.create_user("hana", "hana@example.com", "pw", is_staff=True)
    grant(staff, "view_device", "view_deviceevent")
    return staff


def grant(staff, *codenames):
    """Give permissions on the app's models."""
    found = Permission.objects.filter(content_type__app_label="trusted_devices", codename__in=codenames)
    assert found.count() == len(codenames)
    staff.user_permissions.add(*found)


@pytest.fixture
def desk(operator):
    """The operator's browser, signed in."""
    return signed_in(operator)


@pytest.fixture
def looking_desk(help_desk):
    """The help desk's browser, signed in."""
    return signed_in(help_desk)


def signed_in(user):
    """Return a browser of ``user``, who has just used a second factor."""
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    session = client.session
    stamp = stamps.current(user)
    note = Verification(user_id=str(user.pk), verified_by=VerifiedBy.MFA, at=timezone.now(), stamp=stamp)
    session_note.write(session, note)
    session.save()
    return client


@pytest.fixture
def a_device(user):
    """A device of ``user`` that is trusted for thirty more days."""
    device = remembered(user, expires_at=timezone.now() + timedelta(days=30), name="Kitchen laptop")
    device.save()
    return device


@pytest.fixture
def live_session(a_device, user):
    """A browser that is signed in from ``a_device``."""
    client = signed_in(user)
    sessions.attach(device=a_device, session_key=client.session.session_key, now=timezone.now())
    return client


def is_signed_in(client):
    """Whether the server still knows the browser's session."""
    return client.session.get("_auth_user_id") is not None


def make_devices(user, count, **fields):
    """Store ``count`` devices of ``user`` that are trusted for thirty more days."""
    expiry = timezone.now() + timedelta(days=30)
    return Device.objects.bulk_create([remembered(user, expires_at=expiry, **fields) for _ in range(count)])
