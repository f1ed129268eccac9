"""The site's own sign-in, beyond the contract."""

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import RequestFactory
from django_otp.plugins.otp_email.models import EmailDevice

from trusted_devices.backends import Backend
from trusted_devices.exceptions import InvalidCredentials
from trusted_devices.signin import get_sign_in
from trusted_devices.signin.local import LocalSignIn
from trusted_devices.types import ClientInfo

CREDENTIALS = {"username": "maria", "password": "correct horse"}


@pytest.fixture
def client_info():
    return ClientInfo(request=RequestFactory().post("/"))


def begin(client, **changes):
    def recall(user):
        raise AssertionError("no device is named together with the password")

    return LocalSignIn().begin({**CREDENTIALS, **changes}, client=client, recall=recall)


def test_it_signs_people_in_where_the_site_names_nothing_else(settings):
    settings.TRUSTED_DEVICES = {}
    assert type(get_sign_in()) is LocalSignIn


class MySignIn(LocalSignIn):
    """A site's own."""


class NoSignIn:
    """Something else."""


MINE = Backend(sign_in=f"{__name__}.MySignIn")
NONE = Backend(sign_in=f"{__name__}.NoSignIn")


def test_a_sign_in_of_the_sites_own_is_named_by_its_backend(settings):
    settings.TRUSTED_DEVICES = {"BACKEND": f"{__name__}.MINE"}
    assert isinstance(get_sign_in(), MySignIn)


def test_a_class_of_another_kind_is_refused(settings):
    settings.TRUSTED_DEVICES = {"BACKEND": f"{__name__}.NONE"}
    with pytest.raises(TypeError, match=r"NoSignIn is not a .*SignInBackend"):
        get_sign_in()


def test_a_wrong_password_is_refused(user, totp, client_info):
    with pytest.raises(InvalidCredentials):
        begin(client_info, password="wrong")


def test_the_user_keeps_which_authentication_backend_let_them_in(user, client_info):
    assert begin(client_info).user.backend == "django.contrib.auth.backends.ModelBackend"


def test_every_authentication_backend_of_the_site_is_asked(user, client_info, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.ByBadge", *settings.AUTHENTICATION_BACKENDS]
    assert begin(client_info, password="badge").user == user


class ByBadge:
    """Knows a user by a badge."""

    def authenticate(self, request, username=None, password=None):
        return get_user_model().objects.get(username=username) if password == "badge" else None


def test_a_code_is_sent_by_the_provider_and_nothing_is_kept(user, client_info):
    EmailDevice.objects.create(user=user, name="mail", confirmed=True)
    conversation = begin(client_info)
    (method,) = conversation.methods()
    conversation.send(method)
    assert len(mail.outbox) == 1
    assert conversation.state == {}


def test_the_methods_are_read_once_in_a_conversation(user, totp, client_info, django_assert_max_num_queries):
    conversation = begin(client_info)
    assert conversation.mfa_active
    with django_assert_max_num_queries(0):
        assert [method.id for method in conversation.methods()] == [totp.persistent_id]
