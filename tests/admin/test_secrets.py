"""Nothing secret is shown, searched, sorted, filtered or exported anywhere in the admin."""

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.admin.conftest import make_devices
from trusted_devices.admin import exporting
from trusted_devices.admin.users import UserDevicesInline
from trusted_devices.models import Device, DeviceEvent, DeviceSession, SessionToEnd
from trusted_devices.services import sessions

SHOWN = {
    Device: {
        "id",
        "user",
        "device_key",
        "name",
        "binding",
        "status",
        "status_reason",
        "status_changed_at",
        "confirmed_at",
        "trust_granted_at",
        "trust_period",
        "trust_expires_at",
        "mfa_factor",
        "last_authenticated_at",
        "last_ip",
        "user_agent",
        "created_at",
        "modified_at",
    },
    DeviceEvent: {field.name for field in DeviceEvent._meta.concrete_fields},
    DeviceSession: set(),
    SessionToEnd: set(),
}
"""What may be shown. A new field is secret until somebody says otherwise here."""


def secrets_of(model):
    return {field.name for field in model._meta.get_fields() if field.concrete} - SHOWN[model]


def registered():
    ours = [model_admin for model, model_admin in admin.site._registry.items() if model in SHOWN]
    return [*ours, UserDevicesInline(Device, admin.site)]


def names_in(fieldsets):
    for _title, options in fieldsets or ():
        for line in options["fields"]:
            yield from [line] if isinstance(line, str) else line


def test_every_field_is_known_to_be_one_or_the_other():
    assert {"secret_digest", "srp_verifier", "credential_stamp", "grant_id", "rotation_nonce"} <= secrets_of(Device)
    assert {"sealed_session_key", "session_digest"} <= secrets_of(DeviceSession)
    for model, shown in SHOWN.items():
        assert shown <= {field.name for field in model._meta.concrete_fields}


def test_sessions_have_no_page():
    assert not admin.site.is_registered(DeviceSession)
    assert not admin.site.is_registered(SessionToEnd)


@pytest.mark.parametrize("model_admin", registered(), ids=lambda one: type(one).__name__)
def test_no_admin_class_names_a_secret(model_admin):
    listed = [entry[0] if isinstance(entry, tuple) else entry for entry in getattr(model_admin, "list_filter", ())]
    named = {
        *getattr(model_admin, "list_display", ()),
        *getattr(model_admin, "search_fields", ()),
        *(getattr(model_admin, "sortable_by", None) or ()),
        *(entry for entry in listed if isinstance(entry, str)),
        *(model_admin.fields or ()),
        *(model_admin.readonly_fields or ()),
        *names_in(model_admin.fieldsets),
        *getattr(model_admin, "lookups", ()),
    }
    assert named
    assert not {name.split("__")[0] for name in named} & secrets_of(model_admin.model)
    if "_meta" in vars(model_admin.form):
        assert not set(model_admin.form._meta.fields) & secrets_of(model_admin.model)


def test_no_column_of_the_export_is_secret():
    assert not set(exporting.COLUMNS) & secrets_of(Device)


@pytest.fixture
def marked(user, desk):
    """A device and a session whose every secret holds a mark that can be recognised on a page."""
    (device,) = make_devices(
        user,
        1,
        device_group_key="-MARKgrp1",
        secret_digest="MARK" + "a" * 60,
        next_secret_digest="MARK" + "b" * 60,
        rotation_nonce=b"MARKnonce",
        srp_salt=b"MARKsalt",
        srp_verifier=b"MARKverifier",
        credential_stamp="MARK" + "c" * 60,
        grant_id="MARK" + "d" * 60,
    )
    key = desk.session.session_key
    DeviceSession.objects.create(device=device, session_digest=sessions.digest("x"), sealed_session_key="MARKsealed")
    DeviceEvent.objects.create(user=user, device=device, device_key=device.device_key, action="signed_in")
    assert key
    return device


def test_no_page_shows_a_secret(desk, marked):
    pages = [
        "/admin/trusted_devices/device/",
        reverse("admin:trusted_devices_device_change", args=[marked.pk]),
        reverse("admin:trusted_devices_device_delete", args=[marked.pk]),
        reverse("admin:trusted_devices_device_stop_trusting", args=[marked.pk]),
        reverse("admin:trusted_devices_device_shorten_trust", args=[marked.pk]),
        "/admin/trusted_devices/device/dashboard/",
        "/admin/trusted_devices/deviceevent/",
        reverse("admin:trusted_devices_deviceevent_change", args=[DeviceEvent.objects.get().pk]),
    ]
    for url in pages:
        page = desk.get(url)
        assert page.status_code == 200
        assert "MARK" not in page.content.decode(), url
        assert sessions.digest("x")[:8] not in page.content.decode(), url


def test_the_export_shows_no_secret(desk, marked):
    response = desk.post(
        "/admin/trusted_devices/device/",
        {"action": "export_csv", "_selected_action": [marked.pk], "index": "0"},
    )
    text = b"".join(response.streaming_content).decode()
    assert marked.device_key in text
    assert "MARK" not in text


def test_no_secret_can_be_found_out_by_asking(desk, marked):
    for field in sorted(secrets_of(Device)):
        for lookup in ("", "__exact", "__startswith", "__gt", "__isnull"):
            response = desk.get("/admin/trusted_devices/device/", {field + lookup: "MARK"})
            assert response.status_code == 400, field + lookup


@pytest.mark.parametrize(
    "query",
    [
        {"user__password__startswith": "md5"},
        {"sessions__session_digest__startswith": "a"},
        {"events__note": "x"},
        {"_to_field": "secret_digest", "_popup": "1"},
    ],
)
def test_no_secret_of_others_can_be_found_out_by_asking(desk, marked, query):
    assert desk.get("/admin/trusted_devices/device/", query).status_code == 400


@pytest.mark.parametrize("query", [{"user__password__startswith": "md5"}, {"device__secret_digest__gt": "a"}])
def test_no_secret_can_be_found_out_from_the_log(desk, marked, query):
    assert desk.get("/admin/trusted_devices/deviceevent/", query).status_code == 400
