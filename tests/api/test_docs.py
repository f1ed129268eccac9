"""The page about the API keeps up with it."""

import re

from django.urls import get_resolver

from tests.api import openapi
from trusted_devices.api.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from trusted_devices.api.problems import ANSWERS
from trusted_devices.api.throttles import DEFAULT_RATES

PAGE = (openapi.PATH.parent / "rest-api.md").read_text(encoding="utf-8")


def test_every_route_is_on_the_page():
    routes = {str(pattern.pattern) for pattern in get_resolver("trusted_devices.api.urls").url_patterns}
    named = {route.replace("<str:device_key>", "{key}").replace("<str:user_id>", "{id}") for route in routes}
    assert named == set(re.findall(r"`(?:GET|POST|PATCH|DELETE) ([^` ]+)`", PAGE))


def test_every_rate_is_on_the_page():
    assert dict(re.findall(r"^\| `(trusted_devices\w*)` \| [^|]+ \| ([^ ]+) \|$", PAGE, re.MULTILINE)) == DEFAULT_RATES


def test_every_code_is_on_the_page():
    codes = {error.code for error in ANSWERS}
    assert codes <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_numbers_are_right():
    assert f"`page_size` is {PAGE_SIZE} and at most {MAX_PAGE_SIZE}" in PAGE
