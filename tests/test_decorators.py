"""``fresh_mfa_required``: what a remembered sign-in is not enough for."""

from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View

from trusted_devices.decorators import ask_again, fresh_mfa_required, has_fresh_mfa
from trusted_devices.services import stamps
from trusted_devices.types import VerifiedBy
from trusted_devices.web import session_note
from trusted_devices.web.session_note import Verification

QUARTER = timedelta(minutes=15)
rf = RequestFactory()
MARIA = SimpleNamespace(pk=1, is_authenticated=True, password="a hash")


@fresh_mfa_required(max_age=QUARTER)
def secret_page(request, number=0):
    """The page."""
    return HttpResponse(f"secret {number}")


@fresh_mfa_required(max_age=QUARTER)
async def asecret_page(request, number=0):
    """The page."""
    return HttpResponse(f"secret {number}")


@method_decorator(fresh_mfa_required(max_age=QUARTER), name="dispatch")
class SecretView(View):
    """The page as a class."""

    def get(self, request, number=0):
        return HttpResponse(f"secret {number}")

    post = get


VIEWS = {
    "sync": secret_page,
    "async": async_to_sync(asecret_page),
    "class": SecretView.as_view(),
}


@pytest.fixture(params=VIEWS)
def view(request):
    return VIEWS[request.param]


@pytest.fixture
def send(now, time_machine, settings):
    """Build a request of somebody who was verified a while ago."""
    settings.TRUSTED_DEVICES = {}
    time_machine.move_to(now, tick=False)
    stamp = stamps.credential_stamp(MARIA, ())

    def build(verified_by=VerifiedBy.MFA, ago=timedelta(0), *, request=None, user=MARIA, noted_for="1"):
        request = request or rf.get("/secret/?page=2")
        request.user, request.session = user, {}
        note = Verification(user_id=noted_for, verified_by=verified_by, at=now - ago, stamp=stamp)
        session_note.write(request.session, note)
        return request

    return build


def way_back(response):
    """Return where a redirect leads in the end."""
    assert response.status_code == 302
    parts = urlsplit(response["Location"])
    assert parts.path == reverse("trusted_devices:verify")
    return parse_qs(parts.query)["next"][0]


class TestWhoMayPass:
    @pytest.mark.parametrize("by", [VerifiedBy.MFA, VerifiedBy.RECOVERY])
    def test_whoever_has_just_used_a_second_factor(self, view, send, by):
        response = view(send(by, QUARTER - timedelta(seconds=1)), number=7)
        assert response.content == b"secret 7"

    @pytest.mark.parametrize("by", [VerifiedBy.TRUSTED_DEVICE, VerifiedBy.PASSWORD])
    def test_trust_and_a_mere_password_do_not_satisfy_it(self, view, send, by):
        assert way_back(view(send(by))) == "/secret/?page=2"

    @pytest.mark.parametrize("ago", [QUARTER, QUARTER + timedelta(days=1)])
    def test_a_second_factor_used_too_long_ago_does_not_either(self, view, send, ago):
        assert way_back(view(send(ago=ago)))

    def test_neither_does_that_of_somebody_else_who_used_the_session_before(self, view, send):
        assert way_back(view(send(noted_for="2")))

    @pytest.mark.parametrize("user", [AnonymousUser(), None])
    def test_nobody_is_asked_as_well(self, view, send, user):
        assert way_back(view(send(user=user)))

    def test_a_request_without_a_user_has_no_fresh_mfa(self):
        assert has_fresh_mfa(rf.get("/"), QUARTER) is False

    def test_a_session_without_a_note_has_none_either(self):
        request = rf.get("/")
        request.user, request.session = MARIA, {}
        assert has_fresh_mfa(request, QUARTER) is False


class TestTheWayBack:
    def back(self, request):
        return way_back(ask_again(request))

    @pytest.mark.parametrize("method", ["get", "head"])
    def test_a_page_that_was_asked_for_is_asked_for_again(self, method):
        assert self.back(getattr(rf, method)("/secret/?page=2&x=a%26b")) == "/secret/?page=2&x=a%26b"

    def test_a_post_leads_to_the_page_that_it_came_from_and_is_not_repeated(self):
        request = rf.post("/secret/delete/", headers={"Referer": "http://testserver/secret/?page=2"})
        assert self.back(request) == "/secret/?page=2"
        request = rf.post("/secret/delete/", headers={"Referer": "http://testserver/secret/"})
        assert self.back(request) == "/secret/"
        assert self.back(rf.post("/delete/", headers={"Referer": "http://testserver"})) == "/"

    @pytest.mark.parametrize(
        "referer",
        [
            "",
            "https://elsewhere.example/secret/",
            "http://testserver.elsewhere.example/",
            "javascript:alert(1)",
            "http://testserver@elsewhere.example/",
            "garbage \x7f",
            "garbage",
            "/another/page/",
            "http://[",
            "//elsewhere.example/",
        ],
    )
    def test_a_post_from_nowhere_or_elsewhere_leads_to_its_own_address(self, referer):
        assert self.back(rf.post("/secret/delete/", headers={"Referer": referer})) == "/secret/delete/"

    def test_under_https_a_page_without_it_counts_as_elsewhere(self):
        request = rf.post("/secret/delete/", secure=True, headers={"Referer": "http://testserver/secret/"})
        assert self.back(request) == "/secret/delete/"

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_path_with_two_slashes_does_not_lead_to_another_host(self, method):
        request = getattr(rf, method)("/")
        request.path = "//elsewhere.example/"
        assert self.back(request) == "/%2Felsewhere.example/"

    def test_neither_does_a_referer_with_two_slashes(self):
        request = rf.post("/delete/", headers={"Referer": "http://testserver//elsewhere.example/?x"})
        assert self.back(request) == "/%2Felsewhere.example/?x"


def test_the_view_keeps_its_name_and_kind():
    assert secret_page.__name__ == "secret_page"
    assert secret_page.__doc__ == asecret_page.__doc__ == "The page."
    assert iscoroutinefunction(asecret_page)
    assert not iscoroutinefunction(secret_page)
