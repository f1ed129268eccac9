"""Sites that keep users and devices in another database than ``default``.

A test may use those databases that its mark names; anything that is looked for in another one raises.
"""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

import trusted_devices
from tests.cognito_idp.factories import make_access_key, make_client, make_pool
from tests.cognito_idp.signed import Admin
from tests.cognito_idp.wire import App, Wire
from tests.services.owner import Elsewhere
from tests.web.views.browser import Browser, url
from trusted_devices.checks.databases import check_router
from trusted_devices.cognito_idp.models import RefreshToken
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.services import activity, devices, expiry
from trusted_devices.types import By, StatusReason

PACKAGE = Path(trusted_devices.__file__).parent
OURS = pytest.mark.django_db(databases=["elsewhere"])


class Router:
    """Everything is in the database ``elsewhere``, but for the apps that are ``left`` in ``default``."""

    def __init__(self, *left):
        self.left = left

    def db_for_read(self, model, **hints):
        return "default" if model._meta.app_label in self.left else "elsewhere"

    db_for_write = db_for_read


@pytest.fixture(autouse=True)
def router(settings):
    settings.DATABASE_ROUTERS = [Router()]


@pytest.fixture
def browser(router, user, totp):
    """A browser whose user has trusted it, and is signed in."""
    browser = Browser()
    browser.sign_in_and_trust(totp)
    return browser


def signs_in_without_a_code(browser, password="correct horse"):
    """Whether a sign-in with the password is enough."""
    browser.sign_out()
    browser.enter_password(password=password)
    return bool(browser.user_id)


@OURS
def test_devices_are_trusted_and_sign_in_wherever_the_router_keeps_them(browser):
    assert signs_in_without_a_code(browser)
    assert set(DeviceEvent.objects.values_list("action", flat=True)) == {"confirmed", "remembered", "signed_in"}
    assert Device.objects.db == "elsewhere"


@OURS
def test_what_ends_trust_ends_it_there(browser, user):
    user.set_password("another horse")
    user.save()
    assert Device.objects.get().status_reason == StatusReason.PASSWORD_CHANGED
    assert not signs_in_without_a_code(browser, "another horse")


@OURS
def test_a_disabled_and_a_deleted_account_leave_nothing_there(browser, user):
    user.is_active = False
    user.save()
    assert Device.objects.get().status_reason == StatusReason.ACCOUNT_DISABLED
    assert not browser.get(url("devices")).wsgi_request.user.is_authenticated
    user.delete()
    assert not Device.objects.exists()


@OURS
def test_a_lost_factor_ends_trust_there(browser, totp):
    totp.delete()
    assert Device.objects.get().status_reason == StatusReason.MFA_CHANGED


@OURS
def test_forgetting_and_the_sweeps_work_there(browser, django_capture_on_commit_callbacks):
    now = timezone.now() + timedelta(days=61)
    assert list(expiry.expire_due(now=now)) == [1]
    with django_capture_on_commit_callbacks(using="elsewhere", execute=True):
        devices.forget_all(user=Device.objects.get().user, by=By(at=now))
    assert not DeviceSession.objects.exists()
    assert not browser.user_id
    assert sum(activity.prune(before=now + timedelta(days=1))) > 0


@pytest.mark.django_db(databases=["default", "elsewhere"])
def test_sessions_may_stay_in_yet_another_database(settings, user, totp):
    settings.DATABASE_ROUTERS = [Router("sessions")]
    browser = Browser()
    browser.sign_in_and_trust(totp)
    assert signs_in_without_a_code(browser)
    devices.forget_all(user=user, by=By())
    assert not browser.user_id


@OURS
def test_an_owner_elsewhere_is_notified_outside_of_transactions_there(
    settings, browser, user, django_capture_on_commit_callbacks
):
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "tests.services.owner.ELSEWHERE"}
    Elsewhere.forget_everything()
    with django_capture_on_commit_callbacks(using="elsewhere", execute=True):
        devices.end_trust(user=user, reason=StatusReason.STAFF_STOPPED, by=By())
        assert not Elsewhere.told
    assert Elsewhere.told


@OURS
def test_the_wire_endpoint_works_there(user, totp):
    wire = Wire()
    app = App(wire, make_client(make_pool()), user.get_username(), "correct horse")
    app.remembered_device(totp)
    assert app.password_sign_in()["ChallengeName"] == "DEVICE_SRP_AUTH"
    Admin(wire, make_access_key()).call("AdminUserGlobalSignOut", UserPoolId=app.pool.pool_id, Username="maria")
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("left", [(), ("sessions",), ("admin", "axes")])
def test_a_router_that_keeps_together_what_refers_to_each_other_is_fine(settings, left):
    settings.DATABASE_ROUTERS = [Router(*left)]
    assert check_router() == []


@pytest.mark.parametrize("left", ["auth", "trusted_devices", "trusted_devices_cognito_idp", "otp_totp"])
def test_a_router_that_parts_what_refers_to_each_other_is_an_error(settings, left):
    settings.DATABASE_ROUTERS = [Router(left)]
    [error] = check_router()
    assert (error.id, error.is_serious()) == ("trusted_devices.E010", True)
    assert "'default' for" in error.msg
    assert "'elsewhere' for" in error.msg


def test_a_router_that_allows_no_relation_is_an_error(settings):
    router = Router()
    router.allow_relation = lambda *rows, **hints: False
    settings.DATABASE_ROUTERS = [router]
    assert [error.id for error in check_router()] == ["trusted_devices.E011"]


def opens_transactions(source):
    """Return whether a module asks Django itself for transactions or for the connection, which are ``default``'s."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            continue
        if any(name.startswith(("django.db.transaction", "django.db.connection")) for name in names):
            return True
    return False


@pytest.mark.parametrize(
    "line",
    [
        "from django.db import IntegrityError, transaction",
        "from django.db import connection",
        "from django.db.transaction import atomic",
        "import django.db.transaction as t",
    ],
)
def test_a_module_that_opens_transactions_itself_is_found(line):
    assert opens_transactions(line)


def test_one_module_alone_opens_transactions():
    knowing = {"database.py", "databases.py"}  # a check is given the databases that it looks at
    found = {path for path in PACKAGE.rglob("*.py") if opens_transactions(path.read_text())}
    assert {path.name for path in found} == knowing
