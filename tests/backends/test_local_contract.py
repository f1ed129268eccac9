"""The local backend does what the services rely on."""

from __future__ import annotations

import pytest
from django_otp import oath
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.backends.local import LocalBackend
from trusted_devices.testing import DeviceBackendContract


@pytest.mark.django_db
class TestLocalBackend(DeviceBackendContract):
    def make_backend(self):
        return LocalBackend()

    def add_factor(self, user):
        return TOTPDevice.objects.create(user=user, name="phone", confirmed=True)

    def code(self, factor):
        return f"{oath.totp(factor.bin_key):06d}"


@pytest.mark.django_db
class TestLocalBackendBehindAxes(TestLocalBackend):
    @pytest.fixture(autouse=True)
    def _axes(self, settings):
        settings.AXES_ENABLED = True
