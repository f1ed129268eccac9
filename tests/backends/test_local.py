"""The local backend, beyond the contract."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import RequestFactory
from django_otp.plugins.otp_email.models import EmailDevice

from trusted_devices.backends import get_backend
from trusted_devices.backends.local import LocalBackend
from trusted_devices.exceptions import InvalidCredentials
from trusted_devices.owners.local import LocalOwner
from trusted_devices.types import ClientInfo

CREDENTIALS = {"username": "maria", "password": "correct horse"}


@pytest.fixture
def client_info():
    return ClientInfo(request=RequestFactory().post("/"))


def first_factor(client, **changes):
    def recall(user):
        raise AssertionError("no device is named together with the password")

    return LocalBackend().first_factor(credentials={**CREDENTIALS, **changes}, client=client, recall=recall)


def test_it_is_the_backend_of_a_site_that_names_none(settings):
    settings.TRUSTED_DEVICES = {}
    assert isinstance(get_backend(), LocalBackend)


def test_a_backend_of_ones_own_is_named_by_its_path(settings):
    settings.TRUSTED_DEVICES = {"BACKEND": f"{__name__}.MyBackend"}
    assert isinstance(get_backend(), MyBackend)


class MyBackend(LocalBackend):
    """One's own."""


def test_a_class_of_another_kind_is_refused(settings):
    settings.TRUSTED_DEVICES = {"BACKEND": "builtins.dict"}
    with pytest.raises(TypeError, match="BaseDeviceBackend"):
        get_backend()


def test_it_has_nothing_of_its_own_to_check():
    assert LocalOwner().check() == []


def test_a_wrong_password_is_refused(user, totp, client_info):
    with pytest.raises(InvalidCredentials):
        first_factor(client_info, password="wrong")


def test_the_user_remembers_which_authentication_backend_let_them_in(user, client_info):
    assert first_factor(client_info).user.backend == "django.contrib.auth.backends.ModelBackend"


def test_every_authentication_backend_of_the_site_is_asked(user, client_info, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.ByBadge", *settings.AUTHENTICATION_BACKENDS]
    assert first_factor(client_info, password="badge").user == user


class ByBadge:
    """Knows a user by a badge."""

    def authenticate(self, request, username=None, password=None):
        return get_user_model().objects.get(username=username) if password == "badge" else None


def test_a_code_is_sent_by_the_provider_and_the_state_stays(user, client_info):
    EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    backend = LocalBackend()
    (method,) = backend.methods(user)
    assert backend.send_code(user, method, state={"a": "b"}, client=client_info) == {"a": "b"}
    assert len(mail.outbox) == 1
