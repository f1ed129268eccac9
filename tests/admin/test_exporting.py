"""Devices as a CSV file."""

import csv
import io

import pytest

from tests.admin.conftest import make_devices
from trusted_devices.admin import exporting
from trusted_devices.models import Device
from trusted_devices.services import bulk

LIST = "/admin/trusted_devices/device/"


def export(client, devices, **more):
    keys = [device.pk for device in devices]
    response = client.post(LIST, {"action": "export_csv", "_selected_action": keys, "index": "0", **more})
    text = b"".join(response.streaming_content).decode()
    return response, list(csv.DictReader(io.StringIO(text)))


def test_the_file_has_one_line_for_each_chosen_device(desk, user, a_device):
    make_devices(user, 2)
    response, rows = export(desk, [a_device])
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="devices-')
    assert "no-store" in response["Cache-Control"]
    (row,) = rows
    assert row["device_key"] == a_device.device_key
    assert row["user"] == "maria"
    assert row["name"] == "Kitchen laptop"
    assert row["status"] == "remembered"
    assert row["trust_expires_at"] == a_device.trust_expires_at.isoformat(timespec="seconds")


@pytest.mark.parametrize(("batch", "queries"), [(2000, 5), (50, 7), (60, 7)])
def test_all_that_match_are_streamed_in_batches(desk, user, monkeypatch, django_assert_num_queries, batch, queries):
    monkeypatch.setattr(bulk, "READ_SIZE", batch)
    devices = make_devices(user, 120)
    with django_assert_num_queries(queries):
        _response, rows = export(desk, devices[:1], select_across="1")
    assert [row["device_key"] for row in rows] == [device.device_key for device in devices[::-1]]


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", '=HYPERLINK("http://x")', "'=1"],
)
def test_no_cell_is_taken_for_a_formula(desk, user, name):
    (device,) = make_devices(user, 1, name=name)
    _response, rows = export(desk, [device])
    assert rows[0]["name"].startswith("'")
    assert rows[0]["name"].endswith(name.lstrip("'"))


@pytest.mark.parametrize("text", ["Kitchen laptop", "a=b", "3 - 2", "", "ключ"])
def test_other_text_stays_as_it_is(text):
    assert exporting.cell(text) == text


def test_what_is_missing_is_empty():
    assert exporting.cell(None) == ""


def test_the_help_desk_may_export(looking_desk, a_device):
    _response, rows = export(looking_desk, [a_device])
    assert len(rows) == 1


def test_no_column_is_secret_or_a_network_address():
    assert not {"last_ip", "user_agent", "grant_id"} & set(exporting.COLUMNS)
    assert set(exporting.COLUMNS) <= {field.name for field in Device._meta.concrete_fields} | {"description"}
