"""Signing in on the pages: the steps, and everything that can go wrong with them."""

import re
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from importlib import import_module

import pytest
from django.core import mail
from django.core.signals import got_request_exception
from django.views.debug import SafeExceptionReporterFilter
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.web.views.browser import SIXTY_DAYS, Browser, code_of, sign_in_timeout, told, url
from trusted_devices import cookies
from trusted_devices.cookies import DeviceCookie
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.types import DeviceStatus, VerifiedBy
from trusted_devices.web import session_note
from trusted_devices.web.pending import SESSION_KEY

STEPS = ["sign_in", "sign_in_new_password", "sign_in_code", "sign_in_trust"]


@pytest.fixture
def email_factor(user):
    """Codes by e-mail for ``user``."""
    return EmailDevice.objects.create(user=user, name="mail", confirmed=True)


@pytest.fixture
def recovery_code(user):
    """A recovery code of ``user``."""
    return str(StaticDevice.objects.create(user=user, name="codes").token_set.create(token="abcd2345").token)


@pytest.fixture
def at_code(browser, totp):
    """A browser in which ``user`` has just given the password."""
    browser.enter_password(next_url="/?from=here")
    return browser


@pytest.fixture
def at_offer(at_code, totp):
    """A browser in which ``user`` is asked whether to trust the device."""
    at_code.enter_code(code_of(totp))
    return at_code


def set_options(settings, **options):
    """Change some of the app's options."""
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | options


def share_sign_in(browser, tab):
    """Let ``tab`` hold the half-finished sign-in as ``browser`` has it now: loaded before that went on."""
    session = tab.session
    session[SESSION_KEY] = browser.session[SESSION_KEY]
    session.save()
    tab.cookies["sessionid"] = session.session_key


# ---- the way through -------------------------------------------------------------------------------------------------


def test_password_code_and_trust_lead_in(browser, user, totp):
    assert browser.get(url("sign_in")).status_code == HTTPStatus.OK
    response = browser.enter_password(next_url="/?from=here", follow=True)
    assert response.request["PATH_INFO"] == url("sign_in_code")
    assert not browser.user_id
    response = browser.enter_code(code_of(totp), follow=True)
    assert response.request["PATH_INFO"] == url("sign_in_trust")
    assert not browser.user_id
    response = browser.trust()
    assert response.headers["Location"] == "/?from=here"
    assert browser.user_id == str(user.pk)
    device = Device.objects.get()
    assert device.status == DeviceStatus.REMEMBERED
    assert device.trust_period == SIXTY_DAYS


def test_not_now_leads_in_and_trusts_nothing(at_offer, user):
    response = at_offer.not_now()
    assert response.headers["Location"] == "/?from=here"
    assert at_offer.user_id == str(user.pk)
    assert not Device.objects.exists()
    assert not at_offer.device_cookie


def test_a_user_who_declined_is_asked_for_codes_alone_until_they_take_it_back(at_offer, totp, other_browser, clock):
    def sign_in_again(browser):
        clock.shift(60)
        browser.sign_out()
        assert browser.enter_password(next_url="/?from=here").headers["Location"].startswith(url("sign_in_code"))
        return browser.enter_code(code_of(totp)).headers["Location"]

    response = at_offer.post(url("sign_in_trust"), {"never": "1"}, follow=True)
    assert "You will not be asked about this browser again" in told(at_offer.get(url("devices")))
    assert at_offer.user_id
    assert response.redirect_chain[0][0] == "/?from=here"
    assert not Device.objects.exists()
    assert sign_in_again(at_offer) == "/?from=here"
    assert sign_in_again(other_browser).startswith(url("sign_in_trust"))

    page = at_offer.get(url("devices")).content.decode()
    assert "You chose not to be asked" in page
    assert "will be asked whether to trust the device" not in page
    assert at_offer.post(url("ask_again")).headers["Location"] == url("devices")
    assert not at_offer.device_cookie
    assert "You chose not to be asked" not in at_offer.get(url("devices")).content.decode()
    assert sign_in_again(at_offer).startswith(url("sign_in_trust"))


