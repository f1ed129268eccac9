"""What the documentation claims: its examples run, its links lead somewhere, its tables tell the truth."""

import inspect
import re
import textwrap
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.management import find_commands, get_commands
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from trusted_devices import conf, signals, tasks
from trusted_devices.exceptions import CodeMismatch
from trusted_devices.middleware import DeviceKeyMiddleware
from trusted_devices.models import Device, DeviceSession
from trusted_devices.services import devices, stamps
from trusted_devices.testing import trust_device
from trusted_devices.types import By, EventAction, MfaVerification, StatusReason, TrackingMode, TrustReason, VerifiedBy
from trusted_devices.web import session_note

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def _examples(page):
    """The page's examples in Python, in order and without the indentation of a list."""
    return [textwrap.dedent(code) for code in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)]


def _code(page):
    return "\n".join(_examples(f"docs/{page}"))


def _readme(name):
    """What the README's example that defines ``name`` defines."""
    (example,) = [code for code in _examples("README.md") if f"def {name}(" in code]
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    return names[name]


def _through_the_middleware(view, *, cookies):
    request = RequestFactory().post("/")
    request.COOKIES.update(cookies)
    stack = SessionMiddleware(DeviceKeyMiddleware(view))
    return request, stack(request)


@pytest.fixture
def own_sign_in():
    """The example of the how-to, with what it says is the reader's."""
    names = {
        "has_second_factor": lambda user: True,
        "ask_for_code": lambda request, user: HttpResponse("code?", status=401),
    }
    exec(compile(_code("howto/own-sign-in.md"), "own-sign-in.md", "exec"), names)
    return names


def test_the_example_of_an_own_sign_in_skips_mfa_on_a_trusted_device(own_sign_in, user):
    user.backend = "django.contrib.auth.backends.ModelBackend"
    _, asked = _through_the_middleware(lambda request: own_sign_in["password_accepted"](request, user), cookies={})
    assert asked.status_code == 401
    _, trusted = _through_the_middleware(
        lambda request: own_sign_in["code_accepted"](request, user, timedelta(days=60)), cookies={}
    )
    cookie = {"trusted_device": trusted.cookies["trusted_device"].value}
    request, again = _through_the_middleware(
        lambda request: own_sign_in["password_accepted"](request, user), cookies=cookie
    )
    assert again.status_code == 302
    assert request.session["_auth_user_id"] == str(user.pk)
    assert DeviceSession.objects.count() == 2


def test_the_example_of_an_own_sign_in_trusts_nothing_on_not_now(own_sign_in, user):
    user.backend = "django.contrib.auth.backends.ModelBackend"
    _through_the_middleware(lambda request: own_sign_in["code_accepted"](request, user, None), cookies={})
    assert not Device.objects.exists()


def test_the_example_of_an_own_sign_in_notes_a_known_device_on_not_now(own_sign_in, user):
    user.backend = "django.contrib.auth.backends.ModelBackend"
    _, trusted = _through_the_middleware(
        lambda request: own_sign_in["code_accepted"](request, user, timedelta(days=60)), cookies={}
    )
    Device.objects.update(status="not_remembered")
    cookie = {"trusted_device": trusted.cookies["trusted_device"].value}
    request, _ = _through_the_middleware(
        lambda request: own_sign_in["code_accepted"](request, user, None), cookies=cookie
    )
    devices.forget(list(Device.objects.all()), by=By())
    assert not request.session.exists(request.session.session_key), "forgetting the device ends its session"


def test_each_table_stands_on_the_page_about_their_upkeep():
    page = (ROOT / "docs/howto/upkeep.md").read_text()
    models = [
        model
        for app in ("trusted_devices", "trusted_devices_cognito_idp")
        for model in apps.get_app_config(app).get_models()
    ]
    assert [model.__name__ for model in models if f"`{model.__name__}`" not in page] == []


def test_the_example_of_a_provider_verifies_its_code_once(now, client_info):
    names = {}
    code = _code("howto/second-factor.md").partition("TRUSTED_DEVICES")[0]
    exec(compile(code, "second-factor.md", "exec"), names)

    class Provider(names["MailedCodeProvider"]):
        def use_up(self, user):
            unused, user.unused = user.unused, False
            return unused

    user = SimpleNamespace(code_hash="", unused=True)
    provider = Provider()
    assert provider.methods(user) == []
    user.code_hash = make_password("4711")
    (method,) = provider.methods(user)
    with pytest.raises(CodeMismatch):
        provider.verify(user, method, "4712", client=client_info, now=now)
    assert provider.verify(user, method, "4711", client=client_info, now=now).kind == "mail"
    with pytest.raises(CodeMismatch):
        provider.verify(user, method, "4711", client=client_info, now=now)


