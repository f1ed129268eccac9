"""A request's device credentials: read when asked, written when changed, and nothing else touched."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from trusted_devices import cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.types import DeviceCredential, Presented
from trusted_devices.web import jar
from trusted_devices.web.jar import DeviceKeyJar, apply_changes, get_jar, key_in_hand

DAY = timedelta(days=1)
rf = RequestFactory()
MARIA, TOM = SimpleNamespace(pk=1), SimpleNamespace(pk=2)


@pytest.fixture
def credential(now, time_machine):
    time_machine.move_to(now, tick=False)
    return DeviceCredential(user_id="1", device_key="local_1", secret="s" * 43, generation=1, expires_at=now + 60 * DAY)


@pytest.fixture
def production(settings):
    settings.TRUSTED_DEVICES = {}
    settings.DEBUG = False


def request_with(value=None, *, header=None):
    request = rf.get("/", headers={} if header is None else {"Trusted-Device": header})
    if value is not None:
        request.COOKIES[cookies.name()] = value
    return request


def sealed(*credentials):
    cookie = DeviceCookie()
    for entry in credentials:
        cookie = cookie.put(entry)
    return cookies.dump(cookie)


def applied(request):
    response = HttpResponse()
    apply_changes(request, response)
    return response


def untouched(response):
    return not response.cookies and not {"Vary", "Cache-Control", "Trusted-Device"} & set(response.headers)


class TestWhetherItIsKept:
    """Chromium, Firefox and Safari keep a Secure cookie over HTTPS; the first two on the machine itself, too."""

    @pytest.fixture(autouse=True)
    def forgotten_warning(self, production):
        jar._warn.cache_clear()

    @pytest.mark.parametrize(
        ("kept", "request_of"),
        [
            (True, {"secure": True}),
            (False, {"headers": {"Origin": "http://example.com"}}),
            (False, {"headers": {"Origin": "null"}}),
            (True, {"headers": {"Origin": "https://example.com"}}),  # a proxy that does not say so
            (True, {"headers": {"Sec-Fetch-Site": "same-origin"}}),  # the same, or http://localhost
            (True, {"headers": {"Trusted-Device": ""}}),
        ],
    )
    def test_the_connection_decides_as_the_browser_sees_it(self, kept, request_of):
        assert get_jar(rf.post("/", **request_of)).is_kept is kept

    def test_a_cookie_that_is_not_secure_is_kept_anyway(self, settings):
        settings.TRUSTED_DEVICES = {"COOKIE_SECURE": False}
        assert get_jar(rf.get("/")).is_kept

    def test_the_log_says_so_once(self, caplog):
        for _time in range(2):
            assert not get_jar(rf.get("/")).is_kept
        [record] = caplog.records
        assert (record.levelname, "COOKIE_SECURE" in record.getMessage()) == ("WARNING", True)


class TestReading:
    def test_a_request_has_one_jar(self):
        request = request_with()
        assert get_jar(request) is get_jar(request)

    def test_a_credential_is_read_from_the_cookie(self, credential):
        jar = get_jar(request_with(sealed(credential)))
        assert jar.present(MARIA) == Presented(credential=credential)
        assert jar.present(TOM) == Presented()

    def test_where_the_header_is_used_the_cookie_does_not_count(self, credential):
        header = sealed(credential)
        assert get_jar(request_with(header=header)).present(MARIA).credential == credential
        assert get_jar(request_with(header, header="")).present(MARIA) == Presented()

    def test_garbage_is_read_without_an_error(self):
        assert get_jar(request_with("garbage")).present(MARIA) == Presented(unreadable=True)
        assert get_jar(request_with(header="garbage")).present(MARIA) == Presented(unreadable=True)

    def test_what_was_kept_is_presented_from_then_on(self, credential):
        jar = get_jar(request_with("garbage"))
        jar.keep(credential)
        assert jar.present(MARIA) == Presented(credential=credential)
        assert cookies.load(jar.sealed()).entries == (credential,)

    def test_a_jar_that_holds_nothing_seals_nothing(self):
        assert get_jar(request_with()).sealed() == ""


class TestWhoDoesNotWantToBeAsked:
    def test_is_remembered_by_the_browser_for_as_long_as_a_device_is_for_reviving(self):
        request = request_with()
        get_jar(request).decline(MARIA)
        (morsel,) = applied(request).cookies.values()
        assert morsel["max-age"] == cookies.REVIVAL_PERIOD.total_seconds()
        jar = get_jar(request_with(morsel.value))
        assert (jar.declines(MARIA), jar.declines(TOM)) == (True, False)

    def test_may_take_it_back_which_leaves_no_cookie(self):
        request = request_with(cookies.dump(DeviceCookie().decline("1")))
        get_jar(request).ask_again(MARIA)
        (morsel,) = applied(request).cookies.values()
        assert (morsel.value, morsel["max-age"]) == ("", 0)

    def test_who_never_said_so_has_nothing_to_take_back(self):
        request = request_with(sealed())
        get_jar(request).ask_again(MARIA)
        assert untouched(applied(request))


class TestWriting:
    def test_a_request_that_never_asked_leaves_the_response_alone(self):
        assert untouched(applied(request_with("garbage")))

    def test_reading_leaves_the_response_alone(self, credential):
        for value in (None, "garbage", sealed(credential)):
            request = request_with(value)
            get_jar(request).present(MARIA)
            assert untouched(applied(request))

    def test_a_credential_travels_in_a_cookie_out_of_reach_of_scripts_and_sites(self, credential, production):
        request = request_with()
        get_jar(request).keep(credential)
        (morsel,) = applied(request).cookies.values()
        assert morsel.key == "__Host-trusted_device"
        assert (morsel["httponly"], morsel["secure"], morsel["samesite"]) == (True, True, "Lax")
        assert (morsel["path"], morsel["domain"]) == ("/", "")
        assert morsel["max-age"] == (60 * DAY + cookies.REVIVAL_PERIOD).total_seconds()
        assert cookies.load(morsel.value).entries == (credential,)

    def test_the_cookie_is_as_the_settings_say(self, credential, settings):
        settings.TRUSTED_DEVICES = {
            "COOKIE_NAME": "mine",
            "COOKIE_DOMAIN": "example.com",
            "COOKIE_PATH": "/app/",
            "COOKIE_SECURE": True,
            "COOKIE_SAMESITE": "Strict",
        }
        request = request_with()
        get_jar(request).keep(credential)
        (morsel,) = applied(request).cookies.values()
        assert (morsel.key, morsel["domain"], morsel["path"], morsel["samesite"], morsel["secure"]) == (
            "mine",
            "example.com",
            "/app/",
            "Strict",
            True,
        )

    def test_no_cookie_outlives_400_days(self, credential, now):
        request = request_with()
        get_jar(request).keep(replace(credential, expires_at=now + 399 * DAY))
        (morsel,) = applied(request).cookies.values()
        assert morsel["max-age"] == (400 * DAY).total_seconds()

    def test_a_response_with_a_credential_is_kept_out_of_shared_caches(self, credential):
        request = request_with()
        get_jar(request).keep(credential)
        response = HttpResponse(headers={"Cache-Control": "public, max-age=60", "Vary": "Accept"})
        apply_changes(request, response)
        assert "private" in response["Cache-Control"]
        assert "public" not in response["Cache-Control"]
        assert response["Vary"] == "Accept, Cookie"

    def test_to_clients_without_cookies_it_travels_in_the_header(self, credential):
        request = request_with(header="")
        get_jar(request).keep(credential)
        response = applied(request)
        assert cookies.load(response["Trusted-Device"]).entries == (credential,)
        assert response["Vary"] == "Trusted-Device"
        assert "private" in response["Cache-Control"]
        assert not response.cookies

    def test_the_credentials_of_others_stay_in_the_cookie(self, credential):
        theirs = replace(credential, user_id="2")
        request = request_with(sealed(theirs))
        get_jar(request).keep(credential)
        (morsel,) = applied(request).cookies.values()
        assert cookies.load(morsel.value).entries == (credential, theirs)


class TestDiscarding:
    def test_the_last_credential_takes_the_cookie_with_it(self, credential, production):
        request = request_with(sealed(credential))
        get_jar(request).discard(MARIA)
        (morsel,) = applied(request).cookies.values()
        assert (morsel.key, morsel.value, morsel["max-age"]) == ("__Host-trusted_device", "", 0)
        assert (morsel["path"], morsel["secure"]) == ("/", True)

    def test_in_the_header_it_leaves_an_empty_value(self, credential):
        request = request_with(header=sealed(credential))
        get_jar(request).discard(MARIA)
        assert applied(request)["Trusted-Device"] == ""

    def test_the_credentials_of_others_stay(self, credential):
        request = request_with(sealed(credential, replace(credential, user_id="2")))
        get_jar(request).discard(MARIA)
        (morsel,) = applied(request).cookies.values()
        assert [entry.user_id for entry in cookies.load(morsel.value).entries] == ["2"]

    def test_discarding_what_is_not_there_changes_nothing(self, credential):
        request = request_with(sealed(credential))
        get_jar(request).discard(TOM)
        assert untouched(applied(request))


class TestTidying:
    def test_garbage_is_thrown_away(self):
        request = request_with("garbage")
        get_jar(request).tidy()
        (morsel,) = applied(request).cookies.values()
        assert (morsel.value, morsel["max-age"]) == ("", 0)

    def test_what_was_sealed_under_an_earlier_key_is_sealed_anew(self, credential, settings):
        value = sealed(credential)
        old, settings.SECRET_KEY = settings.SECRET_KEY, "the next key"
        settings.SECRET_KEY_FALLBACKS = [old]
        request = request_with(value)
        get_jar(request).tidy()
        (morsel,) = applied(request).cookies.values()
        settings.SECRET_KEY_FALLBACKS = []
        assert cookies.load(morsel.value).entries == (credential,)

    @pytest.mark.parametrize("nothing", [True, False])
    def test_what_is_in_order_stays_as_it_is(self, credential, nothing):
        request = request_with(None if nothing else sealed(credential))
        get_jar(request).tidy()
        assert untouched(applied(request))


class TestTheKeyInHand:
    @pytest.fixture
    def request_in_hand(self, credential):
        request = request_with(sealed(credential))
        request.user = MARIA
        token = jar.current_request.set(request)
        yield request
        jar.current_request.reset(token)

    def test_it_is_that_of_the_signed_in_user(self, request_in_hand):
        assert key_in_hand(MARIA) == "local_1"

    def test_it_is_nobody_elses(self, request_in_hand):
        assert key_in_hand(TOM) == ""
        request_in_hand.user = TOM
        assert key_in_hand(MARIA) == ""
        assert key_in_hand(TOM) == ""

    def test_outside_a_request_or_without_a_user_there_is_none(self, credential):
        assert key_in_hand(MARIA) == ""
        token = jar.current_request.set(request_with(sealed(credential)))
        try:
            assert key_in_hand(MARIA) == ""
        finally:
            jar.current_request.reset(token)


def test_a_jar_shows_no_secret(credential):
    jar = DeviceKeyJar(request_with(sealed(credential)))
    jar.keep(credential)
    assert credential.secret not in repr(jar)
