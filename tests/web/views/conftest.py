"""Browsers, and a clock that stands still until it is moved."""

import pytest
import time_machine

from tests.conftest import NOW
from tests.web.views.browser import Browser


@pytest.fixture
def clock():
    """The time is ``NOW`` until ``clock.shift(...)``."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(db, clock):
    """Chrome on Windows."""
    return Browser()


@pytest.fixture
def other_browser(db, clock):
    """Another one, which shares nothing with the first."""
    return Browser(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