def test_the_readme_guards_a_view_that_trust_alone_does_not_open(user, rf):
    request = rf.get("/bank/")
    request.user, request.session = user, {}
    view = _readme("change_bank_account")
    for by in (VerifiedBy.PASSWORD, VerifiedBy.TRUSTED_DEVICE):
        session_note.write(request.session, _verified(user, by))
        assert view(request).status_code == 302
    session_note.write(request.session, _verified(user, VerifiedBy.MFA))
    assert view(request) is None  # the example's body


def _verified(user, by):
    stamp = stamps.current(user)
    return session_note.Verification(user_id=str(user.pk), verified_by=by, at=timezone.now(), stamp=stamp)


def test_the_readme_knows_the_device_in_a_view(user, client):
    def page(cookies):
        def signed_in(request):
            request.user = user
            return _readme("account")(request)

        return _through_the_middleware(signed_in, cookies=cookies)[1].content.decode()

    assert page({}) == "Your account"
    device = trust_device(client, user, name="Laptop")
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    assert page(cookies) == "You trusted this device: Laptop"
    devices.stop_trusting([device], reason=StatusReason.STAFF_STOPPED, by=By())
    assert page(cookies) == "Your account"


def test_the_example_of_a_policy_treats_users_differently(user, client_info, settings):
    names = {"is_on_a_bad_network": lambda address: address == "203.0.113.66"}
    limits, example, _named = _examples("docs/howto/policy.md")
    exec(compile(limits, "policy.md", "exec"), names)
    settings.TRUSTED_DEVICES = names["TRUSTED_DEVICES"]
    exec(compile(example, "policy.md", "exec"), names)
    policy = names["Policy"](conf.get_settings())
    assert policy.tracking(user) is TrackingMode.OPT_IN
    for kind, may in (("totp", True), ("email", False)):
        factor = MfaVerification(kind=kind, factor_id="1", at=timezone.now())
        assert policy.may_trust(user, factor, client_info) is may
    assert not policy.at_risk(user, None, client_info)
    assert policy.at_risk(user, None, replace(client_info, ip_address="203.0.113.66"))
    user.is_staff = user.is_superuser = True
    assert policy.tracking(user) is TrackingMode.OFF
    assert policy.maximum(user) == timedelta(days=7)


def test_every_link_and_picture_leads_somewhere():
    for page in PAGES:
        targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        assert [target for target in targets if not (page.parent / target).exists()] == [], page


def test_the_readme_s_settings_exist_with_the_defaults_it_gives():
    table = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    defaults = conf.Settings()
    assert len(table) > 5
    for name, said in table:
        value = getattr(defaults, name)
        if isinstance(value, timedelta):
            assert said == f"{value.days} days"
        elif name == "PERIODS":
            assert said == ", ".join(str(period.days) for period in value) + " days"
        elif name == "POLICY":
            assert said.strip("`") == value.rpartition(".")[2]
        else:
            assert said.strip("`").replace('"', "'") == repr(value)


@pytest.mark.parametrize("enum", [TrustReason, StatusReason, EventAction, VerifiedBy], ids=lambda enum: enum.__name__)
def test_every_value_of_an_enum_has_its_row_and_no_row_is_of_none(enum):
    page = (ROOT / "docs/reference/reasons.md").read_text()
    (table,) = re.findall(rf"^## [^\n]*\(`{enum.__name__}`\)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    documented = [value for row in rows for value in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted(enum)


def test_every_signal_is_documented():
    page = (ROOT / "docs/reference/signals.md").read_text()
    names = [name for name, value in vars(signals).items() if isinstance(value, signals.Signal)]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_command_that_a_page_names_exists():
    commands = {*get_commands(), *find_commands(str(ROOT / "demo_site/management"))}
    for page in PAGES:
        assert set(re.findall(r"manage\.py ([a-z][a-z_]+)", page.read_text())) - commands == set(), page


def test_the_table_of_tasks_and_commands_is_complete():
    page = (ROOT / "docs/howto/sweep.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE)
    assert {argument for _, _, argument in rows} == set(inspect.signature(tasks.beat_schedule).parameters)
    assert {f"trusted_devices.tasks.{task}" for task, _, _ in rows} >= set(tasks.beat_schedule())
    assert {command for _, command, _ in rows} <= set(get_commands())
