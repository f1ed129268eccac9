"""What a request costs: budgets in queries and headers."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.web.views.browser import Browser, code_of, url
from trusted_devices.middleware import DeviceKeyMiddleware
from trusted_devices.services import granting, stamps, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.testing import force_mfa_login, trust_device
from trusted_devices.types import By, Presented
from trusted_devices.web import jar


@pytest.fixture
def granted(user, verified, client_info, sixty_days, now):
    return granting.grant(
        user=user,
        verification=verified,
        presented=Presented(),
        choice=TrustChoice(period=sixty_days),
        by=By(client=client_info, at=now),
    )


def test_a_request_that_does_not_ask_costs_no_query_and_changes_no_header(
    client, user, totp, django_assert_num_queries
):
    force_mfa_login(client, user)
    trust_device(client, user)
    with django_assert_num_queries(0):
        response = client.get("/")
    assert response.content == b"home"
    assert not response.cookies
    assert "Vary" not in response.headers
    assert "Cache-Control" not in response.headers


def test_a_request_that_asks_costs_one_query(user, granted, django_assert_num_queries):
    request = RequestFactory().get("/")
    request.user = user
    jar.get_jar(request).keep(granted.credential)

    def view(request):
        return HttpResponse(str(request.trusted_device) + request.trusted_device.device_key)

    with django_assert_num_queries(1):
        response = DeviceKeyMiddleware(view)(request)
    assert granted.device.device_key in response.content.decode()


def test_a_request_that_asks_without_a_device_costs_none(user, django_assert_num_queries):
    request = RequestFactory().get("/")
    request.user = user
    with django_assert_num_queries(0):
        response = DeviceKeyMiddleware(lambda request: HttpResponse(str(bool(request.trusted_device))))(request)
    assert response.content == b"False"


def test_the_trust_check_costs_one_indexed_read_and_one_narrow_write(db, user, granted, client_info, now):
    stamp = stamps.current(user)
    with CaptureQueriesContext(connection) as queries:
        checked = trust.check(
            user=user,
            presented=Presented(credential=granted.credential),
            mfa_active=True,
            stamp=stamp,
            by=By(client=client_info, at=now + timedelta(days=1)),
        )
    assert checked.decision.allowed
    statements = [query["sql"] for query in queries if query["sql"].split()[0] in ("SELECT", "UPDATE", "INSERT")]
    read, write = statements
    assert read.startswith("SELECT")
    assert "device_key" in read.rpartition("WHERE")[2]
    assert write.startswith("UPDATE")
    assert "trust_expires_at" not in write.partition("WHERE")[0]


@pytest.mark.parametrize("devices", [1, 15])
def test_the_devices_page_costs_the_same_for_any_number_of_devices(client, user, totp, devices):
    force_mfa_login(client, user)
    for _ in range(devices):
        trust_device(type(client)(), user)
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/devices/").status_code == 200
    assert len(queries) <= 9  # session, user, the second factor, devices, activity; and factors of four kinds


def test_granting_trust_costs_21_statements_and_one_for_each_kind_of_factor(totp):
    browser = Browser()
    browser.enter_password()
    browser.enter_code(code_of(totp))
    with CaptureQueriesContext(connection) as queries:
        browser.trust()
    assert browser.user_id
    assert len(queries) - sum(count for table, count in reads(queries).items() if table.startswith("otp_")) <= 21
    assert {table for table in reads(queries) if table.startswith("otp_")} == ONCE.keys() - {"auth_user"}


@pytest.fixture
def browser(user, totp, time_machine, now):
    """A browser in which the password has just been typed, at a time that stands still."""
    time_machine.move_to(now, tick=False)
    browser = Browser()
    browser.enter_password()
    return browser


def reads(queries):
    """How often each table of users, factors and devices is read."""
    found = Counter()
    for query in queries:
        read = re.match(r'SELECT .* FROM [`"](auth_user|otp_\w+|trusted_devices_device)[`"]', query["sql"])
        if read:
            found[read[1]] += 1
    return found


ONCE = {
    "auth_user": 1,
    "otp_totp_totpdevice": 1,
    "otp_hotp_hotpdevice": 1,
    "otp_email_emaildevice": 1,
    "otp_static_staticdevice": 1,
}


def test_a_password_reads_the_user_and_each_factor_once(browser):
    with CaptureQueriesContext(connection) as queries:
        assert browser.enter_password().status_code == 302
    assert reads(queries) == ONCE


def test_the_page_for_a_code_reads_the_user_and_each_factor_once(browser):
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(url("sign_in_code")).status_code == 200
    assert reads(queries) == ONCE


def test_a_code_reads_the_user_and_each_factor_once(browser, totp):
    code = code_of(totp)
    with CaptureQueriesContext(connection) as queries:
        assert browser.enter_code(code).status_code == 302
    # The factor that verifies is read under its lock as well, and by the receiver that sees it saved.
    assert reads(queries) == ONCE | {"otp_totp_totpdevice": 3}


def test_the_question_about_trust_reads_the_user_alone(browser, totp):
    browser.enter_code(code_of(totp))
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(url("sign_in_trust")).status_code == 200
    assert reads(queries) == {"auth_user": 1}


def test_not_now_reads_the_user_once(browser, totp):
    browser.enter_code(code_of(totp))
    with CaptureQueriesContext(connection) as queries:
        assert browser.not_now().status_code == 302
    assert reads(queries)["auth_user"] == 1
