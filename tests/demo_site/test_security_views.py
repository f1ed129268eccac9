"""Setting up, renewing and removing the second factor, as somebody does with a browser."""

import re
from base64 import b32decode
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp as totp_code
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_hotp.models import HOTPDevice
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.broken_database import interrupted
from trusted_devices.types import VerifiedBy
from trusted_devices.web import session_note

pytestmark = pytest.mark.django_db
SET_UP, RENEW, TURN_OFF = "/security/authenticator/", "/security/recovery-codes/", "/security/turn-off/"
PASSWORD = "correct horse"


def text_of(response):
    return response.content.decode()


def code_for(device):
    return f"{totp_code(device.bin_key):06d}"


def wrong_code_for(device):
    return f"{(int(code_for(device)) + 500_000) % 1_000_000:06d}"


def shown_key(page):
    groups = re.search(r"td-key\">(.*?)</code>", page, re.DOTALL)
    assert groups
    return b32decode("".join(re.findall(r"<span>(\w+)</span>", groups[1])))


@pytest.mark.parametrize("path", ["/security/", SET_UP, RENEW, TURN_OFF, "/security/password/"])
def test_the_security_pages_are_for_signed_in_users(visitor, path):
    response = visitor.get(path)
    assert (response.status_code, response.headers["Location"]) == (302, f"/sign-in/?next={path}")


@pytest.mark.parametrize("path", ["/security/", SET_UP, RENEW, TURN_OFF, "/security/password/"])
def test_the_security_pages_are_never_stored(signed_in, path):
    assert "no-store" in signed_in.get(path).headers["Cache-Control"]


def test_a_user_without_a_second_factor_is_told_how_to_set_one_up(signed_in):
    page = text_of(signed_in.get("/security/"))
    assert "Off" in page
    assert f'href="{SET_UP}"' in page


def test_the_set_up_page_shows_a_qr_code_and_the_same_key_in_letters(signed_in, user):
    page = text_of(signed_in.get(SET_UP))
    pending = TOTPDevice.objects.get(user=user)
    assert not pending.confirmed
    assert shown_key(page) == pending.bin_key
    assert "<svg" in page
    assert "style=" not in page


def test_a_code_and_the_password_turn_the_second_factor_on(signed_in, user):
    key = shown_key(text_of(signed_in.get(SET_UP)))
    page = text_of(signed_in.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD}))
    assert "Your second factor is on" in page
    assert TOTPDevice.objects.get(user=user).confirmed
    assert "On" in text_of(signed_in.get("/security/"))


def test_recovery_codes_are_shown_once_right_after_the_set_up(signed_in, user):
    key = shown_key(text_of(signed_in.get(SET_UP)))
    page = text_of(signed_in.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD}))
    shown = set(re.findall(r"<li>(\w{8})</li>", page))
    assert shown == set(StaticToken.objects.filter(device__user=user).values_list("token", flat=True))
    assert len(shown) == 10
    for path in ("/security/", RENEW):
        assert not shown & set(re.findall(r"\w{8}", text_of(signed_in.get(path))))


def test_setting_up_counts_as_a_fresh_factor_and_renews_the_session_key(signed_in, user):
    key = shown_key(text_of(signed_in.get(SET_UP)))
    before = signed_in.session.session_key
    signed_in.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD})
    note = session_note.read(signed_in.session, str(user.pk))
    assert note is not None
    assert note.verified_by is VerifiedBy.MFA
    assert signed_in.session.session_key != before


def test_the_code_may_be_typed_with_a_space(signed_in, user):
    code = f"{totp_code(shown_key(text_of(signed_in.get(SET_UP)))):06d}"
    signed_in.post(SET_UP, {"code": f" {code[:3]} {code[3:]} ", "password": PASSWORD})
    assert TOTPDevice.objects.get(user=user).confirmed


@pytest.mark.parametrize("code", ["", "abc", "\uff11\uff12", "9" * 65, "\x00", "12345é"])
def test_a_malformed_code_changes_nothing_and_gets_a_message(signed_in, user, code):
    signed_in.get(SET_UP)
    response = signed_in.post(SET_UP, {"code": code, "password": PASSWORD})
    assert response.status_code == 200
    assert 'id="id_code_error"' in text_of(response)
    assert not TOTPDevice.objects.get(user=user).confirmed


