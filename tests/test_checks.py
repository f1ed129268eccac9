"""System checks: each fires, is silent where all is well, is registered and documented."""

import re
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import pytest
from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.contrib.gis import geoip2
from django.core.checks import Error, Tags, Warning  # noqa: A004 - Django's name
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.middleware.common import CommonMiddleware
from django.urls import include, path
from django.utils.module_loading import import_string
from django_otp.admin import OTPAdminSite
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.geoip import write_database
from trusted_devices import checks
from trusted_devices.admin_site import TrustedDevicesAdminMixin, TrustedDevicesAdminSite
from trusted_devices.backends import Backend
from trusted_devices.checks import databases
from trusted_devices.middleware import DeviceKeyMiddleware
from trusted_devices.owners.local import LocalOwner
from trusted_devices.policy import TrustPolicy
from trusted_devices.words import places

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "checks.md"
SOURCES = sorted(Path(checks.__file__).parent.glob("*.py"))
ALL = [
    checks.check_options,
    checks.check_classes,
    checks.check_owner,
    checks.check_time_zones,
    checks.check_middleware,
    checks.check_mfa,
    checks.check_session_engine,
    checks.check_admin_sites,
    checks.check_guessing_protection,
    checks.check_cookie,
    checks.check_mail_timeout,
    checks.check_places,
    checks.check_other_package,
    databases.check_router,
    databases.check_group_model,
    databases.check_other_table,
    databases.check_characters,
    databases.check_groups,
]


class Directory(TrustPolicy):
    """Knows users' groups from elsewhere."""

    def groups(self, user):
        return ["Editors"]


def _ids(messages):
    return [message.id.removeprefix("trusted_devices.") for message in messages]


def _only(messages, number, level):
    [message] = messages
    assert message.id == f"trusted_devices.{number}"
    assert type(message) is level
    assert message.hint
    return message


@pytest.fixture
def options(settings):
    """Change options of ``TRUSTED_DEVICES``."""

    def change(**changes):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, **changes}

    return change


def test_a_well_configured_site_is_told_nothing(settings, options):
    options(COOKIE_SECURE=True)
    assert [message for check in ALL for message in check(app_configs=None)] == []


@pytest.mark.parametrize("check", ALL)
def test_every_check_is_registered(check):
    assert check in registry.get_checks(include_deployment_checks=True)
    assert "trusted_devices" in check.tags


def test_only_cookie_and_mail_server_wait_for_deployment():
    late = set(registry.get_checks(include_deployment_checks=True)) - set(registry.get_checks())
    assert {check for check in late if check in ALL} == {checks.check_cookie, checks.check_mail_timeout}


def test_what_is_about_security_carries_djangos_tag():
    tagged = {check for check in ALL if Tags.security in check.tags}
    assert tagged == {
        checks.check_mfa,
        checks.check_session_engine,
        checks.check_admin_sites,
        checks.check_guessing_protection,
        checks.check_cookie,
    }


def test_registering_twice_runs_each_once():
    before = len(registry.get_checks(include_deployment_checks=True))
    checks.register()
    assert len(registry.get_checks(include_deployment_checks=True)) == before