def test_where_every_device_is_remembered_nobody_can_have_declined(browser, totp, user, settings):
    set_options(settings, TRACKING="always")
    browser.device_cookie = cookies.dump(DeviceCookie().decline(str(user.pk)))
    browser.enter_password()
    browser.enter_code(code_of(totp))
    assert Device.objects.remembered().exists()


def test_a_trusted_device_takes_the_password_alone(browser, other_browser, totp, user):
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    assert not browser.user_id
    response = browser.enter_password(next_url="/?from=here")
    assert response.headers["Location"] == "/?from=here"
    assert browser.user_id == str(user.pk)
    note = session_note.read(browser.session, str(user.pk))
    assert note is not None
    assert note.verified_by is VerifiedBy.TRUSTED_DEVICE
    assert other_browser.enter_password().headers["Location"] == url("sign_in_code")


def test_on_its_date_a_code_is_asked_for_and_the_device_can_be_trusted_again(browser, totp, clock):
    browser.sign_in_and_trust(totp, name="Work laptop")
    browser.sign_out()
    clock.shift(SIXTY_DAYS)
    assert browser.enter_password().headers["Location"] == url("sign_in_code")
    response = browser.enter_code(code_of(totp), follow=True)
    assert 'value="Work laptop"' in response.content.decode()
    browser.trust(name="Work laptop")
    device = Device.objects.get()
    assert (device.name, device.status) == ("Work laptop", DeviceStatus.REMEMBERED)


@pytest.mark.parametrize(
    ("why_a_code", "answer"), [("stopped", "not_now"), ("expired", "never"), ("at risk", "recovery code")]
)
def test_only_a_sign_in_that_granted_trust_says_until_when(
    browser, totp, recovery_code, clock, settings, why_a_code, answer
):
    browser.sign_in_and_trust(totp)
    assert "This device is trusted until April 30, 2026." in told(browser.get(url("devices")))
    if why_a_code == "stopped":
        browser.post(url("stop_trusting", Device.objects.get().device_key))
    elif why_a_code == "at risk":
        set_options(settings, POLICY="tests.web.views.policies.SuspectsEverybody")
    browser.sign_out()
    clock.shift(SIXTY_DAYS if why_a_code == "expired" else 30)
    browser.enter_password()
    if answer == "recovery code":
        browser.post(url("sign_in_code"), {"method": StaticDevice.objects.get().persistent_id})
        browser.enter_code(recovery_code)
    else:
        browser.enter_code(code_of(totp))
        browser.post(url("sign_in_trust"), {answer: "1"})
    assert browser.user_id
    assert "trusted until" not in told(browser.get(url("devices")))


def test_a_user_without_a_second_factor_is_let_in_and_told_how_to_set_one_up(browser, user, settings):
    set_options(settings, MFA_SETUP_URL="/security/")
    response = browser.enter_password()
    assert browser.user_id == str(user.pk)
    assert not Device.objects.exists()
    page = browser.get(url("devices"))
    assert 'href="/security/"' in told(page)
    assert response.headers["Location"] == "/"


def test_without_a_page_for_it_nothing_is_said_about_setting_up_a_factor(browser, user):
    browser.enter_password()
    assert not told(browser.get(url("devices")))


def test_with_tracking_always_the_device_is_remembered_without_a_question(browser, totp, settings):
    set_options(settings, TRACKING="always")
    browser.enter_password()
    browser.enter_code(code_of(totp))
    assert browser.user_id
    assert Device.objects.get().status == DeviceStatus.REMEMBERED


def test_the_offer_names_the_device_and_spells_out_each_end_date(at_offer):
    html = at_offer.get(url("sign_in_trust")).content.decode()
    assert "Chrome on Windows" in html
    for words, date in [("30 days", "March 31, 2026"), ("60 days", "April 30, 2026"), ("90 days", "May 30, 2026")]:
        assert f"<strong>{words}</strong>" in html
        assert f">{date}</time>" in html
    assert 'datetime="2026-04-30T12:00:00+00:00"' in html
    assert 'value="5184000"' in html.partition(" checked")[0].rpartition("<input")[2]


def test_end_dates_are_those_of_the_users_time_zone(at_offer, settings):
    settings.TIME_ZONE = "Pacific/Kiritimati"
    html = at_offer.get(url("sign_in_trust")).content.decode()
    assert ">May 1, 2026</time>" in html
    assert 'datetime="2026-05-01T02:00:00+14:00"' in html


