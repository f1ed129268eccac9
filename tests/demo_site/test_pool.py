"""The demo on a user pool, seen from its commands and settings."""

import json
import stat

import pytest
from django.contrib.auth import get_user_model

from demo_site import environment, pool
from tests.demo_site.conftest import demo_environ

FACTS = {
    "user_pool_id": "us-east-1_AbCdEf123",
    "secret_client_id": "1example",
    "secret_client_secret": "s",
    "endpoint": "http://127.0.0.1:8001/cognito-idp",
    "access_key_id": "key",
    "secret_access_key": "secret",
    "url": "http://127.0.0.1:8001",
}


@pytest.mark.parametrize("backend", ["", "local", "COGNITO"])
def test_only_one_word_asks_for_a_pool(backend, tmp_path):
    environ = {"BACKEND": backend, "DEMO_DIR": str(tmp_path)}
    assert not environment.has_pool(environ)
    assert environment.demo_dir(environ) == tmp_path
    assert environment.pool_facts(environ, tmp_path) == {}


def test_the_site_has_a_folder_of_its_own_within_the_pool_s(tmp_path):
    environ = {"BACKEND": "cognito", "DEMO_DIR": str(tmp_path)}
    assert environment.demo_dir(environ) == tmp_path / "cognito"
    assert environment.pool_facts(environ, tmp_path / "cognito") == {}


def test_the_site_is_set_up_for_its_pool_with_its_key_where_boto3_looks():
    environ = {"REDIS_URL": "redis://redis", "AWS_ACCESS_KEY_ID": "mine", "AWS_SESSION_TOKEN": "mine"}
    options = environment.cognito(environ, FACTS)
    assert options["USER_POOL_ID"] == "us-east-1_AbCdEf123"
    assert options["REDIS_URL"] == "redis://redis"
    environment.lend_credentials(environ, FACTS)
    assert environ == {
        "REDIS_URL": "redis://redis",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }


def test_preparing_makes_a_pool_and_a_site_that_pass_every_check(tmp_path, manage):
    environ = demo_environ(tmp_path) | {"BACKEND": "cognito", "PORT": "18990"}
    (tmp_path / "cognito").mkdir()
    pool.prepare(environ, 18991)
    note = tmp_path / "cognito" / "pool.json"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert json.loads(note.read_text())["endpoint"] == "http://127.0.0.1:18991/cognito-idp"
    given = {"BACKEND": "cognito", "PORT": "18990", "DEMO_DIR": str(tmp_path)}
    checked = manage("check", "--fail-level", "WARNING", environ=given)
    assert checked.returncode == 0, checked.stderr
    assert json.loads(manage("seed_demo", "--json", environ=given).stdout) == {
        "url": "http://127.0.0.1:18990",
        "pool": "http://127.0.0.1:18991",
    }
    assert "those of the pool" in manage("seed_demo", environ=given).stdout
    count = "from django.contrib.auth.models import User; print(User.objects.count())"
    assert manage("shell", "--no-imports", "--command", count, environ=given).stdout.strip() == "0"


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "is_staff"), [("admin", True), ("maria", False)])
def test_only_the_demo_s_staff_are_staff_on_the_site(settings, name, is_staff):
    settings.TRUSTED_DEVICES = {"BACKEND": "cognito", "COGNITO": environment.cognito({}, FACTS)}
    claims = {"sub": "1", "cognito:username": name, "email": f"{name}@example.com"}
    user = pool.DemoMapper().create(claims)
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (is_staff, is_staff)
    get_user_model().objects.update(is_staff=False)
    pool.DemoMapper().update(get_user_model().objects.get(), claims)
    assert get_user_model().objects.get().is_staff is is_staff
