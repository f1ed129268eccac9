"""A session that comes into being while its device is forgotten or loses its trust."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore

from tests.shared_database import at_once
from trusted_devices.models import DeviceSession
from trusted_devices.services import devices, sessions
from trusted_devices.types import By, StatusReason, VerifiedBy

ROUNDS = 10


@pytest.fixture
def signed_in(user, client_info, now):
    """Note that a session came from a device that was trusted."""

    def signed_in(device, session):
        sessions.started(
            user=user,
            verified_by=VerifiedBy.TRUSTED_DEVICE,
            device=device,
            session_key=session.session_key,
            by=By(client=client_info, at=now),
        )

    return signed_in


def new_session(user):
    session = SessionStore()
    session["user"] = str(user.pk)
    session.save()
    return session


def test_no_session_outlives_a_device_that_is_forgotten_meanwhile(user, grant, signed_in, now):
    for _ in range(ROUNDS):
        device, session = grant().device, new_session(user)
        results = at_once(
            lambda d=device, s=session: signed_in(d, s),
            lambda d=device: devices.forget([d], by=By(at=now + timedelta(seconds=1))),
        )
        assert results == [None, 1]
        assert not session.exists(session.session_key)
        assert not DeviceSession.objects.exists()


def test_no_session_outlives_trust_that_ends_with_its_sessions_meanwhile(user, grant, signed_in, now):
    for _ in range(ROUNDS):
        device, session = grant().device, new_session(user)
        results = at_once(
            lambda d=device, s=session: signed_in(d, s),
            lambda: devices.end_trust(
                user=user, reason=StatusReason.ACCOUNT_DISABLED, end_sessions=True, by=By(at=now)
            ),
        )
        assert results == [None, 1]
        assert not session.exists(session.session_key)
