"""The provider of django-otp does what the sign-in relies on, with codes from an app, by e-mail and from a list."""

import pytest
from django.core import mail
from django_otp import oath
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.mfa.otp import OTPProvider
from trusted_devices.testing.contracts import MfaProviderContract


class _Contract(MfaProviderContract):
    def make_provider(self):
        return OTPProvider()


@pytest.mark.django_db
class TestTotp(_Contract):
    def add_factor(self, user):
        return TOTPDevice.objects.create(user=user, name="phone", confirmed=True)

    def code(self, factor):
        return f"{oath.totp(factor.bin_key):06d}"


@pytest.mark.django_db
class TestHotp(_Contract):
    def add_factor(self, user):
        return HOTPDevice.objects.create(user=user, name="token", confirmed=True)

    def code(self, factor):
        return f"{oath.hotp(factor.bin_key, factor.counter):06d}"


@pytest.mark.django_db
class TestEmail(_Contract):
    def add_factor(self, user):
        user.email = "somebody@example.com"
        user.save()
        factor = EmailDevice.objects.create(user=user, name="mail", confirmed=True)
        factor.generate_challenge()
        factor.refresh_from_db()
        assert mail.outbox
        return factor

    def code(self, factor):
        return factor.token