def test_a_wrong_code_changes_nothing_and_keeps_the_key(signed_in, user):
    key = shown_key(text_of(signed_in.get(SET_UP)))
    pending = TOTPDevice.objects.get(user=user)
    response = signed_in.post(SET_UP, {"code": wrong_code_for(pending), "password": PASSWORD})
    assert "This code is wrong" in text_of(response)
    assert shown_key(text_of(response)) == key
    assert not TOTPDevice.objects.get(user=user).confirmed


def test_codes_cannot_be_guessed_at_even_by_starting_over(signed_in, user):
    signed_in.get(SET_UP)
    pending = TOTPDevice.objects.get(user=user)
    signed_in.post(SET_UP, {"code": wrong_code_for(pending), "password": PASSWORD})
    signed_in.get(SET_UP)
    response = signed_in.post(SET_UP, {"code": code_for(pending), "password": PASSWORD})
    assert response.status_code == 429
    assert "Too many wrong codes. Try again in 1 second." in text_of(response)
    assert not TOTPDevice.objects.get(user=user).confirmed


def test_a_wrong_password_is_refused_before_the_code_is_looked_at(signed_in, user):
    signed_in.get(SET_UP)
    pending = TOTPDevice.objects.get(user=user)
    response = signed_in.post(SET_UP, {"code": code_for(pending), "password": "guess"})
    assert "This is not your password" in text_of(response)
    pending.refresh_from_db()
    assert (pending.confirmed, pending.last_t, pending.throttling_failure_count) == (False, -1, 0)


def test_passwords_cannot_be_guessed_at(signed_in, user, demo):
    demo.AXES_ENABLED = True
    demo.AXES_FAILURE_LIMIT = 3
    signed_in.get(SET_UP)
    for _ in range(3):
        response = signed_in.post(SET_UP, {"code": "123456", "password": "guess"})
    response = signed_in.post(SET_UP, {"code": "123456", "password": PASSWORD})
    assert response.status_code == 429
    assert "Too many wrong passwords" in text_of(response)


def test_a_key_that_was_never_confirmed_is_replaced_after_an_hour(signed_in):
    first = shown_key(text_of(signed_in.get(SET_UP)))
    assert shown_key(text_of(signed_in.get(SET_UP))) == first
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert shown_key(text_of(signed_in.get(SET_UP))) != first


def test_a_code_for_a_set_up_that_was_never_begun_is_refused(signed_in, user):
    response = signed_in.post(SET_UP, {"code": "123456", "password": PASSWORD})
    assert "The key on this page is a new one" in text_of(response)


def test_a_key_that_another_browser_was_shown_is_never_put_to_use(signed_in, user):
    thief = Client()
    thief.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    seen = shown_key(text_of(thief.get(SET_UP)))
    key = shown_key(text_of(signed_in.get(SET_UP)))
    assert key != seen
    page = text_of(thief.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD}))
    assert "The key on this page is a new one" in page
    signed_in.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD})
    assert not TOTPDevice.objects.filter(confirmed=True).exists(), "the other browser has begun anew"
    key = shown_key(text_of(signed_in.get(SET_UP)))
    signed_in.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD})
    assert TOTPDevice.objects.get().bin_key == key


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (HOTPDevice, "You have a second factor already, of a kind that cannot be asked for here"),
        (EmailDevice, "Your second factor is on already"),
    ],
)
def test_whoever_has_a_factor_of_another_kind_adds_none_by_the_password_alone(signed_in, user, model, told):
    key = shown_key(text_of(signed_in.get(SET_UP)))
    model.objects.create(user=user, name="other", confirmed=True)
    for response in (
        signed_in.post(SET_UP, {"code": f"{totp_code(key):06d}", "password": PASSWORD}, follow=True),
        signed_in.get(SET_UP, follow=True),
    ):
        assert told in text_of(response)
    assert not TOTPDevice.objects.filter(confirmed=True).exists()


