"""Passwords that are set, and the path without its slash."""

import pytest
from django.contrib.auth import get_user_model

from trusted_devices.cognito_idp.models import RefreshToken, SrpCredential, UserPool
from trusted_devices.cognito_idp.receivers import UNSLASHED, append_slash


def test_a_password_that_is_set_gives_a_verifier_where_the_pool_wants_one(app, user):
    user.set_password("another one")
    user.save()
    app.password = "another one"
    assert "AuthenticationResult" in app.srp_sign_in()


def test_a_verifier_rests_sealed(app, user):
    app.password_sign_in()
    credential = SrpCredential.objects.get()
    assert credential.sealed_verifier
    assert app.pool.pool_name not in credential.sealed_verifier
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
