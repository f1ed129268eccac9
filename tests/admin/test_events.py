"""The activity log in the admin."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import grant, signed_in
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices
from trusted_devices.types import By

LOG = "/admin/trusted_devices/deviceevent/"


def listed(page):
    return [event.pk for event in page.context["cl"].result_list]


def make_events(user, count, **fields):
    values = {"action": "signed_in", "reason": "mfa"} | fields
    return DeviceEvent.objects.bulk_create([DeviceEvent(user=user, **values) for _ in range(count)])


def test_the_log_says_who_did_what_to_which_device_and_why(desk, operator, a_device):
    devices.forget([a_device], by=By(actor=operator, note="ticket 7"))
    text = desk.get(LOG).content.decode()
    for words in ("maria", "olga", "Forgotten", "Remembered", "ticket 7", a_device.device_key):
        assert words in text


def test_the_log_names_the_device_while_there_is_one(desk, user, a_device):
    make_events(user, 1, device=a_device, device_key=a_device.device_key)
    assert "Kitchen laptop" in desk.get(LOG).content.decode()


@pytest.mark.parametrize(("count", "queries"), [(1, 3), (40, 3), (60, 4), (300, 4)])
def test_the_log_costs_the_same_whatever_it_holds(desk, user, a_device, django_assert_num_queries, count, queries):
    make_events(user, count, device=a_device, actor=user)
    with django_assert_num_queries(queries) as captured:
        desk.get(LOG)
    statements = [query["sql"].replace("`", '"') for query in captured]
    about_events = [sql for sql in statements if 'FROM "trusted_devices_deviceevent"' in sql]
    assert about_events
    assert all("LIMIT" in sql for sql in about_events)


def test_filters_narrow_by_action_reason_and_age(desk, user):
    now = timezone.now()
    (old,) = make_events(user, 1, created_at=now - timedelta(days=40))
    (refused,) = make_events(user, 1, action="trust_refused", reason="risk")
    assert listed(desk.get(LOG, {"action__exact": "trust_refused"})) == [refused.pk]
    assert listed(desk.get(LOG, {"reason": "risk"})) == [refused.pk]
    assert listed(desk.get(LOG, {"when": "7"})) == [refused.pk]
    assert listed(desk.get(LOG, {"when": "90"})) == [refused.pk, old.pk]
    assert listed(desk.get(LOG, {"when": "x", "reason": ""})) == [refused.pk, old.pk]


def test_search_finds_by_user_and_by_device_also_a_forgotten_one(desk, user, other_user, a_device):
    (by_user,) = make_events(other_user, 1)
    (by_device,) = make_events(None, 1, device=a_device, device_key=a_device.device_key)
    (forgotten,) = make_events(None, 1, device_key="local_gone")
    assert listed(desk.get(LOG, {"q": "tom@"})) == [by_user.pk]
    assert listed(desk.get(LOG, {"q": a_device.device_key[:15]})) == [by_device.pk]
    assert listed(desk.get(LOG, {"q": "local_gone"})) == [forgotten.pk]
    assert listed(desk.get(LOG, {"q": "nobody"})) == []


def test_an_entry_can_be_read_but_by_nobody_written(desk, user):
    (event,) = make_events(user, 1, user_agent="Mozilla/5.0", note="as it was")
    url = reverse("admin:trusted_devices_deviceevent_change", args=[event.pk])
    page = desk.get(url)
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert desk.post(url, {"note": "rewritten"}).status_code == 403
    assert desk.post(reverse("admin:trusted_devices_deviceevent_delete", args=[event.pk])).status_code == 403
    assert desk.get(LOG + "add/").status_code == 403
    assert desk.post(LOG, {"action": "delete_selected", "_selected_action": [event.pk]}).status_code in (200, 302)
    assert DeviceEvent.objects.get().note == "as it was"


def test_the_log_has_a_permission_of_its_own(help_desk, a_device):
    help_desk.user_permissions.clear()
    grant(help_desk, "view_device")
    client = signed_in(help_desk)
    assert client.get(LOG).status_code == 403
    page = client.get(reverse("admin:trusted_devices_device_change", args=[a_device.pk]))
    assert page.status_code == 200
    assert "Latest activity" not in page.content.decode()


def test_an_entry_outlives_user_and_device(desk, user, a_device):
    make_events(user, 1, device=a_device, device_key=a_device.device_key)
    Device.objects.all().delete()
    user.delete()
    page = desk.get(LOG)
    assert page.status_code == 200
    assert a_device.device_key in page.content.decode()
