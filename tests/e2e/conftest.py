"""A running demo for the whole run, Chromium for a module, fresh people and browsers for each test."""

import os
import shutil
from collections import defaultdict
from itertools import chain, count

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.running_demo import running_demo
from tests.e2e.visitor import CHROME

BINARIES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 15_000
"""Milliseconds to wait for what a page should show; slow machines need more than Playwright's five seconds."""
expect.set_options(timeout=PATIENCE)


def find_chromium():
    """Return the path of a Chromium; empty where there is none."""
    return next(filter(None, map(shutil.which, BINARIES)), "") or ""


@pytest.fixture(scope="session")
def chromium_path():
    """The browser's path; without one there is nothing to test."""
    path = find_chromium()
    if not path:
        pytest.skip(f"needs a Chromium binary, one of: {', '.join(BINARIES)}")
    return path


@pytest.fixture(scope="session")
def demo(chromium_path, tmp_path_factory):
    """A demo that all browser tests of this process share."""
    folder = tmp_path_factory.mktemp("browser-demo")
    with running_demo(folder) as demo:
        yield demo


@pytest.fixture(scope="session")
def people(demo):
    """As many people as the tests of this process need; how many it gets, the order decides."""
    return chain.from_iterable(demo.add_people(30) for _ in count())


@pytest.fixture
def person(people):
    """Somebody who has never signed in."""
    return next(people)


@pytest.fixture(scope="module")
def chromium(chromium_path):
    """A browser program. No longer than a module, as Playwright's event loop would be in the way of database tests."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root, as whom containers run.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium_path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def left(chromium):
    """Pages that tests have left, by the options of their browsers."""
    return defaultdict(list)


@pytest.fixture
def new_page(chromium, demo, left):
    """Open pages in browsers that share nothing: ``new_page(color_scheme="dark")`` and so on.

    What a test has left is opened again without its cookies: making a browser ready takes longer than most tests.
    """
    opened = []

    def open_page(**options):
        key = repr(sorted(options.items()))
        page = left[key].pop() if left[key] else first_page(options)
        page.context.clear_cookies()
        opened.append((key, page))
        return page

    def first_page(options):
        defaults = {"user_agent": CHROME, "viewport": {"width": 1100, "height": 800}}
        context = chromium.new_context(base_url=demo.url, **(defaults | options))
        context.set_default_timeout(PATIENCE)
        return context.new_page()

    yield open_page
    for key, page in opened:
        for other in page.context.pages:
            if other is not page:
                other.close()
        left[key].append(page)


@pytest.fixture
def page(new_page):
    """A page in a browser on a desktop computer."""
    return new_page()
