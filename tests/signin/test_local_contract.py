"""The site's own sign-in does what the services rely on."""

import pytest
from django_otp import oath
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.signin.local import LocalSignIn
from trusted_devices.testing.contracts import SignInContract


@pytest.mark.django_db
class TestLocalSignIn(SignInContract):
    def make_sign_in(self):
        return LocalSignIn()

    def add_factor(self, user):
        return TOTPDevice.objects.create(user=user, name="phone", confirmed=True)

    def code(self, factor):
        return f"{oath.totp(factor.bin_key):06d}"


@pytest.mark.django_db
class TestLocalSignInBehindAxes(TestLocalSignIn):
    @pytest.fixture(autouse=True)
    def _axes(self, settings):
        settings.AXES_ENABLED = True
