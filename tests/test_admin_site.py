"""The admin's own sign-in is no way around MFA."""

import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import include, path
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from trusted_devices.admin_site import TrustedDevicesAdminSite
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.services import devices, second_factor
from trusted_devices.testing import force_mfa_login, make_device, trust_device
from trusted_devices.types import By, VerifiedBy
from trusted_devices.web import session_note

PASSWORD = "correct horse"
INDEX = "/admin/"


@pytest.fixture
def staff(db):
    return get_user_model().objects.create_superuser("admin", "admin@example.com", PASSWORD)


@pytest.fixture
def factor(staff):
    return TOTPDevice.objects.create(user=staff, name="phone", confirmed=True)


@pytest.fixture
def requires_mfa(settings):
    def change(value):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "ADMIN_REQUIRES_MFA": value}

    return change


def _goes_to(response):
    assert response.status_code == 302
    return urlsplit(response.url).path


def _follow(client, url, limit=10):
    """Follow redirects as a browser does; return the last response and how many there were."""
    for count in range(limit):
        response = client.get(url)
        if response.status_code != 302:
            return response, count
        url = response.url
    pytest.fail("The redirects go round in circles.")


class TestWithoutASession:
    def test_the_admin_leads_to_the_apps_sign_in_page_and_back(self, client, db):
        response, _ = _follow(client, "/admin/auth/user/?q=x")
        assert response.status_code == 200
        assert response.request["PATH_INFO"] == "/sign-in/"
        assert parse_qs(response.request["QUERY_STRING"])["next"] == ["/admin/auth/user/?q=x"]
        assert b"this_is_the_login_form" not in response.content

    def test_the_password_posted_to_the_admins_own_form_opens_nothing(self, client, staff, factor):
        credentials = {"username": "admin", "password": PASSWORD, "next": INDEX, "this_is_the_login_form": "1"}
        response = client.post("/admin/login/", credentials)
        assert _goes_to(response) == "/sign-in/"
        assert "_auth_user_id" not in client.session
        assert client.get(INDEX).status_code == 302

    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize("evil", ["https://example.com/", "//example.com/", "javascript:alert(1)", "http:///x"])
    def test_a_way_back_to_elsewhere_is_not_taken(self, client, db, evil, method):
        response = getattr(client, method)("/admin/login/", {"next": evil})
        assert parse_qs(urlsplit(response.url).query)["next"] == [INDEX]

    def test_the_answer_is_not_cached(self, client, db):
        assert "no-store" in client.get("/admin/login/")["Cache-Control"]

    @pytest.mark.parametrize("url", ["/admin/logout/", "/admin/password_change/", "/admin/jsi18n/", "/admin/nowhere/"])
    def test_no_page_of_the_admin_is_open(self, client, db, url):
        assert _goes_to(client.get(url)) in ("/admin/", "/admin/login/")


class TestSignedInWithoutProof:
    def test_a_session_of_djangos_own_sign_in_is_asked_for_the_second_factor(self, client, staff, factor):
        client.force_login(staff)
        response, _ = _follow(client, "/admin/auth/user/")
        assert response.status_code == 200
        assert response.request["PATH_INFO"] == "/verify/"
        assert parse_qs(response.request["QUERY_STRING"])["next"] == ["/admin/auth/user/"]

    def test_so_is_one_that_took_the_password_only(self, client, staff, factor):
        force_mfa_login(client, staff, verified_by=VerifiedBy.PASSWORD)
        assert _follow(client, INDEX)[0].request["PATH_INFO"] == "/verify/"

    def test_the_proof_of_somebody_else_in_the_same_browser_does_not_count(self, client, staff, factor, user):
        force_mfa_login(client, staff)
        session = client.session
        raw = session[session_note.SESSION_KEY]
        session[session_note.SESSION_KEY] = {**raw, "user": str(user.pk)}
        session.save()
        assert _follow(client, INDEX)[0].request["PATH_INFO"] == "/verify/"

    def test_a_note_that_is_damaged_does_not_count(self, client, staff, factor):
        client.force_login(staff)
        session = client.session
        session[session_note.SESSION_KEY] = {"user": str(staff.pk), "by": "everything"}
        session.save()
        assert _follow(client, INDEX)[0].request["PATH_INFO"] == "/verify/"

    def test_posting_to_a_page_does_nothing(self, client, staff, factor):
        client.force_login(staff)
        response = client.post("/admin/auth/group/add/", {"name": "intruders"})
        assert _goes_to(response) == "/admin/login/"
        assert not staff.groups.model.objects.exists()

    def test_if_nobody_can_tell_which_factors_there_are_the_page_that_asks_says_so(self, client, staff, monkeypatch):
        def unavailable(user):
            raise BackendUnavailable

        monkeypatch.setattr(second_factor, "methods", unavailable)
        client.force_login(staff)
        assert _goes_to(client.get("/admin/login/")) == "/verify/"


