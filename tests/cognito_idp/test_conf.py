"""The endpoint's options and checks."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from tests.broken_database import broken
from tests.cognito_idp.factories import make_pool
from trusted_devices.cognito_idp import checks, conf, senders


@pytest.fixture
def configure(settings):
    def change(**options):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "COGNITO_IDP": options}

    return change


def test_without_options_the_region_is_the_sites(configure):
    configure()
    assert conf.get_options() == conf.Options(REGION="local")
    with pytest.raises(ImproperlyConfigured, match="must name the ENDPOINT"):
        conf.endpoint()
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito_idp.E002"]


@pytest.mark.parametrize(
    "options",
    [
        {"ENDPOINT": "http://example.com/"},
        {"ENDPOINT": "example.com"},
        {"ENDPOINT": "ftp://example.com"},
        {"ENDPOINT": "http://[bad"},
        {"ENDPOINT": 5},
        {"ENDPOINT": "https://example.com?x=1"},
        {"REGION": "eu_west"},
        {"REGION": "x" * 19},
        {"ACCOUNT_ID": "1"},
        {"SMS_SENDER": "nodots"},
        {"ENDPIONT": "http://example.com"},
    ],
)
def test_options_that_could_not_work_are_named(configure, options):
    configure(**options)
    with pytest.raises(ImproperlyConfigured, match=next(iter(options))):
        conf.get_options()
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito_idp.E002"]


def test_a_sender_that_does_not_exist_is_an_error(configure):
    configure(ENDPOINT="https://example.com/idp", SMS_SENDER="nowhere.send")
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito_idp.E002"]
    configure(ENDPOINT="https://example.com/idp")
    assert checks.check_options() == []
    assert senders.get_sender() is None


def test_a_missing_library_and_slow_arithmetic_are_told(monkeypatch):
    assert checks.check_installation() == []
    monkeypatch.setattr(checks, "find_spec", lambda _name: None)
    monkeypatch.setattr(checks.modexp, "implementation", lambda: "python")
    error, info = checks.check_installation()
    assert error.hint == "pip install 'django-device-trust[cognito-idp]'"
    assert "pure Python" in info.msg
    assert checks.check_arithmetic() == []


def test_pools_that_do_not_ask_for_the_site_s_factors_are_named(pool):
    make_pool(name="strict", mfa="ON", software_token_mfa=False, email_mfa=True)
    make_pool(name="all", email_mfa=True)
    make_pool(name="none", mfa="OFF")
    lax, strict = checks.check_factors(databases=["default"])
    assert lax.id == strict.id == "trusted_devices_cognito_idp.W002"
    assert (lax.msg.partition("have: ")[2], "with a password alone" in lax.hint) == ("email.", True)
    assert (strict.msg.partition("have: ")[2], "cannot sign in" in strict.hint) == ("hotp, totp.", True)
    assert checks.check_factors() == checks.check_factors(databases=["elsewhere"]) == []


def test_pools_are_not_looked_at_before_they_are_migrated(db):
    with broken("FROM .trusted_devices_cognito_idp_userpool"):
        assert checks.check_factors(databases=["default"]) == []


def test_the_deployment_check_says_which_modular_exponentiation_is_in_use(monkeypatch, capsys):
    for implementation, said in (("gmpy2", "SRP computes with gmpy2"), ("python", "SRP computes in pure Python")):
        monkeypatch.setattr(checks.modexp, "implementation", lambda implementation=implementation: implementation)
        call_command("check", "--deploy", "--tag", checks.TAG)
        assert said in capsys.readouterr().err


def test_the_demos_sender_prints(capsys):
    senders.console("+49", "code")
    assert capsys.readouterr().out == "Text message to +49: code\n"
