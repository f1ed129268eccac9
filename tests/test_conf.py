"""The TRUSTED_DEVICES setting: what each option refuses, what contradicts what."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from trusted_devices import conf
from trusted_devices.cognito.conf import Options as CognitoOptions
from trusted_devices.cognito_idp.conf import Options as WireOptions
from trusted_devices.conf import Problem, Settings, get_settings
from trusted_devices.policy import TrustPolicy
from trusted_devices.types import TrackingMode

DAY = timedelta(days=1)
NOT_TEXTS = [7, b"bytes", ["a"], {}]
NOT_BOOLEANS = [None, 0, 1, "yes", "False", []]
NOT_PATHS = [7, "", "name", ".", "a.", ".a", "a..b", "a b.c", "a.b()", "a/b.c", ["a.b"]]
NOT_PERIODS = [60, "60 days", timedelta(0), -DAY, 400 * DAY + timedelta(microseconds=1)]
NOT_DURATIONS = [600, "10 minutes", timedelta(0), -DAY, timedelta.max]

WRONG = {
    "BACKEND": [None, *NOT_PATHS],
    "COGNITO": [None, [], "x"],
    "MFA": NOT_PATHS,
    "POLICY": [None, *NOT_PATHS],
    "TRACKING": [None, "", "ON", "opt-in", True, ["opt_in"]],
    "CHALLENGE_REQUIRED_ON_NEW_DEVICE": NOT_BOOLEANS,
    "PERIODS": [None, [], DAY, [30], {DAY}, "60 days", [DAY, timedelta(0)]],
    "DEFAULT_PERIOD": [None, *NOT_PERIODS],
    "MAX_PERIOD": [None, *NOT_PERIODS],
    "STAFF_MAX_PERIOD": NOT_PERIODS,
    "GROUP_MAX_PERIODS": [None, [], {"staff": 30}, {7: DAY}, {"staff": timedelta(0)}],
    "TRUST_AFTER_RECOVERY_CODE": NOT_BOOLEANS,
    "KEEP_DEVICE_ON_PASSWORD_CHANGE": NOT_BOOLEANS,
    "MAX_DEVICES_PER_USER": [None, 0, -1, 1001, 5.0, "5", True],
    "MAX_NAME_LENGTH": [None, 0, 256, "64", False],
    "REGION": [None, "", "eu_west", "a" * 19, "käse", 7],
    "COOKIE_NAME": [None, "", "a b", "a;b", "a=b", "a" * 65, "käse", "__Host-mine", "__Secure-mine", 7],
    "COOKIE_DOMAIN": ["", *NOT_TEXTS],
    "COOKIE_PATH": [None, "", "app/", "/a;b", "/a b", "/a\r\nb", 7],
    "COOKIE_SECURE": [0, 1, "yes"],
    "COOKIE_SAMESITE": [None, "", "lax", False],
    "HEADER_NAME": [None, "", "Trusted Device", "Trusted_Device", "-x", "a" * 65, 7],
    "SIGN_IN_TIMEOUT": [None, *NOT_DURATIONS],
    "MFA_SETUP_URL": ["", *NOT_TEXTS],
    "ADMIN_REQUIRES_MFA": NOT_BOOLEANS,
    "NEW_DEVICE_EMAIL": NOT_BOOLEANS,
    "BULK_RUNNER": NOT_PATHS,
    "MAIL_RUNNER": ["", "fast", None, 7],
    "EVENT_RETENTION": [None, *NOT_DURATIONS],
    "DEVICE_RETENTION": NOT_DURATIONS,
    "STORED_IP": [None, "", "half", True],
    "GEOIP": NOT_BOOLEANS,
    "CLIENT_IP": NOT_PATHS,
}


def found(**raw):
    return [problem.key for problem in Settings.problems(raw)]


def test_a_site_without_the_setting_has_the_defaults(settings):
    del settings.TRUSTED_DEVICES
    conf.read_anew()
    assert get_settings() == Settings()


def test_the_defaults_are_good_values_without_contradictions():
    assert found() == []
    assert found(**{option.name: getattr(Settings(), option.name) for option in Settings.options()}) == []


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_under_the_name_of_their_option(name):
    assert [value for value in WRONG[name] if found(**{name: value}) != [name]] == []


def test_every_option_has_wrong_values_tried_and_a_sentence_of_help():
    elsewhere = {"COGNITO_IDP"}
    assert {option.name for option in Settings.options()} - elsewhere == set(WRONG)
    assert all(option.metadata["help"].endswith(".") for option in Settings.options())


GOOD = [
    ("BACKEND", "cognito"),
    ("BACKEND", "shop.devices.Backend"),
    ("MFA", "trusted_devices.mfa.otp.OTPProvider"),
    ("TRACKING", TrackingMode.ALWAYS),
    ("PERIODS", [DAY, 60 * DAY]),
    ("MAX_PERIOD", 400 * DAY),
    ("STAFF_MAX_PERIOD", DAY),
    ("GROUP_MAX_PERIODS", {"finance": DAY}),
    ("REGION", "eu-central-1"),
    ("COOKIE_DOMAIN", ".example.com"),
    ("COOKIE_PATH", "/app/"),
    ("COOKIE_SAMESITE", "None"),
    ("STORED_IP", "none"),
    ("CLIENT_IP", "shop.network.client_ip"),
]


@pytest.mark.parametrize(("name", "value"), GOOD, ids=[f"{name}={value!r:.30}" for name, value in GOOD])
def test_a_good_value_is_taken(settings, name, value):
    settings.TRUSTED_DEVICES = {name: value}
    taken = getattr(get_settings(), name)
    assert taken == (tuple(value) if name == "PERIODS" else value)


def test_an_unknown_key_is_told_from_a_wrong_value():
    assert list(Settings.problems({"PERIOD": 7, "TRACKING": "x"})) == [
        Problem("PERIOD", "is not an option", unknown=True),
        Problem("TRACKING", "must be one of 'off', 'always', 'opt_in'"),
    ]


@pytest.mark.parametrize("raw", [None, [], "text", 7])
def test_a_setting_that_is_no_dict_is_refused(raw):
    assert list(Settings.problems(raw)) == [Problem("TRUSTED_DEVICES", "must be a dict")]


CONTRADICTIONS = [
    ({"MAX_PERIOD": 29 * DAY}, ["PERIODS"]),
    ({"DEFAULT_PERIOD": 45 * DAY}, ["DEFAULT_PERIOD"]),
    ({"PERIODS": [7 * DAY]}, ["DEFAULT_PERIOD"]),
    ({"COOKIE_SAMESITE": "None", "COOKIE_SECURE": False}, ["COOKIE_SAMESITE"]),
    ({"PERIODS": [7 * DAY], "MAX_PERIOD": DAY}, ["PERIODS", "DEFAULT_PERIOD"]),
]


@pytest.mark.parametrize(("raw", "named"), CONTRADICTIONS)
def test_values_that_contradict_each_other_are_refused(raw, named):
    assert found(**raw) == named


@pytest.mark.parametrize(
    "raw",
    [
        {"MAX_PERIOD": 30 * DAY},
        {"STAFF_MAX_PERIOD": DAY},
        {"GROUP_MAX_PERIODS": {"finance": timedelta(minutes=1)}},
        {"COOKIE_SAMESITE": "None", "COOKIE_SECURE": True},
        {"COOKIE_SAMESITE": "None"},
    ],
    ids=[
        "the default is out of reach",
        "staff get no offer",
        "a group gets no offer",
        "secure",
        "secure in production",
    ],
)
def test_values_that_only_look_contradictory_are_taken(raw):
    assert found(**raw) == []


def test_contradictions_are_looked_for_only_among_good_values():
    assert found(MAX_PERIOD=29 * DAY, TRACKING="x") == ["TRACKING"]


def test_wrong_settings_are_named_all_at_once(settings):
    settings.TRUSTED_DEVICES = {"TRACKING": "x", "TYPO": 1}
    with pytest.raises(ImproperlyConfigured, match=r"TRUSTED_DEVICES: TYPO is not an option; TRACKING must be one of"):
        get_settings()


def test_an_override_takes_effect_at_run_time_and_ends_with_its_block():
    before = get_settings().MAX_DEVICES_PER_USER
    with override_settings(TRUSTED_DEVICES={"MAX_DEVICES_PER_USER": 3}):
        assert get_settings().MAX_DEVICES_PER_USER == 3
        with override_settings(TRUSTED_DEVICES={"MAX_DEVICES_PER_USER": 4}):
            assert get_settings().MAX_DEVICES_PER_USER == 4
        assert get_settings().MAX_DEVICES_PER_USER == 3
    assert before == get_settings().MAX_DEVICES_PER_USER


def test_a_setting_of_somebody_else_leaves_the_options_read():
    before = get_settings()
    with override_settings(SHOP_NAME="Shop"):
        assert get_settings() is before


def test_the_options_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        get_settings().TRACKING = "off"


def test_secret_keys_are_the_key_and_its_fallbacks_newest_first(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", b"older"]
    assert conf.secret_keys() == (b"new", b"old", b"older")


@pytest.mark.parametrize(
    ("chosen", "debug", "secure"),
    [(None, False, True), (None, True, False), (True, True, True), (False, False, False)],
)
def test_the_cookie_is_for_https_only_unless_debugging_or_told_otherwise(settings, chosen, debug, secure):
    settings.TRUSTED_DEVICES = {"COOKIE_SECURE": chosen}
    settings.DEBUG = debug
    assert conf.cookie_is_secure() is secure


def test_the_tracking_mode_may_be_given_as_text_or_as_the_enum(settings):
    for value in ("always", TrackingMode.ALWAYS):
        settings.TRUSTED_DEVICES = {"TRACKING": value}
        assert TrustPolicy(get_settings()).tracking(object()) is TrackingMode.ALWAYS


POOL = {"USER_POOL_ID": "eu-central-1_AbCdEf123", "CLIENT_ID": "1example23456789"}
SECTIONS = [
    (Settings, {"REGION": "here"}, {"REGION": "there"}),
    (CognitoOptions, {"COGNITO": {**POOL, "REGION": "here"}}, {"COGNITO": {**POOL, "REGION": "there"}}),
    (WireOptions, {"COGNITO_IDP": {"REGION": "here"}}, {"COGNITO_IDP": {"REGION": "there"}}),
]
each_section = pytest.mark.parametrize(("section", "first", "second"), SECTIONS, ids=["site", "cognito", "wire"])


@each_section
def test_a_section_is_validated_once_until_the_setting_changes(monkeypatch, section, first, second):
    asked = []
    problems = section.problems

    def counted(raw):
        asked.append(raw)
        return problems(raw)

    with override_settings(TRUSTED_DEVICES=first):
        monkeypatch.setattr(section, "problems", counted)
        conf.read_anew()
        options = section.get()
        assert all(section.get() is options for _ in range(3))
        assert (options.REGION, len(asked)) == ("here", 1)
        with override_settings(TRUSTED_DEVICES=second):
            assert (section.get().REGION, section.get().REGION, len(asked)) == ("there", "there", 2)
        assert (section.get().REGION, section.get().REGION, len(asked)) == ("here", "here", 3)


@each_section
def test_a_section_that_is_wrong_is_refused_at_each_use(section, first, second):
    wrong = {**first, "TYPO": 1} if section is Settings else {section.key: {**first[section.key], "TYPO": 1}}
    with override_settings(TRUSTED_DEVICES=wrong):
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured, match="TYPO is not an option"):
                section.get()


@each_section
def test_a_misspelt_option_is_refused_with_the_name_that_was_meant(section, first, second):
    (problem,) = section.problems({**POOL, "REGOIN": "x"} if section is CognitoOptions else {"REGOIN": "x"})
    assert (problem.unknown, problem.hint) == (True, "Did you mean 'REGION'?")
    assert str(problem) == "REGOIN is not an option (Did you mean 'REGION'?)"


def test_what_is_wrong_with_the_whole_setting_stops_its_sections_too():
    with override_settings(TRUSTED_DEVICES={"TRACKING": "x", "COGNITO_IDP": {}, "COGNITO": POOL}):
        for section in (CognitoOptions, WireOptions):
            with pytest.raises(ImproperlyConfigured, match="TRUSTED_DEVICES: TRACKING"):
                section.get()


def test_the_wire_endpoints_region_follows_the_sites_unless_it_has_its_own():
    with override_settings(TRUSTED_DEVICES={"REGION": "here"}):
        assert WireOptions.get().REGION == "here"
        with override_settings(TRUSTED_DEVICES={"REGION": "there", "COGNITO_IDP": {"REGION": None}}):
            assert WireOptions.get().REGION == "there"