class TestWithProof:
    @pytest.mark.parametrize("by", [VerifiedBy.MFA, VerifiedBy.RECOVERY, VerifiedBy.TRUSTED_DEVICE])
    def test_a_session_that_mfa_stands_behind_gets_in(self, client, staff, factor, by):
        force_mfa_login(client, staff, verified_by=by)
        assert client.get(INDEX).status_code == 200

    def test_the_sign_in_page_leads_on_to_the_index(self, client, staff, factor):
        force_mfa_login(client, staff)
        assert _goes_to(client.get("/admin/login/?next=/admin/login/")) == INDEX

    def test_it_costs_no_query_more_than_without(self, client, staff, factor, django_assert_num_queries):
        force_mfa_login(client, staff)
        with django_assert_num_queries(3) as captured:  # session, user, and the user's OTP device (another middleware)
            client.get("/admin/jsi18n/")
        assert not any("trusted_devices" in query["sql"] for query in captured)

    def test_second_factors_take_one_that_was_used_and_not_a_trusted_device(self, client, staff, factor):
        pages = [f"{INDEX}otp_totp/totpdevice/", f"{INDEX}otp_totp/totpdevice/add/"]
        pages += [f"{pages[0]}{factor.pk}/{page}/" for page in ("change", "delete", "qrcode")]
        force_mfa_login(client, staff, verified_by=VerifiedBy.TRUSTED_DEVICE)
        assert client.get(f"{INDEX}auth/user/").status_code == 200
        for url in pages:
            asked, refused = client.get(f"{url}?q=1"), client.post(url, {"post": "yes", "name": "x", "user": staff.pk})
            assert _goes_to(asked) == _goes_to(refused) == "/verify/"
            ways_back = [parse_qs(urlsplit(response.url).query)["next"] for response in (asked, refused)]
            assert ways_back == [[f"{url}?q=1"], [url]]
        assert list(TOTPDevice.objects.all()) == [factor]
        force_mfa_login(client, staff)
        assert {client.get(url).status_code for url in pages} == {200}
        TOTPDevice.objects.create(user=staff, name="tablet", confirmed=True)
        assert _goes_to(client.get(pages[0])) == "/verify/", "the factors are no longer those that it was used among"

    def test_while_nobody_can_tell_which_factors_there_are_none_is_shown(self, client, staff, factor, monkeypatch):
        def unavailable(user):
            raise BackendUnavailable

        force_mfa_login(client, staff, verified_by=VerifiedBy.TRUSTED_DEVICE)
        monkeypatch.setattr(second_factor, "methods", unavailable)
        assert _goes_to(client.get(f"{INDEX}otp_totp/totpdevice/")) == "/verify/"

    def test_once_staff_no_longer_they_are_out(self, client, staff, factor):
        force_mfa_login(client, staff)
        get_user_model().objects.filter(pk=staff.pk).update(is_staff=False)
        assert client.get("/admin/login/").status_code == 403

    def test_forgetting_the_device_ends_the_session(self, client, staff, factor):
        device = make_device(staff)
        force_mfa_login(client, staff, verified_by=VerifiedBy.TRUSTED_DEVICE, device=device)
        assert client.get(INDEX).status_code == 200
        devices.forget([device], by=By())
        assert _goes_to(client.get(INDEX)) == "/admin/login/"

    def test_signing_in_from_a_trusted_device_takes_the_password_only(self, client, staff, factor):
        trust_device(client, staff)
        response = client.post("/sign-in/", {"username": "admin", "password": PASSWORD, "next": INDEX})
        assert _goes_to(response) == INDEX
        assert client.get(INDEX).status_code == 200

    def test_signing_in_from_elsewhere_takes_the_second_factor(self, client, staff, factor):
        response = client.post("/sign-in/", {"username": "admin", "password": PASSWORD, "next": INDEX})
        assert _goes_to(response) == "/sign-in/code/"
        assert _goes_to(client.get(INDEX)) == "/admin/login/"


