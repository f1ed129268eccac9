"""Every race takes place in real threads, on a database that they share."""

from dataclasses import replace

import pytest

from tests.bundled import bundled
from trusted_devices.services import granting, trust
from trusted_devices.types import By, Presented


@pytest.fixture(autouse=True)
def _shared_database(shared_database):
    """Before anything is stored."""


@pytest.fixture
def grant(user, verified, client_info, sixty_days, now):
    """Grant trust to ``user``, who presents nothing unless told otherwise."""

    def grant(**arguments):
        values = {
            "user": user,
            "period": sixty_days,
            "verification": verified,
            "presented": Presented(),
            "client": client_info,
            "now": now,
        }
        values |= {"verification": replace(verified, at=arguments.get("now", now))}
        return granting.grant(**bundled(values | arguments, choice=True))

    return grant


@pytest.fixture
def check(user, client_info):
    """Check whether ``user`` may skip MFA with a credential."""

    def check(credential, *, now):
        presented = Presented(credential=credential)
        return trust.check(user=user, presented=presented, mfa_active=True, by=By(client=client_info, at=now))

    return check
