"""``docker-compose.yml`` says what its comments promise. (Whether it runs needs an engine.)"""

import pytest

from tests.demo_site.conftest import ROOT

yaml = pytest.importorskip("yaml")


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def test_there_are_web_worker_beat_postgresql_and_redis(services):
    assert set(services) == {"web", "worker", "beat", "prepare", "postgres", "redis"}


def test_only_the_web_server_can_be_reached_and_only_from_this_machine(services):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_every_lasting_service_has_a_health_check(services):
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"prepare"}


def test_the_site_waits_for_the_database_to_be_prepared(services):
    for name in ("web", "worker", "beat"):
        waits = {other: needs["condition"] for other, needs in services[name]["depends_on"].items()}
        assert waits == {
            "prepare": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert "prepare" not in services["prepare"]["depends_on"]


def test_the_site_uses_the_servers_that_stand_beside_it(services):
    environment = services["web"]["environment"]
    assert environment["POSTGRES_HOST"] == "postgres"
    assert environment["REDIS_URL"].startswith("redis://redis:")
    for name in ("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"):
        assert environment[name] == services["postgres"]["environment"][name]


def test_the_image_holds_what_the_services_run(services):
    dockerfile = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text()
    for name in ("manage.py", "demo_site", "templates", "trusted_devices", "pyproject.toml", "constraints.txt"):
        assert name in dockerfile
        assert f"!{name}" in ignored
        assert (ROOT / name).exists()
