"""The middleware: the same for sync and async sites, and nothing for requests that do not ask."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path

from tests.broken_database import away
from trusted_devices import cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.middleware import DeviceKeyMiddleware
from trusted_devices.models import Device, DeviceSession
from trusted_devices.services import devices, granting, sessions
from trusted_devices.services.granting import TrustChoice
from trusted_devices.testing import force_mfa_login, trust_device
from trusted_devices.types import By, Presented, StatusReason
from trusted_devices.web import jar, session_note
from trusted_devices.web.jar import get_jar

DAY = timedelta(days=1)
rf = RequestFactory()


@pytest.fixture(params=["sync", "async"])
def run(request):
    """Send a request through the middleware to a view; both worlds must do the same."""

    def sync_run(http_request, view):
        return DeviceKeyMiddleware(view)(http_request)

    def async_run(http_request, view):
        async def aview(inner):
            return await sync_to_async(view)(inner)

        middleware = DeviceKeyMiddleware(aview)
        assert iscoroutinefunction(middleware)
        return async_to_sync(middleware)(http_request)

    return sync_run if request.param == "sync" else async_run


@pytest.fixture
def granted(user, verified, client_info, sixty_days, now):
    return granting.grant(
        user=user,
        verification=verified,
        presented=Presented(),
        choice=TrustChoice(period=sixty_days),
        by=By(client=client_info, at=now),
    )


@pytest.fixture
def http_request(user, granted):
    """A request of the user's from the browser that they trusted."""
    request = rf.get("/")
    request.user = user
    request.COOKIES[cookies.name()] = cookies.dump(DeviceCookie().put(granted.credential))
    return request


def untouched(response):
    return not response.cookies and not {"Vary", "Cache-Control", "Trusted-Device"} & set(response.headers)


class TestARequestThatDoesNotAsk:
    def test_costs_no_query_and_leaves_the_response_alone(self, run, http_request, django_assert_num_queries):
        with django_assert_num_queries(0):
            response = run(http_request, lambda _: HttpResponse("page"))
        assert response.content == b"page"
        assert untouched(response)

    def test_does_not_even_look_at_a_garbled_cookie(self, run, http_request):
        http_request.COOKIES[cookies.name()] = "garbage"
        assert untouched(run(http_request, lambda _: HttpResponse()))


class TestARequestThatAsks:
    def test_is_told_the_device_for_one_query_however_often(
        self, run, http_request, granted, django_assert_num_queries
    ):
        def view(request):
            return HttpResponse(f"{request.trusted_device.device_key} {request.trusted_device.is_remembered}")

        with django_assert_num_queries(1):
            response = run(http_request, view)
        assert response.content.decode() == f"{granted.device.device_key} True"
        assert untouched(response)

    def test_is_told_of_a_device_that_is_not_remembered_as_well(self, run, http_request, granted):
        devices.stop_trusting([granted.device], reason=StatusReason.USER_STOPPED, by=By())
        response = run(http_request, lambda request: HttpResponse(str(request.trusted_device.is_remembered)))
        assert response.content == b"False"

    @pytest.mark.parametrize("who", ["anonymous", "nobody", "somebody else", "no cookie", "garbage", "empty"])
    def test_is_told_nothing_for_nothing_where_there_is_no_device(
        self, run, http_request, who, other_user, django_assert_num_queries
    ):
        if who == "anonymous":
            http_request.user = AnonymousUser()
        elif who == "nobody":
            del http_request.user
        elif who == "somebody else":
            http_request.user = other_user
        elif who == "no cookie":
            http_request.COOKIES.clear()
        else:
            http_request.COOKIES[cookies.name()] = {"garbage": "garbage", "empty": ""}[who]
        with django_assert_num_queries(0):
            response = run(http_request, lambda request: HttpResponse(str(bool(request.trusted_device))))
        assert response.content == b"False"
        assert untouched(response)

    def test_is_told_nothing_of_a_forgotten_device(self, run, http_request):
        Device.objects.all().delete()
        response = run(http_request, lambda request: HttpResponse(str(bool(request.trusted_device))))
        assert response.content == b"False"

    def test_can_ask_asynchronously(self, http_request, granted):
        async def view(request):
            device = await request.atrusted_device()
            return HttpResponse(device.device_key)

        response = async_to_sync(DeviceKeyMiddleware(view))(http_request)
        assert response.content.decode() == granted.device.device_key