def test_every_id_is_unique_and_documented_and_no_other_is():
    source = "".join(path.read_text() for path in SOURCES)
    used = re.findall(r'(?:id="trusted_devices\.|, ")([EW]\d{3})"', source)
    assert len(used) == len(set(used)) > 10
    documented = re.findall(r"^\| `trusted_devices\.([EW]\d{3})` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert documented == sorted(used)


class TestOptions:
    def test_a_misspelt_one_is_unknown_and_the_near_one_is_named(self, options):
        options(PERIOD=[])
        assert "'PERIODS'" in _only(checks.check_options(), "E001", Error).hint

    def test_a_strange_one_is_unknown(self, options):
        options(zzz=1)
        assert "reference" in _only(checks.check_options(), "E001", Error).hint

    def test_a_wrong_value_is_explained(self, options):
        options(MAX_PERIOD=60)
        message = _only(checks.check_options(), "E002", Error)
        assert message.msg == "TRUSTED_DEVICES['MAX_PERIOD'] must be a datetime.timedelta."
        assert "longest period" in message.hint

    def test_a_setting_that_is_no_dict_is_wrong_as_a_whole(self, settings):
        settings.TRUSTED_DEVICES = ["MFA"]
        [message] = checks.check_options()
        assert (message.id, message.msg) == ("trusted_devices.E002", "TRUSTED_DEVICES must be a dict.")

    def test_all_that_is_wrong_is_told_at_once(self, options):
        options(nope=1, MAX_PERIOD=60, TRACKING="maybe")
        assert sorted(_ids(checks.check_options())) == ["E001", "E002", "E002"]

    def test_the_other_checks_wait_until_they_are_right(self, options):
        options(nope=1)
        others = [check for check in ALL if check not in (checks.check_options, checks.check_middleware)]
        assert [message for check in others for message in check()] == []

    def test_no_setting_at_all_is_fine(self, settings):
        del settings.TRUSTED_DEVICES
        assert checks.check_options() == []

    def test_manage_py_check_stops_on_them(self, options):
        options(nope=1)
        with pytest.raises(SystemCheckError, match=r"trusted_devices\.E001"):
            call_command("check")


class TestClasses:
    @pytest.mark.parametrize("path", ["no.such.Provider", "trusted_devices.mfa.otp_.X", "datetime.timedelta"])
    def test_a_provider_that_is_none(self, options, path):
        options(MFA=path)
        assert "BaseMfaProvider" in _only(checks.check_classes(), "E003", Error).hint

    @pytest.mark.parametrize("path", ["no.such.Policy", "datetime.timedelta", "datetime.MAXYEAR"])
    def test_a_policy_that_is_none(self, options, path):
        options(POLICY=path)
        assert "TrustPolicy" in _only(checks.check_classes(), "E004", Error).hint

    @pytest.mark.parametrize("path", ["no.such.Backend", "datetime.timedelta"])
    def test_a_backend_that_is_none(self, options, path):
        options(BACKEND=path)
        assert "backends.Backend" in _only(checks.check_classes(), "E005", Error).hint
        assert checks.check_owner() == []

    def test_the_otp_provider_without_django_otp(self, settings):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if not app.startswith("django_otp")]
        assert "INSTALLED_APPS" in _only(checks.check_classes(), "E006", Error).hint

    @pytest.mark.parametrize("option", ["CLIENT_IP", "BULK_RUNNER", "MAIL_RUNNER"])
    @pytest.mark.parametrize("path", ["no.such.function", "datetime.MAXYEAR"])
    def test_a_function_that_is_none(self, options, option, path):
        options(**{option: path})
        assert "function" in _only(checks.check_classes(), "E007", Error).hint

    def test_a_function_that_is_one(self, options):
        options(CLIENT_IP="django.utils.http.urlencode")
        assert checks.check_classes() == []

    def test_what_the_backend_says_is_passed_on(self, options):
        options(BACKEND="tests.test_checks.WORRIED")
        assert _ids(checks.check_owner()) == ["worried"]


class WorriedOwner(LocalOwner):
    """Has something to say."""

    def check(self):
        return [Warning("Hm.", id="worried")]


WORRIED = Backend(owner="tests.test_checks.WorriedOwner")


class OwnDeviceKeyMiddleware(DeviceKeyMiddleware):
    """A site's own."""


class TestMiddleware:
    def _with(self, settings, *paths):
        settings.MIDDLEWARE = [f"{base}" for base in paths]
        return checks.check_middleware()

    def test_missing(self, settings):
        _only(self._with(settings, checks.AUTHENTICATION_MIDDLEWARE), "E008", Error)

    def test_in_front_of_the_one_it_builds_on(self, settings):
        _only(self._with(settings, checks.MIDDLEWARE, checks.AUTHENTICATION_MIDDLEWARE), "E009", Error)

    def test_without_the_one_it_builds_on(self, settings):
        _only(self._with(settings, checks.MIDDLEWARE), "E009", Error)

    def test_a_subclass_will_do(self, settings):
        own = "tests.test_checks.OwnDeviceKeyMiddleware"
        assert self._with(settings, checks.AUTHENTICATION_MIDDLEWARE, own) == []

    def test_others_do_not_matter_whatever_they_are(self, settings):
        others = ["no.such.Middleware", "django.urls.reverse", f"{CommonMiddleware.__module__}.CommonMiddleware"]
        assert self._with(settings, checks.AUTHENTICATION_MIDDLEWARE, *others, checks.MIDDLEWARE) == []


