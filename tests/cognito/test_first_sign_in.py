"""What somebody has to do before a first sign-in is over: choose a password, set an authenticator up."""

import re
from base64 import b32decode

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from django_otp import oath

from tests.cognito.conftest import (
    Browser,
    at,
    new_person,
    site_settings,
    trusts_the_device,
)
from tests.cognito.stubs import CLIENT, DEVICE_KEY, SUB
from tests.cognito.test_errors import START_AGAIN, UNAVAILABLE, kinds, sees, status_of, times_called
from trusted_devices.cognito import client
from trusted_devices.cognito.flow import PoolSignIn
from trusted_devices.exceptions import SignInExpired
from trusted_devices.models import CognitoUser, Device, DeviceEvent
from trusted_devices.services import sessions
from trusted_devices.signin.cognito import CognitoSignIn
from trusted_devices.types import ClientInfo

FORM = {"username": "maria", "password": "given by staff"}
PASSWORD = "of my own choice 7"
POLICY = "Password did not conform with policy"
OTHER_SUB = "9d4a3f1c-0000-4222-8333-444455556666"
UNSURE = "It is not certain that your new password was saved."
MISMATCH = "This code is wrong. Type the one that your app shows for the account that you have just added."


@pytest.fixture
def browser(db):
    return Browser()


def is_asked_whose_name_it_is(pool):
    pool.answers("admin_get_user", pool.record())


def up_to_the_new_password(pool, browser, *required, trusted=False):
    listed = "[" + ", ".join(f'"userAttributes.{name}"' for name in required) + "]"
    pool.answers("initiate_auth", pool.half_of_srp())
    pool.answers("respond_to_auth_challenge", pool.challenge("NEW_PASSWORD_REQUIRED", requiredAttributes=listed))
    is_asked_whose_name_it_is(pool)
    if trusted:
        pool.answers("admin_update_device_status")
    assert at(browser.http.post(reverse("trusted_devices:sign_in"), FORM)) == "sign_in_new_password"


def up_to_the_set_up(pool, browser, *, trusted=False):
    pool.answers("initiate_auth", pool.half_of_srp())
    sets_up(pool)
    if trusted:
        pool.answers("admin_update_device_status")
    assert at(browser.http.post(reverse("trusted_devices:sign_in"), FORM)) == "sign_in_code"


def up_to_its_code(pool, browser):
    """The pool is asked once more whether there is a factor by now."""
    up_to_the_set_up(pool, browser)
    is_asked_whose_name_it_is(pool)


def sets_up(pool):
    challenge = pool.challenge("MFA_SETUP", MFAS_CAN_SETUP='["SMS_MFA", "SOFTWARE_TOKEN_MFA"]')
    pool.answers("respond_to_auth_challenge", challenge)
    pool.answers(
        "associate_software_token", {"SecretCode": "GEZDGNBVGY3TQOJQ", "Session": "t" * 30}, {"Session": "s" * 30}
    )
    is_asked_whose_name_it_is(pool)


def shown_key(browser):
    """The key on the page that sets an authenticator up."""
    page = browser.http.get(reverse("trusted_devices:sign_in_code")).content.decode()
    assert "QR code with the key below" in page
    key = "".join(re.findall(r"<span>(\w+)</span>", page.partition("td-key")[2].partition("</code>")[0]))
    assert f"?secret={key}&amp;issuer=testserver" in page
    return key


@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH"])
@pytest.mark.parametrize("secret", [True, False], ids=["with secret", "without secret"])
def test_a_newcomer_sets_password_and_authenticator_and_trusts_the_device(browser, process, settings, flow, secret):
    process.facts = process.act("new_pool", mfa="ON", required_attributes=["given_name", "email"])
    client = {} if secret else {"CLIENT_ID": process.facts["client_id"], "CLIENT_SECRET": None}
    settings.TRUSTED_DEVICES = site_settings(process, AUTH_FLOW=flow, **client)
    person = new_person(process, must_change_password=True)
    assert at(browser.password(person)) == "sign_in_new_password"
    sees(browser.new_password("password", attribute_0="María"), (400, "harder to guess"))
    sees(browser.new_password(f" {PASSWORD}", attribute_0="María"), (400, "begin or end with a space"))
    sees(browser.new_password(PASSWORD, attribute_0="M" * 200), (400, "not in the form that is asked for"))
    assert at(browser.new_password(PASSWORD, attribute_0="María")) == "sign_in_code"
    key = shown_key(browser)
    assert key not in str(dict(browser.http.session))
    sees(browser.code("000000"), (400, MISMATCH))
    assert not browser.is_signed_in
    assert at(browser.code(f"{oath.totp(b32decode(key)):06}")) == "sign_in_trust"
    assert at(browser.trust()) == "home"
    assert Device.objects.get().mfa_factor == "SOFTWARE_TOKEN_MFA"
    assert get_user_model().objects.get().first_name == "María"
    browser.sign_out()
    assert browser.password(person).status_code == 400
    assert at(browser.password(person, PASSWORD)) == "home"
    assert DeviceEvent.objects.filter(action="signed_in", reason="trusted_device").exists()


