"""Devices on the page of their user, in an admin site that has another name than Django's own."""

import pytest
from django.contrib.auth.models import Permission

from tests.admin.conftest import grant, is_signed_in, make_devices, signed_in
from trusted_devices.models import Device, DeviceEvent

pytestmark = pytest.mark.urls("tests.admin.console")


def page_of(user):
    return f"/console/auth/user/{user.pk}/change/"


def forget_page_of(user):
    return f"/console/auth/user/{user.pk}/forget-devices/"


def test_the_page_of_a_user_lists_the_devices_and_leads_to_each(desk, a_device, user):
    text = desk.get(page_of(user)).content.decode()
    assert "Kitchen laptop" in text
    assert f"/console/trusted_devices/device/{a_device.pk}/change/" in text
    assert forget_page_of(user) in text


def test_the_page_of_a_user_costs_the_same_however_many_devices(desk, user, django_assert_num_queries):
    make_devices(user, 1)
    with django_assert_num_queries(9):
        desk.get(page_of(user))
    make_devices(user, 40)
    with django_assert_num_queries(8):  # content types are looked up once
        desk.get(page_of(user))


def test_a_user_without_devices_has_nothing_to_forget(desk, user):
    text = desk.get(page_of(user)).content.decode()
    assert "No devices." in text
    assert forget_page_of(user) not in text


def test_a_new_user_has_no_devices_to_show(desk):
    assert "Trusted devices</h2>" not in desk.get("/console/auth/user/add/").content.decode()


def test_saving_the_user_leaves_the_devices_alone(desk, user, a_device):
    form = desk.get(page_of(user)).context["adminform"].form
    fields = {name: form.initial.get(name) for name in ("username", "email", "first_name", "last_name")}
    joined = form.initial["date_joined"]
    fields |= {"date_joined_0": joined.date().isoformat(), "date_joined_1": joined.time().strftime("%H:%M:%S")}
    fields |= {"is_active": "on", "trusted_devices-TOTAL_FORMS": "1", "trusted_devices-INITIAL_FORMS": "1"}
    response = desk.post(page_of(user), fields | {"first_name": "Maria", "trusted_devices-0-name": "Mine"})
    assert response.status_code == 302, response.context["errors"]
    user.refresh_from_db()
    assert user.first_name == "Maria"
    assert Device.objects.get().name == "Kitchen laptop"


def test_all_devices_of_a_user_are_forgotten_after_one_more_question(desk, operator, user, other_user, live_session):
    (kept,) = make_devices(other_user, 1)
    make_devices(user, 2)
    page = desk.get(forget_page_of(user))
    assert dict(page.context["facts"])["Devices"] == 3
    assert Device.objects.count() == 4
    response = desk.post(forget_page_of(user), {"confirm": "1", "note": "left"}, follow=True)
    assert response.request["PATH_INFO"] == page_of(user)
    assert list(Device.objects.all()) == [kept]
    assert not is_signed_in(live_session)
    assert DeviceEvent.objects.filter(action="forgotten", actor=operator, note="left").count() == 3


@pytest.mark.parametrize("key", ["99999", "abc", "9" * 40])
def test_an_unknown_user_is_not_found(desk, key):
    assert desk.get(f"/console/auth/user/{key}/forget-devices/").status_code == 404


def test_forgetting_all_needs_the_permission_to_delete_devices(help_desk, user, a_device):
    help_desk.user_permissions.add(Permission.objects.get(codename="view_user"))
    client = signed_in(help_desk)
    text = client.get(page_of(user)).content.decode()
    assert "Kitchen laptop" in text
    assert "Forget all devices" not in text
    assert client.post(forget_page_of(user), {"confirm": "1"}).status_code == 403
    grant(help_desk, "delete_device")
    assert "Forget all devices" in signed_in(help_desk).get(page_of(user)).content.decode()


def test_forgetting_all_needs_a_look_at_the_user_too(help_desk, user, a_device):
    grant(help_desk, "delete_device")
    assert signed_in(help_desk).post(forget_page_of(user), {"confirm": "1"}).status_code == 403
    assert Device.objects.exists()


def test_staff_without_a_look_at_devices_do_not_see_them(help_desk, user, a_device):
    help_desk.user_permissions.set([Permission.objects.get(codename="view_user")])
    text = signed_in(help_desk).get(page_of(user)).content.decode()
    assert "Kitchen laptop" not in text


def test_acts_stay_within_their_admin_site(desk, a_device):
    change = f"/console/trusted_devices/device/{a_device.pk}/change/"
    text = desk.get(change).content.decode()
    assert f"/console/trusted_devices/device/{a_device.pk}/stop-trusting/" in text
    assert '"/admin/' not in text
    response = desk.post(change.replace("change", "stop-trusting"), {"confirm": "1"}, follow=True)
    assert response.request["PATH_INFO"] == change
    assert '"/admin/' not in desk.get("/console/trusted_devices/device/dashboard/").content.decode()