class TestMfa:
    def test_nobody_is_asked_for_a_second_factor(self, options):
        options(MFA=None)
        _only(checks.check_mfa(), "W001", Warning)

    def test_another_backend_may_ask_by_itself(self, options):
        options(MFA=None, BACKEND="cognito")
        assert checks.check_mfa() == []


class TestSessionEngine:
    def test_sessions_in_cookies_cannot_be_ended(self, settings):
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        _only(checks.check_session_engine(), "W002", Warning)

    @pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file"])
    def test_others_can(self, settings, engine):
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        assert checks.check_session_engine() == []


class _OwnSite(TrustedDevicesAdminMixin, AdminSite):
    pass


class TestAdminSites:
    @pytest.fixture
    def routes(self, settings):
        """Route these admin sites, one of them deep down."""

        def put(*sites):
            routed = [path(f"{number}/", site.urls) for number, site in enumerate(sites)]
            settings.ROOT_URLCONF = (path("deep/", include(routed)), path("again/", include(routed)))

        return put

    def test_a_site_that_knows_passwords_only_is_an_open_door(self, routes):
        routes(AdminSite("plain"))
        message = _only(checks.check_admin_sites(), "W003", Warning)
        assert "'plain'" in message.msg
        assert "TrustedDevicesAdminConfig" in message.hint

    def test_each_open_door_is_named_once(self, routes):
        routes(AdminSite("one"), TrustedDevicesAdminSite("two"), AdminSite("three"))
        assert _ids(checks.check_admin_sites()) == ["W003", "W003"]

    @pytest.mark.parametrize("kind", [TrustedDevicesAdminSite, _OwnSite, OTPAdminSite])
    def test_a_site_that_asks_for_more_is_not(self, routes, kind):
        routes(kind("own"))
        assert checks.check_admin_sites() == []

    def test_the_default_site_is_seen_through_its_wrapper(self):
        assert checks._admin_sites() == [admin.site]
        assert checks._is_protected(admin.site)

    def test_a_site_without_mfa_has_no_door_to_go_around(self, routes, options):
        options(MFA=None)
        routes(AdminSite("plain"))
        assert checks.check_admin_sites() == []

    def test_a_site_that_leads_nowhere_has_none(self, settings):
        settings.ROOT_URLCONF = None
        assert checks.check_admin_sites() == []

    def test_a_site_without_the_admin_has_none(self, settings):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if "admin" not in app.lower()]
        assert checks.check_admin_sites() == []


class TestGuessingProtection:
    def test_nothing_limits_guessing(self, settings):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "axes"]
        _only(checks.check_guessing_protection(), "W004", Warning)

    def test_cognito_does_it_by_itself(self, settings, options):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "axes"]
        options(BACKEND="cognito")
        assert checks.check_guessing_protection() == []


class TestCookie:
    def test_one_that_travels_in_the_clear(self, options):
        options(COOKIE_SECURE=False)
        _only(checks.check_cookie(), "W005", Warning)

    def test_by_default_it_is_for_https(self, options, settings):
        options(COOKIE_SECURE=None)
        assert checks.check_cookie() == []
        settings.DEBUG = True
        assert _ids(checks.check_cookie()) == ["W005"]


