"""The reference of settings."""

from tests.docs import settings_page


def test_the_page_is_what_the_options_say():
    """If this fails: ``python -m tests.docs.settings_page``."""
    assert settings_page.PAGE.read_text() == settings_page.render()
