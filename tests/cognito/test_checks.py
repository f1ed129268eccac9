"""System checks: the options by themselves, and before deployment the pool."""

import importlib.util
import re
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from tests.cognito.conftest import site_settings
from tests.cognito.stubs import StubbedPool, stubbed_settings
from trusted_devices import cognito
from trusted_devices.cognito import MissingExtra, checks, conf
from trusted_devices.types import TrackingMode

MAPPER = "trusted_devices.cognito.identities.UserMapper"


def found():
    return {message.id.rpartition(".")[2]: message.msg for message in [*checks.check_options(), *checks.check_pool()]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"USER_POOL_ID": None}, "USER_POOL_ID is missing"),
        ({"CLIENT_ID": None}, "CLIENT_ID is missing"),
        ({"USER_POOL_ID": "not a pool"}, "USER_POOL_ID must be a user pool id"),
        ({"CLIENT_ID": "a b"}, "CLIENT_ID must be an app client id"),
        ({"CLIENT_SECRET": "a b"}, "CLIENT_SECRET must be an app client secret"),
        ({"REGION": "Frankfurt am Main"}, "REGION must be a region"),
        ({"ENDPOINT_URL": "ftp://x"}, "ENDPOINT_URL must be an http or https URL"),
        ({"ENDPOINT_URL": "http://[x"}, "ENDPOINT_URL must be an http or https URL"),
        ({"ENDPOINT_URL": 3}, "ENDPOINT_URL must be an http or https URL"),
        ({"ISSUER": "x"}, "ISSUER must be an http or https URL"),
        ({"AUTH_FLOW": "CUSTOM_AUTH"}, "AUTH_FLOW must be one of"),
        ({"KEEP_TOKENS": 1}, "KEEP_TOKENS must be True or False"),
        ({"SEND_IP_ADDRESS": "yes"}, "SEND_IP_ADDRESS must be True or False"),
        ({"CONNECT_TIMEOUT": 0}, "CONNECT_TIMEOUT must be a number from 0.1 to 60"),
        ({"READ_TIMEOUT": True}, "READ_TIMEOUT must be a number"),
        ({"WRITES_PER_SECOND": 26}, "WRITES_PER_SECOND must be a number from 0.01 to 25"),
        ({"READS_PER_SECOND": "5"}, "READS_PER_SECOND must be a number"),
        ({"REDIS_URL": "memcached://x"}, "REDIS_URL must be a redis:// URL"),
        ({"USER_MAPPER": "nodots"}, "USER_MAPPER must be the dotted path"),
        ({"USER_POOL": "x"}, "USER_POOL is not an option"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_option_that_cannot_be_used_is_named(settings, change, words):
    settings.TRUSTED_DEVICES = stubbed_settings(**change)
    assert words in found()["E001"]
    with pytest.raises(ImproperlyConfigured, match=words.partition(" ")[0]):
        conf.get_options()


def test_all_that_is_wrong_is_said_at_once(settings):
    settings.TRUSTED_DEVICES = stubbed_settings(CLIENT_ID=None, AUTH_FLOW="X", USER_POOL="x")
    (text,) = found().values()
    assert all(name in text for name in ("CLIENT_ID", "AUTH_FLOW", "USER_POOL"))


def test_the_default_budget_stays_well_under_the_quota():
    options = conf.Options(USER_POOL_ID="eu-central-1_AbCdEf123", CLIENT_ID="1example23456789")
    assert options.WRITES_PER_SECOND <= conf.QUOTA / 2
    assert options.WRITES_PER_SECOND <= conf.USER_QUOTA


@pytest.mark.parametrize("path", ["nowhere.Mapper", "builtins.dict", f"{MAPPER}x", "os.path.join"])
def test_a_mapper_that_is_none_is_an_error(settings, path):
    settings.TRUSTED_DEVICES = stubbed_settings(USER_MAPPER=path)
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito.E002"]


def test_a_shared_budget_needs_redis(settings, monkeypatch):
    settings.TRUSTED_DEVICES = stubbed_settings(REDIS_URL="redis://localhost")
    assert checks.check_options() == []
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito.E003"]


def test_sessions_need_a_backend_that_finds_their_user(settings):
    settings.TRUSTED_DEVICES = stubbed_settings()
    settings.AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend"]
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito.E004"]


def test_sessions_in_signed_cookies_have_no_room_for_a_sign_in(settings):
    settings.TRUSTED_DEVICES = stubbed_settings()
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    assert [message.id for message in checks.check_options()] == ["trusted_devices_cognito.E005"]


def test_the_missing_extra_is_explained_in_a_sentence(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "boto3" else find(name, *args))
    spec = importlib.util.spec_from_file_location("without_the_extra", cognito.__file__)
    with pytest.raises(ImproperlyConfigured, match=r"needs boto3, .*django-device-trust\[cognito\]") as raised:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert isinstance(raised.value, ImportError)
    assert issubclass(MissingExtra, ImportError)


class TestBeforeDeployment:
    """At a real pool in its process."""

    def new_pool(self, process, settings, *, app=None, **fields):
        process.facts = process.act("new_pool", app=app or {}, **fields)
        settings.TRUSTED_DEVICES = site_settings(process)

    def test_a_pool_as_the_how_to_says_is_fine(self, process):
        assert found() == {}

    def test_the_deploy_check_asks_the_pool(self, process, settings, monkeypatch):
        self.new_pool(process, settings, tracking="off", mfa="OFF")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", process.facts["access_key_id"])
        ids = [message.id for message in run_checks(include_deployment_checks=True)]
        assert {"trusted_devices_cognito.E010", "trusted_devices_cognito.E013"} <= set(ids)
        without = [message.id for message in run_checks()]
        assert not any(name.startswith("trusted_devices_cognito.E01") for name in without)

    @pytest.mark.parametrize(
        ("fields", "name", "words"),
        [
            ({"tracking": "off"}, "E010", "does not track devices"),
            ({"challenge_required_on_new_device": False}, "W011", "asks for MFA on remembered devices as well"),
            ({"tracking": "always"}, "W012", "remembers every device, and TRUSTED_DEVICES['TRACKING'] is 'opt_in'"),
            ({"mfa": "OFF"}, "E013", "MFA is off"),
            ({"app": {"auth_flows": ["USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH"]}}, "E011", "USER_SRP_AUTH"),
            ({"app": {"auth_flows": ["USER_SRP_AUTH"]}}, "W013", "does not allow refreshing"),
            (
                {"app": {"auth_session_validity": 3}},
                "W014",
                "after 3 minutes, before TRUSTED_DEVICES",
            ),
        ],
        ids=[
            "tracking off",
            "challenge off",
            "tracking always",
            "no MFA",
            "no flow",
            "no refreshing",
            "short sessions",
        ],
    )
    def test_what_does_not_fit_is_named(self, process, settings, monkeypatch, fields, name, words):
        self.new_pool(process, settings, **fields)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", process.facts["access_key_id"])
        told = found()
        assert list(told) == [name]
        assert words in told[name]

    def test_tracking_that_asks_where_the_site_always_remembers_is_named(self, process, settings):
        settings.TRUSTED_DEVICES = {**site_settings(process), "TRACKING": TrackingMode.ALWAYS}
        assert "asks users" in found()["W012"]

    def test_a_secret_that_is_not_the_client_s_is_named_and_not_shown(self, process, settings):
        settings.TRUSTED_DEVICES = site_settings(process, CLIENT_SECRET="wrong")
        told = found()
        assert list(told) == ["E012"]
        assert process.facts["client_secret"] not in told["E012"]

    def test_a_pool_that_cannot_be_reached_is_a_warning(self, process, settings):
        settings.TRUSTED_DEVICES = site_settings(process, ENDPOINT_URL="http://127.0.0.1:9", CONNECT_TIMEOUT=0.2)
        assert list(found()) == ["W010"]

    def test_options_that_cannot_be_used_are_not_tried_on_the_pool(self, settings):
        settings.TRUSTED_DEVICES = stubbed_settings(CLIENT_ID=None)
        assert checks.check_pool() == []


FITS = {"DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": True}}
ATTRIBUTE = {"Name": "custom:trusted_until", "AttributeDataType": "String", "Mutable": True}
LIMITED = {"MinLength": "0", "MaxLength": "256"}
UNTIL = {"EXPIRY_ATTRIBUTE": "custom:trusted_until"}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ([{**ATTRIBUTE, "Name": "email"}, ATTRIBUTE], []),
        ([{**ATTRIBUTE, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"}}], []),
        ([{**ATTRIBUTE, "Name": "custom:trusted"}], ["W015"]),
        ([{**ATTRIBUTE, "Mutable": False}], ["W015"]),
        ([{**ATTRIBUTE, "AttributeDataType": "Number"}], ["W015"]),
        ([{**ATTRIBUTE, "StringAttributeConstraints": LIMITED}], ["W015"]),
    ],
)
def test_an_attribute_that_cannot_be_written_is_named(settings, schema, told):
    settings.TRUSTED_DEVICES = stubbed_settings(**UNTIL)
    assert told_of({"SchemaAttributes": schema}, {}) == told


@pytest.mark.parametrize(
    ("options", "app", "told"),
    [
        ({}, {"RefreshTokenRotation": {"Feature": "DISABLED"}}, ["W013"]),
        ({}, {"RefreshTokenRotation": {"Feature": "ENABLED"}}, []),
        ({"SEND_IP_ADDRESS": True}, {}, ["W013", "W016"]),
        ({"SEND_IP_ADDRESS": True}, {"EnablePropagateAdditionalUserContextData": True}, ["W013"]),
    ],
)
def test_what_an_app_client_does_not_do_for_the_options_is_named(settings, options, app, told):
    settings.TRUSTED_DEVICES = stubbed_settings(**options)
    assert told_of({}, {"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"], **app}) == told


def test_an_app_client_that_names_no_flows_has_amazon_s_default_ones(settings):
    settings.TRUSTED_DEVICES = stubbed_settings()
    assert told_of({}, {}) == []


def told_of(described, app):
    """What is said of a pool that fits but for these."""
    pool = StubbedPool()
    pool.answers("describe_user_pool", {"UserPool": {**FITS, **described}})
    pool.answers("describe_user_pool_client", {"UserPoolClient": {"AuthSessionValidity": 10, **app}})
    pool.answers("get_user_pool_mfa_config", {"MfaConfiguration": "ON"})
    try:
        return list(found())
    finally:
        pool.close()


def test_every_check_is_in_the_reference():
    source = Path(checks.__file__).read_text()
    page = (Path(checks.__file__).parents[2] / "docs/reference/checks.md").read_text()
    assert [
        name for name in re.findall(r"TAG\}\.([EW]\d{3})", source) if f"trusted_devices_cognito.{name}" not in page
    ] == []