def test_a_factor_that_comes_at_the_last_moment_keeps_the_other_out(signed_in, user):
    key = shown_key(text_of(signed_in.get(SET_UP)))
    form = {"code": f"{totp_code(key):06d}", "password": PASSWORD}
    came = lambda: EmailDevice.objects.create(user=user, name="mail", confirmed=True)  # noqa: E731
    # The code was right; what comes next is to hold the user.
    with interrupted("^UPDATE .otp_totp", came):
        response = signed_in.post(SET_UP, form, follow=True)
    assert "Your second factor is on already" in text_of(response)
    assert not TOTPDevice.objects.filter(confirmed=True).exists()


def test_a_second_authenticator_cannot_replace_the_first_unasked(signed_in, totp):
    response = signed_in.get(SET_UP, follow=True)
    assert response.redirect_chain == [("/security/", 302)]
    assert "Your second factor is on already" in text_of(response)


def test_recovery_codes_are_renewed_after_a_code(signed_in, totp):
    first = text_of(signed_in.post(RENEW, {"code": code_for(totp)}))
    old = set(StaticToken.objects.values_list("token", flat=True))
    assert all(token in first for token in old)
    signed_in.post(RENEW, {"code": next(iter(old))})
    assert not old & set(StaticToken.objects.values_list("token", flat=True))


@pytest.mark.parametrize("path", [RENEW, TURN_OFF])
def test_a_wrong_code_neither_renews_nor_turns_off(signed_in, totp, path):
    response = signed_in.post(path, {"code": wrong_code_for(totp)})
    assert "This code is wrong" in text_of(response)
    assert TOTPDevice.objects.filter(pk=totp.pk, confirmed=True).exists()
    assert not StaticToken.objects.exists()


def test_a_recovery_code_is_wrong_for_somebody_who_has_none(signed_in, totp):
    assert "This code is wrong" in text_of(signed_in.post(TURN_OFF, {"code": "abcdefgh"}))
    totp.refresh_from_db()
    assert totp.throttling_failure_count == 0


def test_a_used_code_does_not_work_again(signed_in, totp):
    code = code_for(totp)
    signed_in.post(RENEW, {"code": code})
    response = signed_in.post(TURN_OFF, {"code": code})
    assert "This code has been used. Wait for the next one." in text_of(response)
    assert TOTPDevice.objects.filter(pk=totp.pk).exists()


@pytest.mark.parametrize("path", [RENEW, TURN_OFF])
def test_somebody_elses_code_is_wrong(signed_in, totp, other_user, path):
    others = TOTPDevice.objects.create(user=other_user, confirmed=True)
    assert "This code is wrong" in text_of(signed_in.post(path, {"code": code_for(others)}))


def test_turning_off_removes_every_factor_of_the_user_alone(signed_in, user, totp, other_user):
    TOTPDevice.objects.create(user=other_user, confirmed=True)
    signed_in.post(RENEW, {"code": code_for(totp)})
    response = signed_in.post(TURN_OFF, {"code": StaticToken.objects.first().token.upper()}, follow=True)
    assert "Your second factor is off" in text_of(response)
    assert not TOTPDevice.objects.filter(user=user).exists()
    assert not StaticToken.objects.filter(device__user=user).exists()
    assert TOTPDevice.objects.filter(user=other_user).exists()


@pytest.mark.parametrize("path", [RENEW, TURN_OFF])
def test_without_a_second_factor_there_is_nothing_to_renew_or_turn_off(signed_in, path):
    for response in (signed_in.get(path, follow=True), signed_in.post(path, {"code": "123456"}, follow=True)):
        assert response.redirect_chain == [("/security/", 302)]
        assert "You have no second factor yet" in text_of(response)


@pytest.mark.parametrize("path", [SET_UP, RENEW, TURN_OFF, "/security/password/"])
def test_a_post_without_the_csrf_token_is_refused(demo, user, totp, path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(path, {"code": code_for(totp), "password": PASSWORD}).status_code == 403


def test_the_password_can_be_changed(signed_in, user):
    new = {"old_password": PASSWORD, "new_password1": "a longer staple 7", "new_password2": "a longer staple 7"}
    response = signed_in.post("/security/password/", new, follow=True)
    assert "Your password is changed" in text_of(response)
    user.refresh_from_db()
    assert user.check_password("a longer staple 7")
