"""The demo's management commands as somebody types them, on the demo's own settings."""

import json
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django_otp.plugins.otp_totp.models import TOTPDevice

from demo_site import accounts
from demo_site.management.commands import totp_code


def test_seeding_prints_one_json_object_and_nothing_else(manage):
    first = manage("seed_demo", "--json", environ={"PORT": "8123"})
    assert first.returncode == 0, first.stderr
    facts = json.loads(first.stdout)
    assert set(facts) >= {"url", "users"}
    assert facts["url"] == "http://127.0.0.1:8123"
    assert {user["username"] for user in facts["users"]} >= {"maria", "tom", "admin"}
    wire = facts["cognito_idp"]
    assert (wire["endpoint"], wire["region"]) == ("http://127.0.0.1:8123/cognito-idp", "us-east-1")
    assert wire["user_pool_id"].startswith("us-east-1_")
    assert set(wire) == {
        *("endpoint", "region", "user_pool_id", "client_id", "secret_client_id", "secret_client_secret"),
        *("access_key_id", "secret_access_key"),
    }
    assert manage("seed_demo", "--json", environ={"PORT": "8123"}).stdout == first.stdout


def test_everything_that_the_demo_writes_is_in_its_folder(manage, demo_folder):
    manage("seed_demo")
    names = {path.name for path in demo_folder.iterdir()}
    assert {"db.sqlite3", "secret_key"} <= names


def test_the_demos_settings_pass_every_system_check(manage):
    result = manage("check", "--fail-level", "WARNING", environ={"DJANGO_SETTINGS_MODULE": "demo_site.settings"})
    assert result.returncode == 0, result.stderr


@pytest.mark.django_db
def test_the_code_of_the_moment_is_printed_alone():
    accounts.seed()
    out = StringIO()
    call_command(totp_code.Command(), "maria", stdout=out)
    assert len(out.getvalue().strip()) == 6
    assert out.getvalue().strip().isdigit()


@pytest.mark.django_db
def test_it_is_said_when_a_code_has_to_be_waited_for():
    accounts.seed()
    device = TOTPDevice.objects.get(user__username="maria")
    device.last_t = int(time.time()) // device.step + 10
    device.save()
    out, err = StringIO(), StringIO()
    call_command(totp_code.Command(), "maria", stdout=out, stderr=err)
    assert "This one can be used in" in err.getvalue()
    assert out.getvalue().strip().isdigit()


@pytest.mark.django_db
def test_there_is_no_code_for_somebody_without_an_authenticator():
    accounts.seed()
    with pytest.raises(CommandError, match="tom has no authenticator app"):
        call_command(totp_code.Command(), "tom")


@pytest.mark.django_db
def test_there_is_no_code_for_anybody_but_the_demos_users():
    with pytest.raises(CommandError, match="invalid choice"):
        call_command(totp_code.Command(), "root")