class TestTheResponse:
    def test_carries_what_the_view_changed(self, run, http_request, granted):
        def view(request):
            get_jar(request).keep(granted.credential)
            return HttpResponse()

        response = run(http_request, view)
        assert cookies.load(response.cookies[cookies.name()].value).entries == (granted.credential,)
        assert response["Vary"] == "Cookie"


class TestTheRequestInHand:
    def test_is_known_while_the_view_runs_and_not_afterwards(self, run, http_request):
        seen = []
        run(http_request, lambda _: seen.append(jar.current_request.get()) or HttpResponse())
        assert seen == [http_request]
        assert jar.current_request.get() is None

    def test_is_forgotten_when_the_view_fails_as_well(self, run, http_request):
        def fail(_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run(http_request, fail)
        assert jar.current_request.get() is None

    def test_of_an_outer_request_is_back_after_an_inner_one(self, run, http_request):
        outer, seen = rf.get("/outer"), []

        def view(_):
            run(http_request, lambda _: HttpResponse())
            seen.append(jar.current_request.get())
            return HttpResponse()

        DeviceKeyMiddleware(view)(outer)
        assert seen == [outer]


def change_password(request):
    """Do what Django's own view does: the session is given a new key."""
    request.user.set_password("another password")
    request.user.save()
    update_session_auth_hash(request, request.user)
    return HttpResponse("changed")


async def achange_password(request):
    """Do it in an async view."""
    return await sync_to_async(change_password)(request)


def touch(request):
    """Change the session, and nothing about who is signed in."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse("touched")


def mark_modified(request):
    """Have the session saved without reading it."""
    request.session.modified = True
    return HttpResponse("marked")


async def amark_modified(request):
    """Have the session saved without reading it, in an async view."""
    request.session.modified = True
    return HttpResponse("marked")


urlpatterns = [
    path("password/", change_password),
    path("apassword/", achange_password),
    path("touch/", touch),
    path("marked/", mark_modified),
    path("amarked/", amark_modified),
]


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True)
class TestASessionThatIsGivenANewKey:
    @pytest.fixture
    def browser(self, user, totp):
        browser = Client()
        device = trust_device(browser, user)
        force_mfa_login(browser, user, device=device)
        return browser

    def visit(self, browser, url):
        """Ask for a page through the handler of its kind."""
        if not url.startswith("/a"):
            return browser.get(url)
        abrowser = AsyncClient()
        abrowser.cookies = browser.cookies
        response = async_to_sync(abrowser.get)(url)
        browser.cookies.update(response.cookies)
        return response

    @pytest.mark.parametrize("url", ["/password/", "/apassword/"])
    def test_is_followed_so_that_forgetting_the_device_still_ends_it(self, browser, user, url):
        before = browser.session.session_key
        assert self.visit(browser, url).content == b"changed"
        after = browser.session.session_key
        assert after != before
        assert DeviceSession.objects.get().session_digest == sessions.digest(after)
        note = session_note.read(browser.session, str(user.pk))
        assert note.session_digest == sessions.digest(after)
        devices.forget_all(user=user, by=By())
        assert not browser.session.exists(after)

    @pytest.mark.parametrize("url", ["/password/", "/apassword/"])
    def test_does_not_live_on_where_that_cannot_be_noted(self, browser, url):
        before = browser.session.session_key
        with away("trusted_devices_devicesession"):
            response = self.visit(browser, url)
        assert response.status_code == 503
        assert [browser.session.exists(key) for key in (before, browser.session.session_key)] == [False, False]

    def test_is_not_followed_to_a_device_that_is_gone(self, browser, user):
        Device.objects.all().delete()
        assert self.visit(browser, "/password/").status_code == 200
        assert not DeviceSession.objects.exists()

    def test_a_session_that_changed_but_kept_its_key_costs_nothing_more(self, browser, django_assert_num_queries):
        self.visit(browser, "/touch/")
        noted = DeviceSession.objects.values().get()
        self.visit(browser, "/touch/")
        assert DeviceSession.objects.values().get() == noted

    @pytest.mark.parametrize("url", ["/marked/", "/amarked/"])
    def test_a_session_that_nobody_read_is_not_read_here_either(self, browser, url):
        assert self.visit(browser, url).content == b"marked"