def test_a_trusted_device_skips_no_mfa_once_staff_have_set_the_password(browser, person):
    browser.trusted_sign_in(person)
    person.process.act("set_password", username=person.username, password="given by staff 7")
    assert at(browser.password(person, "given by staff 7")) == "sign_in_new_password"
    assert [device["status"] for device in person.devices()] == ["not_remembered"]
    assert Device.objects.get().status_reason == "password_changed"
    assert at(browser.new_password(PASSWORD)) == "sign_in_code"
    assert at(browser.code(person.code())) == "sign_in_trust"
    assert at(browser.trust()) == "home"
    browser.sign_out()
    assert at(browser.password(person, PASSWORD)) == "home"


class TestAPasswordThatWasSetForSomebody:
    def test_is_replaced_by_one_of_their_own(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        page = browser.http.get(reverse("trusted_devices:sign_in_new_password")).content.decode()
        assert "Choose a new password" in page
        assert page.count('autocomplete="new-password"') == 2
        pool.answers(
            "respond_to_auth_challenge",
            pool.signed_in(),
            {
                "ClientId": CLIENT,
                "ChallengeName": "NEW_PASSWORD_REQUIRED",
                "ChallengeResponses": {"USERNAME": "maria", "NEW_PASSWORD": PASSWORD},
                "Session": "s" * 30,
            },
        )
        assert not browser.is_signed_in
        assert at(browser.new_password(PASSWORD)) == "home"
        assert browser.http.session["_auth_user_id"] == str(maria.pk)
        pool.is_done()

    def test_is_replaced_before_a_second_factor_is_asked_for(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        pool.answers("respond_to_auth_challenge", pool.challenge())
        assert at(browser.new_password(PASSWORD)) == "sign_in_code"
        assert not browser.is_signed_in
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        assert at(browser.code("123456")) == "sign_in_trust"

    def test_may_be_followed_by_setting_an_authenticator_up(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        sets_up(pool)
        assert at(browser.new_password(PASSWORD)) == "sign_in_code"
        page = browser.http.get(reverse("trusted_devices:sign_in_code")).content.decode()
        assert "Set up an authenticator app" in page

    def test_comes_with_what_the_pool_wants_to_know(self, pool, browser, maria):
        up_to_the_new_password(pool, browser, "given_name", "birthdate", "custom:team")
        page = browser.http.get(reverse("trusted_devices:sign_in_new_password")).content.decode()
        for label in ("First name", "Date of birth", "custom:team"):
            assert label in page
        assert browser.new_password(PASSWORD, attribute_0="María").status_code == 400
        typed = {"attribute_0": " María", "attribute_1": "1990-12-31", "attribute_2": "Blue", "attribute_3": "forged"}
        pool.answers(
            "respond_to_auth_challenge",
            pool.signed_in(),
            {
                "ClientId": CLIENT,
                "ChallengeName": "NEW_PASSWORD_REQUIRED",
                "ChallengeResponses": {
                    "USERNAME": "maria",
                    "NEW_PASSWORD": PASSWORD,
                    "userAttributes.given_name": "María",
                    "userAttributes.birthdate": "1990-12-31",
                    "userAttributes.custom:team": "Blue",
                },
                "Session": "s" * 30,
            },
        )
        assert at(browser.new_password(PASSWORD, **typed)) == "home"
        pool.is_done()

    def test_ends_trust_and_sessions_of_devices_that_knew_the_last_one(
        self, pool, browser, maria, device, django_capture_on_commit_callbacks
    ):
        other = Browser()
        other.http.force_login(maria, backend="django.contrib.auth.backends.ModelBackend")
        sessions.attach(device=device, session_key=other.http.session.session_key, now=timezone.now())
        with django_capture_on_commit_callbacks(execute=True):
            up_to_the_new_password(pool, browser, trusted=True)
        device.refresh_from_db()
        assert (device.status, device.status_reason) == ("not_remembered", "password_changed")
        assert not other.is_signed_in
        pool.is_done()

    def test_is_asked_for_without_the_device_that_was_named(self, pool, browser, maria, monkeypatch):
        trusts_the_device(pool, browser, "maria", SUB, DEVICE_KEY)
        named, call = [], client.PoolClient.call

        def listen(self, operation, **params):
            if operation == "respond_to_auth_challenge":
                named.append("DEVICE_KEY" in params["ChallengeResponses"])
            return call(self, operation, **params)

        monkeypatch.setattr(client.PoolClient, "call", listen)
        pool.answers("initiate_auth", pool.half_of_srp())
        pool.answers("respond_to_auth_challenge", pool.challenge("NEW_PASSWORD_REQUIRED"))
        up_to_the_new_password(pool, browser)
        assert named == [True, False]

    def test_of_a_newcomer_makes_an_account_for_them(self, pool, browser):
        up_to_the_new_password(pool, browser)
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        assert at(browser.new_password(PASSWORD)) == "home"
        assert CognitoUser.objects.get(sub=SUB).user == get_user_model().objects.get(username="maria")

    def test_of_somebody_new_under_an_old_name_is_not_the_old_ones(self, pool, browser, maria, device):
        CognitoUser.objects.update(sub=OTHER_SUB)
        up_to_the_new_password(pool, browser)
        assert Device.objects.remembered().get() == device
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        assert at(browser.new_password(PASSWORD)) == "home"
        assert browser.http.session["_auth_user_id"] != str(maria.pk)

    @pytest.mark.parametrize(
        ("error", "message", "words"),
        [
            ("InvalidPasswordException", f"{POLICY}: Password not long enough", "too short"),
            ("InvalidPasswordException", f"{POLICY}: Password must have uppercase characters", "a capital letter"),
            ("InvalidPasswordException", f"{POLICY}: Password must have lowercase characters", "a small letter"),
            ("InvalidPasswordException", f"{POLICY}: Password must have numeric characters", "a digit"),
            ("InvalidPasswordException", f"{POLICY}: Password must have symbol characters", "a sign as well"),
            ("InvalidPasswordException", "Provided password cannot be used for security reasons.", "harder to guess"),
            ("PasswordHistoryPolicyViolationException", "Words.", "used this password before"),
            ("InvalidParameterException", "Value at 'password' is too long", "begin or end with a space"),
            ("InvalidParameterException", "Invalid phone number format.", "not in the form that is asked for"),
            ("AliasExistsException", "An account with the email already exists.", "Somebody else has this"),
        ],
    )  # fmt: skip
    def test_is_asked_for_again_where_the_pool_does_not_take_it(
        self,
        pool,
        browser,
        maria,
        caplog,
        error,
        message,
        words,
    ):
        up_to_the_new_password(pool, browser, "phone_number")
        pool.refuses("respond_to_auth_challenge", error, message)
        response = browser.new_password(PASSWORD, attribute_0="+14155550123")
        sees(response, (400, words))
        assert PASSWORD not in response.content.decode()
        assert not browser.is_signed_in
        assert PASSWORD not in caplog.text
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        assert at(browser.new_password(PASSWORD, attribute_0="+14155550123")) == "home"
        pool.is_done()

    @pytest.mark.parametrize("error", [*kinds("respond_to_auth_challenge"), "TooManyFailedAttemptsException"])
    def test_leads_on_whatever_is_said_against_it(self, pool, browser, maria, error):
        up_to_the_new_password(pool, browser)
        calls = times_called("respond_to_auth_challenge", error)
        pool.refuses("respond_to_auth_challenge", error, "Words.", status=status_of(error), times=calls)
        response = browser.new_password(PASSWORD)
        assert not browser.is_signed_in
        expected = {
            "AliasExistsException": (400, "Somebody else has this"),
            "InvalidParameterException": (400, "not in the form that is asked for"),
            "InvalidPasswordException": (400, "harder to guess"),
            "PasswordHistoryPolicyViolationException": (400, "used this password before"),
            "PasswordResetRequiredException": (403, "Your password must be reset before you can sign in."),
            "TooManyFailedAttemptsException": (429, "Too many"),
            "UserNotConfirmedException": (403, "Your account must be confirmed before you can sign in."),
        }
        if error in START_AGAIN:
            assert at(response) == "sign_in"
        else:
            sees(response, expected.get(error, (503, UNSURE)))
        pool.is_done()

    def test_has_to_be_typed_twice_in_the_same_way(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        page = reverse("trusted_devices:sign_in_new_password")
        response = browser.http.post(page, {"new_password1": PASSWORD, "new_password2": PASSWORD + " "})
        sees(response, (400, "The two are not the same."))
        sees(browser.new_password(""), (400, "This field is required."))
        assert PASSWORD not in response.content.decode()
        pool.is_done()

    def test_is_asked_for_wherever_the_browser_goes_in_the_middle(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        for name in ("sign_in_code", "sign_in_trust"):
            assert at(browser.http.get(reverse(f"trusted_devices:{name}"))) == "sign_in_new_password"
        assert at(browser.code("123456")) == "sign_in_new_password"
        pool.answers("respond_to_auth_challenge", pool.challenge())
        browser.new_password(PASSWORD)
        assert at(browser.http.get(reverse("trusted_devices:sign_in_new_password"))) == "sign_in_code"
        assert at(browser.new_password(PASSWORD)) == "sign_in_code"
        pool.is_done()

    @pytest.mark.parametrize(
        ("required", "labels"),
        [
            (["name", "name"], ["Full name"]),
            (["new_password1", "username", "next"], ["new_password1", "username", "next"]),
            (["<script>alert(1)</script>"], ["&lt;script&gt;alert(1)&lt;/script&gt;"]),
            (["x" * 9000], ["x" * 9000]),
            ([f"custom:{number}" for number in range(500)], [f"custom:{number}" for number in range(500)]),
        ],
        ids=["twice", "names of other fields", "markup", "long", "many"],
    )
    def test_comes_with_each_attribute_once_whatever_it_is_called(self, pool, browser, maria, required, labels):
        up_to_the_new_password(pool, browser, *required)
        page = browser.http.get(reverse("trusted_devices:sign_in_new_password")).content.decode()
        assert re.findall(r'<label for="id_attribute_\d+">(.*?)</label>', page) == labels
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        typed = {f"attribute_{number}": "+1" for number in range(len(labels))}
        assert at(browser.new_password(PASSWORD, **typed)) == "home"

    @pytest.mark.parametrize("listed", ["no JSON", "[null]", '[{"a": 1}]', '["\\ud800"]', '["userAttributes."]'])
    def test_lets_nobody_in_with_attributes_that_cannot_be_asked_for(self, pool, browser, maria, listed):
        pool.answers("initiate_auth", pool.half_of_srp())
        pool.answers("respond_to_auth_challenge", pool.challenge("NEW_PASSWORD_REQUIRED", requiredAttributes=listed))
        is_asked_whose_name_it_is(pool)
        sees(browser.http.post(reverse("trusted_devices:sign_in"), FORM), UNAVAILABLE)

    def test_may_be_asked_for_twice(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        again = pool.challenge("NEW_PASSWORD_REQUIRED", requiredAttributes='["userAttributes.name"]')
        pool.answers("respond_to_auth_challenge", again)
        is_asked_whose_name_it_is(pool)
        assert at(browser.new_password(PASSWORD)) == "sign_in_new_password"
        assert not browser.is_signed_in
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        assert at(browser.new_password(PASSWORD, attribute_0="María")) == "home"

    def test_does_not_lead_to_a_device_that_was_not_named(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        pool.answers("respond_to_auth_challenge", pool.challenge("DEVICE_SRP_AUTH"))
        sees(browser.new_password(PASSWORD), (503, UNSURE))
        assert not browser.is_signed_in
        pool.is_done()

    def test_of_somebody_disabled_meanwhile_lets_them_in_nowhere(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        get_user_model().objects.update(is_active=False)
        assert at(browser.new_password(PASSWORD)) == "sign_in"
        assert not browser.is_signed_in
        pool.is_done()

    def test_that_two_tabs_send_at_once_is_taken_from_one(self, pool, browser, maria, monkeypatch):
        up_to_the_new_password(pool, browser)
        tab, call = Browser(), client.PoolClient.call
        tab.http.cookies = browser.http.cookies.copy()

        def answer_both(self, operation, **params):
            answer = call(self, operation, **params)
            monkeypatch.setattr(client.PoolClient, "call", call)
            pool.refuses("respond_to_auth_challenge", "NotAuthorizedException", "Invalid session for the user.")
            assert at(tab.new_password(PASSWORD)) == "sign_in"
            return answer

        pool.answers("respond_to_auth_challenge", pool.challenge())
        monkeypatch.setattr(client.PoolClient, "call", answer_both)
        assert at(browser.new_password(PASSWORD)) == "sign_in_code"
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        assert at(browser.code("123456")) == "sign_in_trust"
        pool.is_done()

    def test_is_nobody_s_business_without_a_sign_in(self, pool, browser):
        assert at(browser.http.get(reverse("trusted_devices:sign_in_new_password"))) == "sign_in"
        assert at(browser.new_password(PASSWORD)) == "sign_in"

    def test_is_not_somebody_else_s_whatever_the_tokens_say(self, pool, browser, maria):
        up_to_the_new_password(pool, browser)
        tokens = pool.tokens(sub=OTHER_SUB)
        pool.answers("respond_to_auth_challenge", {"AuthenticationResult": tokens})
        assert at(browser.new_password(PASSWORD)) == "sign_in"
        assert not browser.is_signed_in


class TestAnAuthenticatorThatIsSetUp:
    @pytest.mark.parametrize("code", ["123 456", "123-456"])
    def test_is_proved_to_the_pool_before_the_challenge_is_answered(self, pool, browser, maria, code):
        up_to_its_code(pool, browser)
        asked = {"Session": "t" * 30, "UserCode": "123456"}
        pool.answers("verify_software_token", {"Status": "SUCCESS", "Session": "u" * 30}, asked)
        pool.answers(
            "respond_to_auth_challenge",
            pool.signed_in(),
            {
                "ClientId": CLIENT,
                "ChallengeName": "MFA_SETUP",
                "ChallengeResponses": {"USERNAME": "maria"},
                "Session": "u" * 30,
            },
        )
        assert at(browser.code(code)) == "sign_in_trust"
        pool.is_done()

    @pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "---"])
    def test_does_not_trouble_the_pool_with_what_cannot_be_its_code(self, pool, browser, maria, code):
        up_to_its_code(pool, browser)
        sees(browser.code(code), (400, MISMATCH))
        pool.is_done()

    @pytest.mark.parametrize(
        "key", ["short", "GEZD GNBV GY3T QOJQ", "<b>GEZDGNBVGY3TQOJQ</b>", "A" * 10_000, "\ud800" * 16]
    )
    def test_whose_key_is_none_lets_nobody_in(self, pool, browser, maria, key, monkeypatch):
        pool.answers("initiate_auth", pool.half_of_srp())
        pool.answers("respond_to_auth_challenge", pool.challenge("MFA_SETUP", MFAS_CAN_SETUP='["SOFTWARE_TOKEN_MFA"]'))
        monkeypatch.setattr(pool.stubs[False], "_validate_operation_response", lambda *args: None)
        pool.answers("associate_software_token", {"SecretCode": key, "Session": "t" * 30})
        is_asked_whose_name_it_is(pool)
        sees(browser.http.post(reverse("trusted_devices:sign_in"), FORM), UNAVAILABLE)

    def test_is_not_added_once_there_is_a_factor(self, pool, browser, maria):
        up_to_the_set_up(pool, browser)
        record = {"Username": "maria", "UserAttributes": [{"Name": "sub", "Value": SUB}]}
        pool.answers("admin_get_user", {**record, "UserMFASettingList": ["EMAIL_OTP"]})
        assert at(browser.code("123456")) == "sign_in"
        pool.is_done()

    def test_is_the_last_factor_that_is_asked_for(self, pool, browser, maria):
        up_to_its_code(pool, browser)
        pool.answers("verify_software_token", {"Status": "SUCCESS", "Session": "u" * 30})
        pool.answers("respond_to_auth_challenge", pool.challenge())
        sees(browser.code("123456"), UNAVAILABLE)
        assert not browser.is_signed_in
        pool.is_done()

    @pytest.mark.parametrize("allowed", [True, False])
    def test_has_the_device_remembered_at_once_where_every_device_is(self, pool, browser, maria, settings, allowed):
        policy = {} if allowed else {"POLICY": "tests.web.views.policies.OffersWhatItForbids"}
        settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "TRACKING": "always", **policy}
        up_to_its_code(pool, browser)
        pool.answers("verify_software_token", {"Status": "SUCCESS", "Session": "u" * 30})
        pool.answers("respond_to_auth_challenge", pool.signed_in())
        if allowed:
            pool.answers("confirm_device", {"UserConfirmationNecessary": False})
            pool.answers("update_device_status")
        assert at(browser.code("123456")) == "home"
        assert Device.objects.remembered().count() == allowed
        pool.is_done()

    def test_is_not_theirs_whose_name_somebody_disabled_has_now(self, pool, browser, maria):
        up_to_its_code(pool, browser)
        other = get_user_model().objects.create_user("other", is_active=False)
        CognitoUser.objects.create(user=other, sub=OTHER_SUB)
        pool.answers("verify_software_token", {"Status": "SUCCESS", "Session": "u" * 30})
        pool.answers("respond_to_auth_challenge", {"AuthenticationResult": pool.tokens(sub=OTHER_SUB)})
        assert at(browser.code("123456")) == "sign_in"
        assert not browser.is_signed_in

    def test_ends_trust_that_was_given_after_another_factor(
        self, pool, browser, maria, device, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            up_to_the_set_up(pool, browser, trusted=True)
        device.refresh_from_db()
        assert (device.status, device.status_reason) == ("not_remembered", "mfa_changed")
        pool.is_done()

    def test_is_all_that_can_be_set_up_here(self, pool, browser, maria):
        pool.answers("initiate_auth", pool.half_of_srp())
        pool.answers("respond_to_auth_challenge", pool.challenge("MFA_SETUP", MFAS_CAN_SETUP='["SMS_MFA"]'))
        response = browser.http.post(reverse("trusted_devices:sign_in"), FORM)
        sees(response, (403, "Your account needs a second factor, which cannot be set up here."))
        assert not browser.is_signed_in
        pool.is_done()

    @pytest.mark.parametrize("given", [{}, {"Session": "t" * 30}, {"SecretCode": "GEZDGNBVGY3TQOJQ"}])
    def test_without_a_key_or_a_session_lets_nobody_in(self, pool, browser, maria, given):
        pool.answers("initiate_auth", pool.half_of_srp())
        pool.answers("respond_to_auth_challenge", pool.challenge("MFA_SETUP", MFAS_CAN_SETUP='["SOFTWARE_TOKEN_MFA"]'))
        pool.answers("associate_software_token", given)
        sees(browser.http.post(reverse("trusted_devices:sign_in"), FORM), UNAVAILABLE)
        assert not browser.is_signed_in

    @pytest.mark.parametrize("error", kinds("associate_software_token"))
    def test_whose_key_cannot_be_had_lets_nobody_in(self, pool, browser, maria, error):
        pool.answers("initiate_auth", pool.half_of_srp())
        pool.answers("respond_to_auth_challenge", pool.challenge("MFA_SETUP", MFAS_CAN_SETUP='["SOFTWARE_TOKEN_MFA"]'))
        calls = times_called("associate_software_token", error)
        pool.refuses("associate_software_token", error, "Words.", status=status_of(error), times=calls)
        response = browser.http.post(reverse("trusted_devices:sign_in"), FORM)
        sees(response, UNAVAILABLE)
        assert not browser.is_signed_in
        pool.is_done()

    @pytest.mark.parametrize("error", kinds("verify_software_token"))
    def test_leads_on_whatever_is_said_against_its_code(self, pool, browser, maria, error):
        up_to_its_code(pool, browser)
        calls = times_called("verify_software_token", error)
        pool.refuses("verify_software_token", error, "Words.", status=status_of(error), times=calls)
        response = browser.code("123456")
        assert not browser.is_signed_in
        expected = {
            "CodeMismatchException": (400, MISMATCH),
            "EnableSoftwareTokenMFAException": (400, MISMATCH),
            "PasswordResetRequiredException": (403, "Your password must be reset before you can sign in."),
            "UserNotConfirmedException": (403, "Your account must be confirmed before you can sign in."),
        }
        if error in ("NotAuthorizedException", "SoftwareTokenMFANotFoundException", "UserNotFoundException"):
            assert at(response) == "sign_in"
        else:
            sees(response, expected.get(error, UNAVAILABLE))
        pool.is_done()

    def test_does_not_work_while_the_pool_says_so(self, pool, browser, maria):
        up_to_its_code(pool, browser)
        pool.answers("verify_software_token", {"Status": "ERROR", "Session": "u" * 30})
        sees(browser.code("123456"), (400, MISMATCH))
        assert not browser.is_signed_in
        pool.is_done()


def test_a_new_password_that_was_not_asked_for_is_not_taken(pool, maria):
    state = PoolSignIn(username="maria", challenge="SMS_MFA", session="s").dump()
    conversation = CognitoSignIn().resume(maria, state, client=ClientInfo())
    assert conversation.new_password is None
    with pytest.raises(SignInExpired):
        conversation.set_new_password(PASSWORD, {})
    pool.is_done()
