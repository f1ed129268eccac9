"""Fixtures that many tests share: users, a second factor, clients."""

from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.types import ClientInfo, MfaVerification

pytest_plugins = ["tests.service_matrix", "tests.shared_database", "tests.shared_pool"]

hypothesis.settings.register_profile("tests", deadline=None, max_examples=60)
hypothesis.settings.load_profile("tests")

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


@pytest.fixture(autouse=True)
def cold_content_types():
    """Forget the content types that earlier tests looked up, so that counts of queries do not depend on the order."""
    ContentType.objects.clear_cache()


@pytest.fixture
def now():
    """The moment at which tests of rules and services take place."""
    return NOW


@pytest.fixture
def user(db):
    """A user without a second factor; the password is "correct horse"."""
    return get_user_model().objects.create_user("maria", "maria@example.com", "correct horse")


@pytest.fixture
def other_user(db):
    """Somebody else."""
    return get_user_model().objects.create_user("tom", "tom@example.com", "battery staple")


@pytest.fixture
def totp(user):
    """A confirmed TOTP factor of ``user``."""
    return TOTPDevice.objects.create(user=user, name="phone", confirmed=True)


@pytest.fixture
def client_info():
    """Chrome on Windows."""
    return ClientInfo(ip_address="203.0.113.77", user_agent=CHROME)


@pytest.fixture
def verified():
    """A second factor that was verified just now."""
    return MfaVerification(kind="totp", factor_id="otp_totp.totpdevice/1", at=NOW)


@pytest.fixture
def sixty_days():
    """The default period."""
    return timedelta(days=60)