def test_a_period_shorter_than_a_day_is_spelled_with_its_time(at_offer, settings):
    set_options(settings, PERIODS=(timedelta(minutes=2), SIXTY_DAYS))
    html = at_offer.get(url("sign_in_trust")).content.decode()
    assert "2 minutes" in html
    assert ">12:02 p.m. UTC</time>" in html


def test_enter_in_the_name_field_presses_no_button_that_trusts(at_offer):
    form = at_offer.get(url("sign_in_trust")).content.decode().partition("<main")[2]
    first_button = form.partition("<button")[2].partition(">")[0]
    assert 'type="submit"' in first_button
    assert "name=" not in first_button


# ---- the password ----------------------------------------------------------------------------------------------------


def without_token(response):
    """Return the page as it is for everybody."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


def test_nothing_tells_a_wrong_password_from_an_unknown_user(browser, user, totp):
    pages = []
    for username in ("maria", "nobody"):
        response = browser.enter_password(username, "wrong horse")
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert "wrong horse" not in response.content.decode()
        pages.append(without_token(response).replace(username, "-"))
    assert pages[0] == pages[1]
    assert not browser.user_id


def test_before_the_password_nothing_tells_that_a_browser_holds_a_device(browser, totp):
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    browser.get(url("sign_in"))  # shows, and so ends, the messages
    assert without_token(browser.get(url("sign_in"))) == without_token(Browser().get(url("sign_in")))
    refused = [someone.enter_password(password="wrong horse") for someone in (browser, Browser())]
    assert without_token(refused[0]) == without_token(refused[1])


@pytest.mark.parametrize(
    ("username", "password"),
    [("", ""), ("maria", ""), ("", "correct horse"), ("m" * 5000, "x"), ("mar\x00ia", "x"), ("maria", "x" * 5000)],
)
def test_what_cannot_be_a_user_name_or_password_gets_the_form_again(browser, user, username, password):
    assert browser.enter_password(username, password).status_code == HTTPStatus.BAD_REQUEST
    assert not browser.user_id


def test_a_backend_that_cannot_be_reached_is_a_503_in_words(browser, user, settings):
    set_options(settings, BACKEND="tests.web.views.backends.NO_PASSWORDS")
    response = browser.enter_password()
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "not possible right now" in response.content.decode()


def test_the_session_gets_a_new_key_after_the_password_and_after_the_sign_in(browser, user, totp):
    planted = browser.session
    planted["cart"] = 1
    planted.save()
    browser.cookies["sessionid"] = planted.session_key
    browser.enter_password()
    after_password = browser.session.session_key
    assert after_password != planted.session_key
    browser.enter_code(code_of(totp))
    browser.not_now()
    assert browser.session.session_key not in (planted.session_key, after_password)
    store = import_module("django.contrib.sessions.backends.db").SessionStore
    assert not store(planted.session_key).exists(planted.session_key)
    assert not store(after_password).exists(after_password)


def test_no_password_is_kept_between_the_steps(at_code):
    assert "correct horse" not in repr(dict(at_code.session))


# ---- the code --------------------------------------------------------------------------------------------------------


def test_the_code_field_takes_what_phones_offer_and_pasting(at_code):
    html = at_code.get(url("sign_in_code")).content.decode()
    field = html.partition('name="code"')[2].partition(">")[0]
    assert 'autocomplete="one-time-code"' in field
    assert 'inputmode="numeric"' in field
    assert "readonly" not in field


def test_a_code_may_be_pasted_with_a_space(at_code, totp):
    code = code_of(totp)
    response = at_code.enter_code(f" {code[:3]} {code[3:]} ")
    assert response.headers["Location"].startswith(url("sign_in_trust"))


@pytest.mark.parametrize("code", ["", "   ", "000000", "12345", "abcdef", "12\x0034", "-1", "9" * 5000, "١٢٣٤٥٦", "💥"])
def test_a_code_that_is_not_right_gets_the_page_again(at_code, code):
    response = at_code.enter_code(code)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert not at_code.user_id
    assert at_code.get(url("sign_in_code")).status_code == HTTPStatus.OK


def test_a_wrong_code_is_logged_and_not_shown_again(at_code):
    response = at_code.enter_code("271828")
    assert "271828" not in response.content.decode()
    assert DeviceEvent.objects.filter(action="sign_in_failed", reason="code_mismatch").count() == 1


def test_a_code_works_once(at_code, other_browser, totp):
    code = code_of(totp)
    at_code.enter_code(code)
    other_browser.enter_password()
    assert other_browser.enter_code(code).status_code == HTTPStatus.BAD_REQUEST


def test_guessing_codes_is_slowed_down_and_the_page_says_for_how_long(at_code, totp, clock):
    at_code.enter_code("000000")
    response = at_code.enter_code(code_of(totp))
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert response.headers["Retry-After"] == "1"
    assert "Try again in 1 second." in response.content.decode()
    clock.shift(1.5)
    assert at_code.enter_code(code_of(totp)).status_code == HTTPStatus.FOUND


def test_a_code_cannot_be_answered_while_the_backend_is_away(at_code, totp, settings):
    set_options(settings, BACKEND="tests.web.views.backends.NO_CODES")
    response = at_code.enter_code(code_of(totp))
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert not at_code.user_id


def test_a_code_by_email_is_sent_with_the_password_where_it_is_the_only_way(browser, email_factor):
    browser.enter_password()
    assert len(mail.outbox) == 1
    assert 'name="code"' in browser.get(url("sign_in_code")).content.decode()
    email_factor.refresh_from_db()
    assert browser.enter_code(email_factor.token).headers["Location"].startswith(url("sign_in_trust"))


def test_a_code_by_email_is_sent_by_a_press_and_never_by_looking(email_factor, at_code):
    assert "Code by e-mail" in at_code.get(url("sign_in_code")).content.decode()
    at_code.get(url("sign_in_code"), {"method": email_factor.persistent_id})
    assert not mail.outbox
    at_code.post(url("sign_in_code"), {"method": email_factor.persistent_id})
    assert len(mail.outbox) == 1
    at_code.get(url("sign_in_code"))
    assert len(mail.outbox) == 1
    email_factor.refresh_from_db()
    assert at_code.enter_code(email_factor.token).headers["Location"].startswith(url("sign_in_trust"))


def test_asking_for_another_mail_too_soon_says_when_the_next_may_come(email_factor, at_code, settings):
    settings.OTP_EMAIL_COOLDOWN_DURATION = 20
    at_code.post(url("sign_in_code"), {"method": email_factor.persistent_id})
    response = at_code.post(url("sign_in_code"), {"method": email_factor.persistent_id}, follow=True)
    assert len(mail.outbox) == 1
    assert "another in 20 seconds" in told(response)
    assert 'name="code"' in response.content.decode()


def test_a_code_that_cannot_be_sent_is_said_to_be(email_factor, at_code, settings):
    set_options(settings, BACKEND="tests.web.views.backends.NO_CODES")
    response = at_code.post(url("sign_in_code"), {"method": email_factor.persistent_id}, follow=True)
    assert "not possible right now" in told(response)


def test_a_mail_server_that_is_away_lets_nobody_in_and_is_said(browser, email_factor, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    response = browser.enter_password()
    assert "not possible right now" in told(browser.get(response.headers["Location"]))
    assert not browser.user_id


def test_a_recovery_code_leads_in_but_earns_no_trust(at_code, recovery_code, user, settings):
    method = StaticDevice.objects.get().persistent_id
    page = at_code.post(url("sign_in_code"), {"method": method}, follow=True).content.decode()
    assert 'inputmode="numeric"' not in page
    response = at_code.enter_code("ABCD-2345")
    assert response.headers["Location"] == "/?from=here"
    assert at_code.user_id == str(user.pk)
    assert not Device.objects.exists()


@pytest.mark.parametrize("method", ["", "otp_totp.totpdevice/999", "nonsense", "x" * 5000, "\x00"])
def test_a_factor_that_is_not_the_users_is_refused(at_code, method):
    response = at_code.post(url("sign_in_code"), {"method": method})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "not one of your ways" in response.content.decode()


def test_somebody_elses_factor_is_refused(at_code, other_user):
    theirs = TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
    response = at_code.post(url("sign_in_code"), {"method": theirs.persistent_id})
    assert response.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("how", ["get", "post"])
def test_a_factor_that_was_removed_meanwhile_starts_the_sign_in_again(at_code, totp, email_factor, how):
    totp.delete()
    response = getattr(at_code, how)(url("sign_in_code"), {"code": "123456"})
    assert response.headers["Location"].startswith(url("sign_in") + "?")


# ---- the question ----------------------------------------------------------------------------------------------------


def test_a_period_that_is_not_offered_is_refused_and_those_that_are_named(at_offer):
    for period in ("", "1", "-1", "5184001", "31536000", "60 days", "NaN", "9" * 5000, "\x00"):
        response = at_offer.post(url("sign_in_trust"), {"trust": "1", "period": period})
        assert response.status_code == HTTPStatus.BAD_REQUEST, period
        assert "Choose one of these: 30 days, 60 days, 90 days." in response.content.decode(), period
        assert not Device.objects.exists(), period
        assert not at_offer.user_id, period


def test_a_period_beyond_the_users_maximum_is_refused(at_offer, settings):
    set_options(settings, MAX_PERIOD=timedelta(days=60))
    assert at_offer.trust(timedelta(days=90)).status_code == HTTPStatus.BAD_REQUEST
    assert at_offer.trust(timedelta(days=60)).status_code == HTTPStatus.FOUND


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("x" * 5000, "too long"), ("x" * 65, "too long"), ("a\x07b", "cannot be shown"), ("abc\u202edef", "cannot be")],
)
def test_a_name_that_cannot_be_is_refused_with_the_text_and_the_period_kept(at_offer, name, complaint):
    response = at_offer.trust(timedelta(days=90), name)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    html = response.content.decode()
    assert complaint in html
    assert f'value="{name}"' in html
    assert 'value="7776000"' in html.partition(" checked")[0].rpartition("<input")[2]
    assert not Device.objects.exists()


def test_a_name_with_a_null_character_is_refused(at_offer):
    assert at_offer.trust(name="a\x00b").status_code == HTTPStatus.BAD_REQUEST


def test_an_answer_that_is_neither_yes_nor_no_trusts_nothing(at_offer):
    response = at_offer.post(url("sign_in_trust"), {"period": "5184000"})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert not Device.objects.exists()


def test_whoever_says_not_now_need_not_mind_the_other_fields(at_offer, user):
    at_offer.post(url("sign_in_trust"), {"not_now": "1", "period": "7", "name": "x" * 5000})
    assert at_offer.user_id == str(user.pk)


def test_trust_that_cannot_be_given_keeps_nobody_out(at_offer, user, settings):
    set_options(settings, BACKEND="tests.services.owner.AWAY")
    response = at_offer.trust(follow=False)
    assert response.status_code == HTTPStatus.FOUND
    assert at_offer.user_id == str(user.pk)
    assert not Device.objects.exists()
    assert "could not be marked as trusted" in told(at_offer.get(url("devices")))


def test_trust_that_is_refused_after_all_keeps_nobody_out(at_offer, user, settings):
    set_options(settings, POLICY="tests.web.views.policies.OffersWhatItForbids")
    at_offer.trust()
    assert at_offer.user_id == str(user.pk)
    assert not Device.objects.exists()
    assert "could not be marked as trusted" in told(at_offer.get(url("devices")))


def test_where_every_device_is_remembered_one_that_cannot_be_keeps_nobody_out(at_code, totp, user, settings):
    set_options(settings, TRACKING="always", POLICY="tests.web.views.policies.OffersWhatItForbids")
    at_code.enter_code(code_of(totp))
    assert at_code.user_id == str(user.pk)
    assert not Device.objects.exists()
    assert "could not be marked as trusted" in told(at_code.get(url("devices")))


def test_where_every_device_is_remembered_two_tabs_make_one(at_code, other_browser, totp, settings, clock):
    set_options(settings, TRACKING="always")
    share_sign_in(at_code, other_browser)
    at_code.enter_code(code_of(totp))
    clock.shift(30)
    response = other_browser.enter_code(code_of(totp))
    assert (response.status_code, response.headers["Location"]) == (HTTPStatus.FOUND, "/?from=here")
    assert Device.objects.count() == 1


def test_trust_that_the_site_stops_offering_meanwhile_is_not_given(at_offer, user, settings):
    set_options(settings, TRACKING="off")
    response = at_offer.trust()
    assert response.headers["Location"].startswith(url("sign_in") + "?")
    assert not Device.objects.exists()


def test_the_offer_cannot_be_reached_before_the_code(at_code):
    for response in (at_code.get(url("sign_in_trust")), at_code.trust(), at_code.not_now()):
        assert response.headers["Location"].startswith(url("sign_in_code"))
    assert not at_code.user_id
    assert not Device.objects.exists()


def test_the_code_is_not_asked_again_once_it_was_right(at_offer):
    assert at_offer.get(url("sign_in_code")).headers["Location"].startswith(url("sign_in_trust"))
    assert at_offer.enter_code("000000").headers["Location"].startswith(url("sign_in_trust"))


def test_whoever_had_to_make_room_in_a_browser_of_many_people_is_told(browser, totp, clock):
    browser.sign_in_and_trust(totp)
    browser.sign_out()
    held = cookies.load(browser.device_cookie)
    for number in range(cookies.MAX_ENTRIES):
        held = held.put(replace(held.entries[0], user_id=str(1000 + number)))
    browser.device_cookie = cookies.dump(held)

    assert "had to make room" in told(browser.enter_password(follow=True))
    clock.shift(30)
    browser.enter_code(code_of(totp))
    browser.not_now()
    browser.sign_out()
    clock.shift(SIXTY_DAYS)
    assert "had to make room" not in told(browser.enter_password(follow=True))


# ---- half-finished sign-ins ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["sign_in_code", "sign_in_trust"])
@pytest.mark.parametrize("how", ["get", "post"])
def test_a_step_without_a_sign_in_leads_to_the_first_one_and_keeps_next(browser, db, step, how):
    response = getattr(browser, how)(url(step) + "?next=/reports/")
    assert response.headers["Location"] == url("sign_in") + "?next=%2Freports%2F"
    assert "start again" in told(browser.get(response.headers["Location"]))


def test_a_sign_in_that_took_too_long_starts_again_with_the_way_on_kept(at_code, totp, clock):
    clock.shift(sign_in_timeout())
    response = at_code.enter_code(code_of(totp))
    assert response.headers["Location"] == url("sign_in") + "?next=%2F%3Ffrom%3Dhere"
    assert SESSION_KEY not in at_code.session
    page = at_code.get(response.headers["Location"])
    assert "start again" in told(page)
    assert 'name="next" value="/?from=here"' in page.content.decode()


def test_a_sign_in_is_good_until_the_very_second(at_code, totp, clock):
    clock.shift(sign_in_timeout() - timedelta(seconds=1))
    assert at_code.enter_code(code_of(totp)).headers["Location"].startswith(url("sign_in_trust"))


@pytest.mark.parametrize("raw", [None, "x", [], {}, {"state": None}, {"state": {"id": "x"}}, {"state": "x", "next": 5}])
def test_a_state_that_cannot_be_read_starts_again(browser, db, raw):
    session = browser.session
    session[SESSION_KEY] = raw
    session.save()
    browser.cookies["sessionid"] = session.session_key
    assert browser.get(url("sign_in_code")).headers["Location"].startswith(url("sign_in"))


def test_a_changed_password_ends_a_half_finished_sign_in(at_code, user, totp):
    user.set_password("another horse")
    user.save()
    assert at_code.enter_code(code_of(totp)).headers["Location"].startswith(url("sign_in") + "?")
    assert not at_code.user_id


def test_a_disabled_account_ends_a_half_finished_sign_in(at_offer, user):
    user.is_active = False
    user.save()
    assert at_offer.trust().headers["Location"].startswith(url("sign_in") + "?")
    assert not at_offer.user_id
    assert not Device.objects.exists()


def test_cancelling_wipes_what_was_half_finished_and_keeps_the_way_on(at_offer):
    response = at_offer.post(url("sign_in_cancel"))
    assert response.headers["Location"] == url("sign_in") + "?next=%2F%3Ffrom%3Dhere"
    assert SESSION_KEY not in at_offer.session
    assert at_offer.trust().headers["Location"].startswith(url("sign_in"))


def test_cancelling_takes_a_press(at_offer):
    assert at_offer.get(url("sign_in_cancel")).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert SESSION_KEY in at_offer.session


def test_somebody_else_who_signs_in_takes_the_place_of_who_was_half_way(at_code, totp, other_user):
    theirs = TOTPDevice.objects.create(user=other_user, name="phone", confirmed=True)
    assert 'name="signing_in_as" value="maria"' in at_code.get(url("sign_in_code")).content.decode()
    at_code.enter_password("tom", "battery staple")
    marias = at_code.post(url("sign_in_code"), {"code": code_of(totp), "signing_in_as": "maria"})
    assert marias.headers["Location"].startswith(url("sign_in_code"))
    page = at_code.get(url("sign_in_code"))
    assert "Another sign-in has begun in this browser" in told(page)
    assert "<strong>tom</strong>" in page.content.decode()
    assert not at_code.user_id
    theirs.refresh_from_db()
    assert theirs.throttling_failure_count == 0
    at_code.enter_code(code_of(theirs))
    at_code.not_now()
    assert at_code.user_id == str(other_user.pk)


# ---- two tabs, and the Back button -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_the_back_button_after_the_sign_in_leads_on(browser, totp, user, step):
    browser.sign_in_and_trust(totp)
    before = browser.session.session_key
    assert browser.get(url(step)).headers["Location"] == "/"
    assert browser.get(url(step), {"next": "/?from=here"}).headers["Location"] == "/?from=here"
    assert browser.session.session_key == before


@pytest.mark.parametrize("step", [*STEPS, "sign_in_cancel"])
def test_a_second_tab_that_posts_after_the_sign_in_leads_on(clock, user, step):
    tab = Browser(enforce_csrf_checks=True)
    tab.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    old_form = {"csrfmiddlewaretoken": "x" * 64, "password": "correct horse", "code": "1"}
    for name in ("maria", " maria", "\uff4daria", "Maria@Example.com"):
        typed = {"username": name, "signing_in_as": name, "trust": "1", "period": "5184000"}
        response = tab.post(url(step), old_form | typed)
        assert (response.status_code, response.headers["Location"]) == (HTTPStatus.FOUND, "/"), name
    assert tab.user_id == str(user.pk)
    assert not Device.objects.exists()


@pytest.mark.parametrize("step", [*STEPS, "sign_in_cancel"])
def test_an_old_tab_of_somebody_else_says_who_is_signed_in_and_offers_both_ways(clock, user, other_user, step):
    tab = Browser(enforce_csrf_checks=True)
    tab.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    before = tab.session.session_key
    old_form = {"csrfmiddlewaretoken": "x" * 64, "username": "tom", "signing_in_as": "tom", "next": "/?from=here"}
    page = tab.post(url(step), old_form | {"password": "battery staple", "code": "1", "trust": "1"})
    html = page.content.decode()
    assert page.status_code == HTTPStatus.CONFLICT
    assert "signed in as <strong>maria</strong>" in html
    assert "battery staple" not in html
    assert 'href="/?from=here"' in html
    assert (tab.user_id, tab.session.session_key) == (str(user.pk), before)
    leave = {"csrfmiddlewaretoken": page.context["csrf_token"], "next": page.context["sign_in_url"]}
    assert f'value="{leave["next"]}"' in html
    assert tab.post(url("sign_out"), leave).headers["Location"] == url("sign_in") + "?next=%2F%3Ffrom%3Dhere"
    assert not tab.user_id


@pytest.mark.parametrize("by_middleware", [True, False])
def test_a_post_from_another_site_is_refused(db, clock, settings, by_middleware):
    if not by_middleware:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]
    for step in (*STEPS, "sign_in_cancel", "sign_out"):
        response = Browser(enforce_csrf_checks=True).post(url(step))
        assert response.status_code == HTTPStatus.FORBIDDEN, step


def test_two_tabs_that_answer_at_once_trust_one_device(at_offer, other_browser, user):
    share_sign_in(at_offer, other_browser)
    at_offer.trust()
    response = other_browser.trust()
    assert (response.status_code, response.headers["Location"]) == (HTTPStatus.FOUND, "/?from=here")
    assert Device.objects.count() == 1
    assert not other_browser.user_id


# ---- where to go next ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://example.org/",
        "//example.org/",
        "///example.org",
        "/\\example.org",
        "\\\\example.org",
        "javascript:alert(1)",
        "http:example.org",
        "https://testserver@example.org/",
        "\x08//example.org",
        "/" + "x" * 3000,
        "/" + "é" * 1999,
    ],
)
def test_nobody_is_led_to_another_site(browser, totp, elsewhere):
    assert "example.org" not in browser.get(url("sign_in"), {"next": elsewhere}).content.decode()
    response = browser.enter_password(next_url=elsewhere)
    assert response.headers["Location"] == url("sign_in_code")
    browser.enter_code(code_of(totp))
    assert browser.trust().headers["Location"] == "/"
    assert browser.get(url("sign_in"), {"next": elsewhere}).headers["Location"] == "/"
    assert browser.post(url("sign_out"), {"next": elsewhere}).headers["Location"] == url("sign_in")


@pytest.mark.parametrize("sign", ["x", "é", "%", "😀"])
def test_a_long_way_on_is_kept_as_long_as_a_web_server_takes_the_address(browser, db, sign):
    kept = []
    for length in (0, 200, 900, 1500, 2900, 16000):
        response = browser.get(url("sign_in_code"), {"next": "/" + sign * length})
        assert response.status_code == HTTPStatus.FOUND
        assert len(response.headers["Location"]) < 3500
        kept.append("next=" in response.headers["Location"])
    assert kept[:2] == [True, True]
    assert not kept[-1]


def test_a_way_on_that_is_planted_in_the_session_is_checked_again(at_offer):
    session = at_offer.session
    session[SESSION_KEY] = session[SESSION_KEY] | {"next": "https://example.org/"}
    session.save()
    assert at_offer.not_now().headers["Location"] == "/"


# ---- every page ------------------------------------------------------------------------------------------------------


def test_no_page_of_the_sign_in_may_be_stored(browser, totp):
    responses = [browser.get(url("sign_in")), browser.enter_password(), browser.get(url("sign_in_code"))]
    responses += [browser.enter_code("0"), browser.get(url("sign_out"))]
    for response in responses:
        assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize("step", ["sign_in", "sign_in_code", "verify"])
def test_reports_of_errors_hide_what_was_typed(at_code, totp, settings, step):
    if step == "verify":
        at_code.enter_code(code_of(totp))
        at_code.not_now()
    if step == "sign_in":
        at_code.post(url("sign_in_cancel"))
    set_options(settings, BACKEND="tests.web.views.backends.BROKEN")
    at_code.raise_request_exception = False
    reported = []

    def report(request, **_):
        reported.append(SafeExceptionReporterFilter().get_post_parameters(request))

    got_request_exception.connect(report)
    try:
        typed = {"username": "maria", "password": "battery staple"} if step == "sign_in" else {"code": "424242"}
        response = at_code.post(url(step), typed)
    finally:
        got_request_exception.disconnect(report)
    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert reported
    assert not {"battery staple", "424242"} & set(reported[0].values())


def test_looking_at_pages_changes_nothing(at_offer):
    before = (dict(at_offer.session), DeviceEvent.objects.count(), Device.objects.count())
    for name in ("sign_in", "sign_in_code", "sign_in_trust", "sign_out"):
        at_offer.get(url(name))
        at_offer.head(url(name))
    assert (dict(at_offer.session), DeviceEvent.objects.count(), Device.objects.count()) == before


def test_other_methods_are_not_allowed(browser, db):
    for name in (*STEPS, "sign_out"):
        for method in ("put", "delete", "patch"):
            response = getattr(browser, method)(url(name))
            assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED, (method, name)


def test_a_site_without_djangos_messages_signs_in_all_the_same(browser, totp, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "messages" not in name]
    browser.sign_in_and_trust(totp)


def test_the_timeout_is_the_sites(at_code, settings, clock):
    set_options(settings, SIGN_IN_TIMEOUT=timedelta(minutes=1))
    clock.shift(60)
    assert at_code.get(url("sign_in_code")).headers["Location"].startswith(url("sign_in"))