class TestMailTimeout:
    def test_a_mail_server_that_has_all_the_time_in_the_world(self, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        _only(checks.check_mail_timeout(), "W020", Warning)
        settings.EMAIL_TIMEOUT = 10
        assert checks.check_mail_timeout() == []

    def test_what_is_wrong_with_the_backend_is_for_others_to_say(self, settings):
        settings.EMAIL_BACKEND = "no.such.backend"
        assert checks.check_mail_timeout() == []


class TestPlaces:
    @pytest.mark.parametrize("path", [None, "/nowhere"])
    def test_places_are_wanted_and_their_database_is_missing(self, options, settings, path):
        options(GEOIP=True)
        settings.GEOIP_PATH = path
        assert "Path" in _only(checks.check_places(), "W008", Warning).msg.replace("path", "Path")

    def test_places_are_wanted_and_their_package_is_missing(self, options, settings, monkeypatch, tmp_path):
        options(GEOIP=True)
        settings.GEOIP_PATH = write_database(tmp_path)
        monkeypatch.setattr(geoip2, "HAS_GEOIP2", False)
        places.problem.cache_clear()
        assert "geoip2 is not installed" in _only(checks.check_places(), "W008", Warning).msg
        places.problem.cache_clear()

    def test_places_are_not_wanted(self, options):
        options(GEOIP=False)
        assert checks.check_places() == []

    def test_places_can_be_found(self, options, settings, tmp_path):
        options(GEOIP=True)
        settings.GEOIP_PATH = write_database(tmp_path)
        assert checks.check_places() == []


def test_local_times_are_refused_by_the_check_and_when_the_site_starts(settings):
    assert checks.check_time_zones() == []
    settings.USE_TZ = False
    message = _only(checks.check_time_zones(), "E013", Error).msg
    with pytest.raises(ImproperlyConfigured, match=re.escape(message)):
        DeviceKeyMiddleware(lambda request: None)


class TestGroups:
    @pytest.fixture(autouse=True)
    def group(self, db, options):
        options(GROUP_MAX_PERIODS={"Editors": timedelta(days=30)})
        return Group.objects.create(name="Editors")

    def test_those_that_exist_are_fine(self):
        assert databases.check_groups(databases=["default"]) == []

    def test_one_that_does_not_exist_is_named_with_the_nearest(self, group):
        group.name = "editors"
        group.save()
        assert "'editors'" in _only(databases.check_groups(databases=["default"]), "W010", Warning).hint

    def test_they_are_looked_up_only_when_their_database_is_checked(self, group):
        group.delete()
        assert databases.check_groups() == []
        assert databases.check_groups(databases=["elsewhere"]) == []

    def test_a_policy_that_knows_groups_from_elsewhere_is_not_doubted(self, group, options):
        group.delete()
        options(POLICY="tests.test_checks.Directory")
        assert databases.check_groups(databases=["default"]) == []

    def test_users_must_have_groups(self, monkeypatch):
        assert databases.check_group_model() == []
        monkeypatch.setattr(databases, "get_user_model", lambda: TOTPDevice)
        _only(databases.check_group_model(), "E012", Error)


class TestOtherPackage:
    def test_its_setting(self, settings):
        settings.TRUSTED_DEVICE = {}
        assert "TRUSTED_DEVICES" in _only(checks.check_other_package(), "W006", Warning).hint

    def test_its_distribution(self, monkeypatch):
        real = metadata.distribution

        def pretend(name):
            return real("django") if name == checks.OTHER_DISTRIBUTION else real(name)

        monkeypatch.setattr(metadata, "distribution", pretend)
        assert "installed" in _only(checks.check_other_package(), "W006", Warning).msg

    @pytest.mark.django_db
    def test_its_table(self):
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {databases.OTHER_TABLE} (id integer)")
            try:
                found = databases.check_other_table(databases=["default"])
            finally:
                cursor.execute(f"DROP TABLE {databases.OTHER_TABLE}")
        _only(found, "W007", Warning)

    @pytest.mark.django_db
    def test_no_table(self):
        assert databases.check_other_table(databases=["default"]) == []

    def test_databases_are_looked_at_only_when_they_are_checked(self):
        assert databases.check_other_table() == []
        assert Tags.database in databases.check_other_table.tags


def test_the_classes_that_are_named_here_exist():
    assert issubclass(import_string(checks.ADMIN_CONFIG), AppConfig)
    assert import_string(checks.MIDDLEWARE) is DeviceKeyMiddleware
    protected = {f"{kind.__module__}.{kind.__qualname__}" for kind in (TrustedDevicesAdminMixin, OTPAdminSite)}
    assert protected < checks.PROTECTED_ADMIN_SITES
