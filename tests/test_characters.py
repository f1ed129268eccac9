"""Sites whose database cannot store every character: MariaDB in utf8mb3, which has no emoji."""

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection

from tests.cognito_idp.factories import make_client, make_pool
from tests.cognito_idp.wire import App, Refused, Wire
from tests.web.views.browser import Browser, code_of, url
from trusted_devices import database
from trusted_devices.checks.databases import check_characters
from trusted_devices.models import Device, DeviceEvent

EMOJI = "Küche 🍳"
MODELS = (Device, DeviceEvent, get_user_model())


def convert(characters):
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} CONVERT TO CHARACTER SET {characters}")


@pytest.fixture
def narrow(transactional_db):
    """The tables of devices, of their events and of users are in utf8mb3."""
    convert("utf8mb3")
    yield
    convert("utf8mb4")


@pytest.fixture
def browser(narrow, user, totp):
    browser = Browser()
    browser.sign_in_and_trust(totp)
    return browser


@pytest.mark.mariadb
def test_a_name_that_cannot_be_stored_is_refused_by_every_door(browser, user, totp):
    device = Device.objects.get()
    response = browser.post(url("rename_device", device.device_key), {"name": EMOJI})
    assert response.status_code == 400
    assert "cannot store" in response.content.decode()

    response = browser.patch(f"/api/devices/{device.device_key}/", {"name": EMOJI}, "application/json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_device_name")
    assert "emoji" in response.json()["detail"]

    fresh = Browser()
    fresh.enter_password()
    totp.refresh_from_db()
    type(totp).objects.update(last_t=-1)
    fresh.enter_code(code_of(totp))
    assert fresh.trust(name=EMOJI).status_code == 400
    assert fresh.trust(name="Küche").status_code == 302
    assert set(Device.objects.values_list("name", flat=True)) == {"", "Küche"}


@pytest.mark.mariadb
def test_what_is_looked_for_and_cannot_be_there_is_no_error_of_the_site(browser):
    response = Browser().enter_password(username="🍳")
    assert response.status_code == 400
    assert "leave it out" in response.content.decode()
    get_user_model().objects.update(is_staff=True, is_superuser=True)
    assert browser.get("/admin/trusted_devices/device/", {"q": "🍳"}).status_code == 200
    response = browser.delete(f"/api/admin/devices/{Device.objects.get().device_key}/?note=🍳")
    assert (response.status_code, response.json()["code"]) == (400, "unstorable_text")
    with pytest.raises(Refused, match="InvalidParameterException"):
        App(Wire(), make_client(make_pool()), "🍳", "correct horse").password_sign_in()


@pytest.mark.mariadb
def test_the_name_that_an_app_gives_is_taken_as_far_as_it_can_be_stored(narrow, user, totp):
    app = App(Wire(), make_client(make_pool()), "maria", "correct horse")
    app.sign_in(totp)
    app.confirm(name=EMOJI)
    assert Device.objects.get().name == "Küche"


@pytest.mark.mariadb
def test_a_check_names_the_tables_that_are_too_narrow(narrow):
    [warning] = check_characters(databases=["default"])
    assert warning.id == "trusted_devices.W009"
    assert "trusted_devices_device, trusted_devices_deviceevent in utf8mb3" in warning.msg
    convert("utf8mb4")
    assert check_characters(databases=["default"]) == []


@pytest.mark.django_db
def test_where_every_character_fits_the_check_says_nothing():
    assert check_characters(databases=["default"]) == []
    assert check_characters() == []


@pytest.mark.parametrize(
    ("text", "about_characters"),
    [
        ("""(1366, "Incorrect string value: '\\xF0' for column 'name' at row 1")""", True),
        ("""(1366, "Incorrect integer value: 'x' for column 'id' at row 1")""", False),
        ("""(1267, "Illegal mix of collations for operation '='")""", True),
        ("""(3988, "Conversion from collation utf8mb4_0900_ai_ci into utf8mb3_general_ci impossible")""", True),
        ("""(1213, "Deadlock found when trying to get lock")""", False),
    ],
)
def test_errors_about_characters_are_told_from_others(text, about_characters):
    assert database.refuses_text(DatabaseError(text)) is about_characters
