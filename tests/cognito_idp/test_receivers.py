"""Passwords that are set, and the path without its slash."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.hashers import make_password

from tests.cognito_idp.wire import Refused
from trusted_devices.cognito_idp.models import FailedAttempts, PoolUser, RefreshToken, SrpCredential, UserPool
from trusted_devices.cognito_idp.receivers import UNSLASHED, append_slash


def test_a_password_that_is_set_gives_a_verifier_where_the_pool_wants_one(app, user):
    user.set_password("another one")
    user.save()
    app.password = "another one"
    assert "AuthenticationResult" in app.srp_sign_in()


def test_a_verifier_rests_sealed(app, user):
    app.password_sign_in()
    credential = SrpCredential.objects.get()
    assert credential.sealed_verifiers
    assert app.pool.pool_name not in credential.sealed_verifiers
    assert str(credential) == f"SRP credential {credential.pk}"


def test_where_no_pool_wants_one_no_verifier_is_made(app, user):
    UserPool.objects.update(keep_srp_verifiers=False)
    user.set_password("another one")
    user.save()
    assert not SrpCredential.objects.exists()


def test_an_old_verifier_goes_with_its_password_in_every_pool(app, srp_user):
    UserPool.objects.update(keep_srp_verifiers=False)
    srp_user.set_password("another one")
    srp_user.save()
    assert not SrpCredential.objects.exists()


def test_a_verifier_is_worthless_once_the_hash_is_another_one(app, srp_user):
    get_user_model().objects.update(password="md5$x$y")
    with pytest.raises(AssertionError, match="Incorrect username or password"):
        app.srp_sign_in()


def test_saving_a_user_without_a_new_password_ends_nothing(app, user):
    app.sign_in()
    user.first_name = "Maria"
    user.save()
    assert RefreshToken.objects.get().revoked_at is None
    user.set_password("another one")
    user.save()
    assert RefreshToken.objects.get().revoked_at is not None


def test_an_upgraded_hash_ends_nothing_and_leaves_a_verifier(app, srp_user, settings):
    app.sign_in()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    app.sign_in()
    assert not RefreshToken.objects.filter(revoked_at__isnull=False).exists()
    assert "AuthenticationResult" in app.srp_sign_in()


async def check(user):
    return await user.acheck_password("correct horse")


@pytest.mark.parametrize("how", ["page", "check", "async check"])
def test_a_hash_upgraded_elsewhere_leaves_srp_as_it_was(app, srp_user, settings, how):
    user = get_user_model().objects.get()
    before, modified = user.password, PoolUser.objects.get().modified_at
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher", *settings.PASSWORD_HASHERS]
    if how == "page":
        assert authenticate(username="maria", password="correct horse")
    elif how == "check":
        assert user.check_password("correct horse")
    else:
        assert async_to_sync(check)(user)
    assert get_user_model().objects.get().password != before
    assert "AuthenticationResult" in app.srp_sign_in()
    assert not FailedAttempts.objects.filter(failures__gt=0).exists()
    assert PoolUser.objects.get().modified_at == modified, "nobody changed the user"


def test_a_hash_that_is_merely_assigned_leaves_no_verifier(app, srp_user):
    app.sign_in()
    for number, how in enumerate(("save", "save the field", "update")):
        srp_user.password = make_password(f"another one {number}")
        if how == "update":
            get_user_model().objects.update(password=srp_user.password)
        else:
            srp_user.save(update_fields=["password"] if how == "save the field" else None)
        with pytest.raises(Refused, match="Incorrect username or password"):
            app.srp_sign_in()


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_the_endpoints_path_is_given_its_slash_and_no_other_path_is(method):
    for path, expected in (("/cognito-idp", "/cognito-idp/"), ("/cognito-idp/", "/cognito-idp/"), ("/admin", "/admin")):
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
        append_slash(environ=environ)
        assert environ["PATH_INFO"] == expected
        scope = {"method": method, "path": path}
        append_slash(scope=scope)
        assert scope["path"] == expected
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/cognito-idp"}
    append_slash(environ=environ)
    assert environ == {"REQUEST_METHOD": "GET", "PATH_INFO": "/cognito-idp"}
    append_slash()
    assert UNSLASHED not in environ


@pytest.mark.urls("tests.cognito_idp.no_urls")
def test_a_site_that_does_not_route_the_endpoint_is_left_alone():
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/cognito-idp"}
    append_slash(environ=environ)
    assert environ["PATH_INFO"] == "/cognito-idp"