class TestWithoutAnyFactor:
    def test_staff_are_refused_and_told_why(self, client, staff):
        force_mfa_login(client, staff, verified_by=VerifiedBy.PASSWORD)
        response, _ = _follow(client, INDEX)
        assert response.status_code == 403
        assert b"without a second factor" in response.content
        assert b'action="/sign-out/"' in response.content

    def test_they_are_shown_where_to_set_one_up(self, client, staff, settings):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MFA_SETUP_URL": "home"}
        client.force_login(staff)
        assert b'href="/"' in _follow(client, INDEX)[0].content

    def test_recovery_codes_alone_are_no_factor(self, client, staff):
        StaticDevice.objects.create(user=staff, name="codes", confirmed=True)
        client.force_login(staff)
        assert _follow(client, INDEX)[0].status_code == 403

    @pytest.mark.parametrize("noted", [True, False])
    def test_a_site_may_let_them_in(self, client, staff, requires_mfa, noted):
        requires_mfa(False)
        if noted:
            force_mfa_login(client, staff, verified_by=VerifiedBy.PASSWORD)
        else:
            client.force_login(staff)
        assert client.get(INDEX).status_code == 200

    def test_but_nobody_who_has_a_factor_and_did_not_use_it(self, client, staff, factor, requires_mfa):
        requires_mfa(False)
        client.force_login(staff)
        assert _follow(client, INDEX)[0].request["PATH_INFO"] == "/verify/"

    def test_nor_anybody_of_whom_nobody_can_tell(self, client, staff, requires_mfa, monkeypatch):
        def unavailable(user):
            raise BackendUnavailable

        monkeypatch.setattr(second_factor, "methods", unavailable)
        requires_mfa(False)
        client.force_login(staff)
        assert _goes_to(client.get(INDEX)) == "/admin/login/"

    def test_their_factors_are_looked_up_once_a_request(self, client, staff, requires_mfa, monkeypatch):
        calls = []
        monkeypatch.setattr(second_factor, "methods", lambda user: calls.append(user) or [])
        requires_mfa(False)
        client.force_login(staff)
        client.get(INDEX)
        assert len(calls) == 1


class TestOthers:
    @pytest.mark.parametrize("by", [VerifiedBy.MFA, VerifiedBy.PASSWORD])
    def test_users_who_are_not_staff_are_refused_without_a_redirect_loop(self, client, user, totp, by):
        force_mfa_login(client, user, verified_by=by)
        response, redirects = _follow(client, INDEX)
        assert response.status_code == 403
        assert redirects == 1
        assert b"not on the staff" in response.content

    def test_they_are_not_sent_to_set_up_a_factor(self, client, user, settings):
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "MFA_SETUP_URL": "/set-up-here/"}
        client.force_login(user)
        assert b"set-up-here" not in _follow(client, INDEX)[0].content

    def test_permissions_count_as_before(self, client, user, totp):
        user.is_staff = True
        user.save()
        user.user_permissions.add(Permission.objects.get(codename="view_group"))
        force_mfa_login(client, user)
        assert client.get("/admin/auth/group/").status_code == 200
        assert client.get("/admin/auth/user/").status_code == 403


class TestOfTheSite:
    def test_the_config_protects_the_default_site(self):
        assert isinstance(admin.site, TrustedDevicesAdminSite)

    def test_models_registered_anywhere_are_on_it(self):
        assert get_user_model() in admin.site._registry

    def test_a_site_of_another_name_leads_to_its_own_index(self, client, staff, factor, settings):
        own = TrustedDevicesAdminSite("own")
        settings.ROOT_URLCONF = (path("own/", own.urls), path("", include("tests.urls")))
        assert parse_qs(urlsplit(client.get("/own/login/").url).query)["next"] == ["/own/"]
        force_mfa_login(client, staff)
        assert client.get("/own/").status_code == 200

    @pytest.mark.parametrize("first", ["trusted_devices", "trusted_devices.admin_site.TrustedDevicesAdminConfig"])
    def test_what_this_app_registers_is_on_it_in_whichever_order_the_apps_come(self, first):
        code = f"""
from django.conf import settings
rest = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages"]
own = ["trusted_devices", "trusted_devices.admin_site.TrustedDevicesAdminConfig"]
own.sort(key=lambda app: app != {first!r})
settings.configure(INSTALLED_APPS=own + rest, SECRET_KEY="x" * 50, USE_TZ=True)
import django
django.setup()
from django.contrib import admin
print(sorted(model._meta.label for model in admin.site._registry), type(admin.site._wrapped).__name__)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "TrustedDevicesAdminSite" in done.stdout
        assert "'auth.User'" in done.stdout
        assert "'trusted_devices.Device'" in done.stdout
