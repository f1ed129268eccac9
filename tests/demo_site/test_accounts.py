"""The demo's accounts: made once, put right, and shown with codes that the site accepts."""

from base64 import b32decode
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from demo_site import accounts

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def test_there_is_somebody_with_totp_somebody_without_and_a_superuser_with_it():
    accounts.seed()
    users = accounts.as_json("http://127.0.0.1:8000", START)["users"]
    by_name = {user["username"]: user for user in users}
    assert by_name["maria"]["totp_secret"]
    assert not by_name["maria"]["is_staff"]
    assert by_name["tom"]["totp_secret"] is None
    assert by_name["admin"]["totp_secret"]
    assert by_name["admin"]["is_staff"]
    assert get_user_model().objects.get(username="admin").is_superuser


def test_the_facts_have_exactly_the_promised_keys():
    accounts.seed()
    facts = accounts.as_json("http://127.0.0.1:8000", START)
    assert set(facts) == {"url", "users"}
    assert all(set(user) == {"username", "password", "totp_secret", "is_staff"} for user in facts["users"])


def test_every_password_in_the_facts_is_the_users():
    accounts.seed()
    for facts in accounts.as_json("", START)["users"]:
        assert get_user_model().objects.get(username=facts["username"]).check_password(facts["password"])


def test_seeding_again_writes_nothing(django_assert_num_queries):
    accounts.seed()
    before = accounts.as_json("", START)
    with django_assert_num_queries(2 + 4 + 4) as captured:  # savepoint; a user each; a factor of those who have one
        accounts.seed()
    assert not [query for query in captured if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert accounts.as_json("", START) == before


def test_seeding_again_puts_right_what_a_visitor_changed():
    accounts.seed()
    maria = get_user_model().objects.get(username="maria")
    maria.set_password("another one")
    maria.is_active = False
    maria.save()
    TOTPDevice.objects.filter(user=maria).delete()
    accounts.seed()
    maria.refresh_from_db()
    assert maria.is_active
    assert maria.check_password("maria-demo")
    assert TOTPDevice.objects.filter(user=maria, confirmed=True).count() == 1


def test_the_shown_code_is_the_one_of_the_authenticator_app():
    accounts.seed()
    maria = next(facts for facts in accounts.sign_in_facts(START) if facts.account.username == "maria")
    assert maria.code is not None
    assert maria.totp_secret is not None
    with time_machine.travel(START, tick=False):
        assert maria.code.value == f"{totp(b32decode(maria.totp_secret)):06d}"
    assert (maria.code.wait, maria.code.left) == (0, 25)


def test_after_a_code_was_used_the_next_one_that_works_is_shown(settings):
    settings.OTP_TOTP_SYNC = False  # as in the demo
    accounts.seed()
    device = TOTPDevice.objects.get(user__username="maria")
    with time_machine.travel(START, tick=False) as clock:
        first = accounts.current_code(device, START)
        assert device.verify_token(first.value)
        second = accounts.current_code(device, START)
        assert second.value != first.value
        assert second.wait == 0
        assert device.verify_token(second.value)
        third = accounts.current_code(device, START)
        assert third.wait == 25
        clock.move_to(START + timedelta(seconds=third.wait))
        assert device.verify_token(third.value)


def test_the_facts_cost_the_same_however_many_accounts_there_are(django_assert_num_queries):
    accounts.seed()
    with django_assert_num_queries(1):
        list(accounts.sign_in_facts(START))
