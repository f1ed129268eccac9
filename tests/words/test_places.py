"""The place of a network address, read from a GeoIP2 database that is written for these tests."""

import pytest
from django.contrib.gis import geoip2

from tests.geoip import write_database
from trusted_devices.words import places


@pytest.fixture
def switched_on(settings, tmp_path):
    """A site that shows places; returns where its database lies."""
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"GEOIP": True}
    settings.GEOIP_PATH = write_database(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.0", "Boxford, United Kingdom"),
        ("203.0.113.77", "Boxford, United Kingdom"),
        ("198.51.100.0", "Chile"),
        ("2001:db8:1::", "Boxford, United Kingdom"),
        ("10.0.0.1", ""),
        ("no address", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_is_found_as_city_and_country(switched_on, address, place):
    assert places.find(address) == place


def test_a_database_of_countries_will_do(switched_on, settings):
    settings.GEOIP_PATH = write_database(switched_on, kind="GeoLite2-Country")
    assert places.find("203.0.113.0") == "United Kingdom"


def test_without_the_switch_nothing_is_looked_up(switched_on, settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"GEOIP": False}
    assert places.find("203.0.113.0") == ""


def test_a_missing_package_is_no_error_but_no_place(switched_on, monkeypatch):
    monkeypatch.setattr(geoip2, "HAS_GEOIP2", False)
    places.problem.cache_clear()
    try:
        assert places.find("203.0.113.0") == ""
        assert places.problem() == "The package geoip2 is not installed."
    finally:
        places.problem.cache_clear()


def test_a_damaged_database_shows_places_or_none_and_the_log_says_so_once(switched_on, settings, caplog):
    good = settings.GEOIP_PATH.read_bytes()
    addresses = ("203.0.113.77", "198.51.100.0", "2001:db8:1::", "10.0.0.1")
    for position in range(0, len(good), 13):
        for damage in (0xFF, good[position] ^ 0x40):
            path = switched_on / f"damaged-{position}-{damage}.mmdb"
            path.write_bytes(good[:position] + bytes([damage]) + good[position + 1 :])
            settings.GEOIP_PATH = path
            assert all(isinstance(places.find(address), str) for address in addresses)
            path.unlink()
    settings.GEOIP_PATH = switched_on / "empty"
    settings.GEOIP_PATH.mkdir()
    assert places.find("203.0.113.0") == ""
    assert "is the database of GEOIP_PATH damaged?" in caplog.text


class Shapeless:
    """A reader of a database in which a name is a number."""

    MODE_FILE, is_city = None, True

    def __init__(self, cache):
        pass

    def city(self, address):
        return {"city": 7, "country_name": ["Chile"]}


def test_a_shape_that_no_database_should_have_shows_no_place(switched_on, monkeypatch, caplog):
    monkeypatch.setattr(geoip2, "GeoIP2", Shapeless)
    assert [places.find(f"203.0.113.{host}") for host in (1, 2, 3)] == ["", "", ""]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("content", [None, b"", b"x" * 200])
def test_a_database_that_cannot_be_read_is_no_error_but_no_place(switched_on, settings, content):
    path = switched_on / "other.mmdb"
    if content is not None:
        path.write_bytes(content)
    settings.GEOIP_PATH = path
    assert places.find("203.0.113.0") == ""
    assert places.problem()
