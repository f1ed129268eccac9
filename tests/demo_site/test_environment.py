"""What the demo takes from its environment."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo_site import environment


def test_everything_goes_into_one_folder_of_the_checkout_unless_told_otherwise(tmp_path):
    assert environment.demo_dir({}) == environment.BASE_DIR / ".demo"
    assert environment.demo_dir({"DEMO_DIR": str(tmp_path)}) == tmp_path


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("Yes", True), ("0", False), ("", False)])
def test_a_flag_is_on_only_when_it_says_so(value, expected):
    assert environment.flag({"DEBUG": value}, "DEBUG") is expected


def test_a_given_secret_key_is_taken_and_not_kept(tmp_path):
    assert environment.secret_key({"SECRET_KEY": "given"}, tmp_path) == "given"
    assert list(tmp_path.iterdir()) == []


def test_the_secret_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    first = environment.secret_key({}, tmp_path / "new")
    assert len(first) >= 50
    assert environment.secret_key({}, tmp_path / "new") == first
    (file,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_earlier_process_has_already_made_the_key_when_two_start_at_once(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        keys = list(pool.map(lambda _: environment.secret_key({}, tmp_path), range(2)))
    assert len(set(keys)) == 1


def test_sqlite_lets_a_web_server_and_a_worker_write_at_once(tmp_path):
    options = environment.database({}, tmp_path)["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] >= 5
    assert "journal_mode=WAL" in options["init_command"]


def test_postgresql_is_used_when_its_host_is_named(tmp_path):
    environ = {"POSTGRES_HOST": "db", "POSTGRES_DB": "shop", "POSTGRES_USER": "me", "POSTGRES_PASSWORD": "pw"}
    database = environment.database(environ, tmp_path)
    assert database["ENGINE"] == "django.db.backends.postgresql"
    names = ("HOST", "PORT", "NAME", "USER", "PASSWORD")
    assert [database[name] for name in names] == ["db", "5432", "shop", "me", "pw"]


def test_without_redis_the_broker_and_the_cache_are_files_in_the_folder(tmp_path):
    broker = environment.broker({}, tmp_path)
    assert (broker.url, broker.transport) == ("filesystem://", "demo_site.broker:Transport")
    assert set(broker.options.values()) == {str(tmp_path / "broker")}
    assert Path(environment.cache({}, tmp_path)["LOCATION"]).parent == tmp_path


def test_with_redis_the_broker_and_the_cache_are_redis(tmp_path):
    environ = {"REDIS_URL": "redis://localhost:6379/7"}
    assert environment.broker(environ, tmp_path) == ("redis://localhost:6379/7", None, {"visibility_timeout": 600})
    cache = environment.cache(environ, tmp_path)
    assert cache == {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://localhost:6379/7",
    }
