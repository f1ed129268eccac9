"""What somebody who cannot sign in may leave behind: nothing, however often they ask and whatever they send."""

import pytest
from django.apps import apps
from django.core import mail

from tests.web.views.browser import Browser, url
from trusted_devices import conf, cookies

GARBAGE = "x" * (cookies.MAX_LENGTH + 1)


def rows():
    """How many rows each table has, but for those of django-axes, which count wrong passwords."""
    models = (model for model in apps.get_models() if model._meta.app_label != "axes")
    return {model._meta.label: model._base_manager.count() for model in models}


@pytest.mark.django_db
def test_strangers_leave_no_row_and_cause_no_mail(user, totp):
    before, header = rows(), conf.get_settings().HEADER_NAME
    for attempt in range(3):
        browser = Browser()
        browser.device_cookie = GARBAGE
        browser.enter_password(f"invented {attempt}", "guess")
        browser.enter_password("maria", "guess")
        browser.enter_password("maria", "p" * 100_000, headers={header: GARBAGE})
        browser.enter_code("123456")
        browser.trust()
        for page in ("sign_in", "sign_in_code", "sign_in_trust", "devices", "verify"):
            browser.get(url(page), headers={header: GARBAGE})
        browser.post(url("sign_out"))
        browser.get("/api/devices/", headers={header: GARBAGE, "authorization": "Bearer x"})
    assert rows() == before
    assert mail.outbox == []
