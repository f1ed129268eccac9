"""Turning a finished sign-in into a session."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as django_settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory
from django_otp import DEVICE_ID_SESSION_KEY

from trusted_devices import conf, cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import devices, granting, sessions
from trusted_devices.services.granting import TrustChoice
from trusted_devices.services.sign_in import SignedIn
from trusted_devices.types import By, MfaVerification, Presented, StatusReason, VerifiedBy
from trusted_devices.web import logins, pending, session_note
from trusted_devices.web.jar import apply_changes

BACKEND = "django.contrib.auth.backends.ModelBackend"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _at_now(now, time_machine):
    time_machine.move_to(now, tick=False)


@pytest.fixture
def http_request(db):
    """A request in a session with a half-finished sign-in."""
    request = RequestFactory().post("/")
    request.session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    request.session[pending.SESSION_KEY] = {"id": "half"}
    request.session.create()
    request.user = AnonymousUser()
    return request


@pytest.fixture
def granted(user, totp, verified, client_info, sixty_days, now):
    return granting.grant(
        user=user,
        verification=verified,
        presented=Presented(),
        choice=TrustChoice(period=sixty_days),
        by=By(client=client_info, at=now),
    )


@pytest.fixture
def by_code(user, totp, now):
    """Signed in by a code that was typed two minutes ago."""
    verified = MfaVerification(kind="totp", factor_id=totp.persistent_id, at=now - 2 * MINUTE)
    return SignedIn(user=user, verified_by=VerifiedBy.MFA, auth_backend=BACKEND, verification=verified)


@pytest.fixture
def by_trust(user, granted):
    return SignedIn(
        user=user,
        verified_by=VerifiedBy.TRUSTED_DEVICE,
        auth_backend=BACKEND,
        device=granted.device,
        credential=granted.credential,
    )


def note(request, user):
    return session_note.read(request.session, str(user.pk))


class TestFinishing:
    def test_the_session_has_a_new_key_and_nothing_of_the_unfinished_sign_in(self, http_request, by_code, user):
        before = http_request.session.session_key
        logins.finish(http_request, by_code)
        assert http_request.user == user
        assert auth.get_user(http_request) == user
        assert http_request.session.session_key != before
        assert not http_request.session.exists(before)
        assert pending.SESSION_KEY not in http_request.session

    def test_what_the_session_held_of_another_user_is_gone(self, http_request, by_code, other_user):
        auth.login(http_request, other_user, backend=BACKEND)
        http_request.session["theirs"] = True
        session_note.write(
            http_request.session,
            session_note.Verification(
                user_id=str(other_user.pk), verified_by=VerifiedBy.MFA, at=by_code.verification.at
            ),
        )
        logins.finish(http_request, by_code)
        assert "theirs" not in http_request.session
        assert note(http_request, other_user) is None

    def test_the_session_notes_how_and_when_the_second_factor_was_used(self, http_request, by_code, user, now):
        logins.finish(http_request, by_code)
        noted = note(http_request, user)
        assert (noted.verified_by, noted.at) == (VerifiedBy.MFA, now - 2 * MINUTE)
        assert (noted.device_key, noted.session_digest) == ("", "")

    def test_trust_is_noted_as_what_it_is(self, http_request, by_trust, user, now):
        logins.finish(http_request, by_trust)
        noted = note(http_request, user)
        assert (noted.verified_by, noted.at) == (VerifiedBy.TRUSTED_DEVICE, now)
        assert noted.device_key == by_trust.device.device_key

    def test_the_session_is_attached_to_its_device(self, http_request, by_trust, user):
        logins.finish(http_request, by_trust)
        digest = sessions.digest(http_request.session.session_key)
        assert DeviceSession.objects.get().session_digest == digest == note(http_request, user).session_digest
        assert DeviceEvent.objects.latest("pk").action == "signed_in"

    def test_the_browser_is_handed_the_credential(self, http_request, by_trust):
        logins.finish(http_request, by_trust)
        response = HttpResponse()
        apply_changes(http_request, response)
        assert cookies.load(response.cookies[cookies.name()].value).entries == (by_trust.credential,)

    def test_without_a_credential_the_browser_keeps_what_it_has(self, http_request, by_code, granted):
        http_request.COOKIES[cookies.name()] = cookies.dump(DeviceCookie().put(granted.credential))
        logins.finish(http_request, by_code)
        response = HttpResponse()
        apply_changes(http_request, response)
        assert not response.cookies

    def test_garbage_in_the_cookie_is_tidied_up(self, http_request, by_code):
        http_request.COOKIES[cookies.name()] = "garbage"
        logins.finish(http_request, by_code)
        response = HttpResponse()
        apply_changes(http_request, response)
        assert response.cookies[cookies.name()].value == ""

    def test_django_otp_sees_a_session_as_verified_after_a_code_not_after_trust(
        self, http_request, by_code, by_trust, totp
    ):
        logins.finish(http_request, by_trust)
        assert DEVICE_ID_SESSION_KEY not in http_request.session
        logins.finish(http_request, by_code)
        assert http_request.session[DEVICE_ID_SESSION_KEY] == totp.persistent_id

    def test_a_session_from_a_device_that_was_just_forgotten_does_not_live(self, http_request, by_trust):
        devices.forget([Device.objects.get()], by=By())
        logins.finish(http_request, by_trust)
        assert not http_request.session.exists(http_request.session.session_key)

    def test_a_user_whose_backend_is_not_known_gets_the_only_one_there_is(self, http_request, user, settings):
        settings.AUTHENTICATION_BACKENDS = [BACKEND]
        logins.finish(http_request, SignedIn(user=user, verified_by=VerifiedBy.PASSWORD, auth_backend=""))
        assert auth.get_user(http_request) == user


class TestNoting:
    def test_a_session_without_a_key_is_given_one(self, user):
        request = RequestFactory().get("/")
        request.session = import_module(django_settings.SESSION_ENGINE).SessionStore()
        assert (
            logins.note_verification(request, user, verified_by=VerifiedBy.MFA, device=None)
            == request.session.session_key
        )
        assert request.session.session_key

    def test_a_second_factor_used_again_is_fresh_and_the_device_stays(self, http_request, by_trust, user, totp, now):
        logins.finish(http_request, by_trust)
        again = MfaVerification(kind="totp", factor_id=totp.persistent_id, at=now + MINUTE)
        logins.renew_verification(http_request, user, again)
        noted = note(http_request, user)
        assert (noted.verified_by, noted.at) == (VerifiedBy.MFA, now + MINUTE)
        assert noted.device_key == by_trust.device.device_key
        assert noted.session_digest == sessions.digest(http_request.session.session_key)
        assert http_request.session[DEVICE_ID_SESSION_KEY] == totp.persistent_id

    def test_a_session_that_another_sign_in_made_can_be_verified_as_well(self, http_request, user, now):
        auth.login(http_request, user, backend=BACKEND)
        recovery = MfaVerification(kind="recovery", factor_id="otp_static.staticdevice/1", at=now, recovery=True)
        logins.renew_verification(http_request, user, recovery)
        noted = note(http_request, user)
        assert (noted.verified_by, noted.device_key, noted.session_digest) == (VerifiedBy.RECOVERY, "", "")


class TestFollowing:
    @pytest.fixture
    def signed_in(self, http_request, by_trust):
        logins.finish(http_request, by_trust)
        return http_request

    def test_a_session_that_kept_its_key_has_not_moved(self, signed_in):
        assert logins.moved_session(signed_in) is None

    def test_a_session_with_a_new_key_has_moved_and_is_followed(self, signed_in, user):
        signed_in.session.cycle_key()
        noted = logins.moved_session(signed_in)
        assert noted is not None
        logins.follow_session(signed_in, noted)
        assert DeviceSession.objects.get().session_digest == sessions.digest(signed_in.session.session_key)
        assert logins.moved_session(signed_in) is None

    def test_a_session_without_a_device_is_not_followed(self, http_request, by_code):
        logins.finish(http_request, by_code)
        http_request.session.cycle_key()
        assert logins.moved_session(http_request) is None

    def test_a_session_that_ended_is_not_followed(self, signed_in):
        signed_in.session.flush()
        assert logins.moved_session(signed_in) is None

    @pytest.mark.parametrize("garbage", [None, 7, "text", [], {}, {"user": "1"}])
    def test_a_garbled_note_is_not_followed(self, signed_in, garbage):
        signed_in.session[session_note.SESSION_KEY] = garbage
        signed_in.session.cycle_key()
        assert logins.moved_session(signed_in) is None

    def test_a_request_without_a_session_has_none_that_moved(self):
        assert logins.moved_session(RequestFactory().get("/")) is None

    def test_sessions_in_signed_cookies_are_not_followed(self, signed_in, settings):
        signed_in.session.cycle_key()
        settings.SESSION_ENGINE = conf.SIGNED_COOKIES
        assert logins.moved_session(signed_in) is None

    @pytest.mark.parametrize("gone", ["forgotten", "somebody else's"])
    def test_it_is_not_attached_to_a_device_that_is_forgotten_or_somebody_elses(self, signed_in, other_user, gone):
        signed_in.session.cycle_key()
        noted = logins.moved_session(signed_in)
        DeviceSession.objects.all().delete()
        if gone == "forgotten":
            Device.objects.all().delete()
        else:
            Device.objects.update(user=other_user)
        logins.follow_session(signed_in, noted)
        assert not DeviceSession.objects.exists()

    def test_a_device_that_lost_its_trust_keeps_a_session_that_only_moved(self, signed_in):
        devices.stop_trusting([Device.objects.get()], reason=StatusReason.PASSWORD_CHANGED, by=By())
        signed_in.session.cycle_key()
        logins.follow_session(signed_in, logins.moved_session(signed_in))
        assert signed_in.session.exists(signed_in.session.session_key)
        assert DeviceSession.objects.exists()
