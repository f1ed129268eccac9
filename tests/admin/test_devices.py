"""The list of devices and the page of one."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import make_devices
from tests.factories import remembered
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.words import times

LIST = "/admin/trusted_devices/device/"


def listed(page):
    return [device.pk for device in page.context["cl"].result_list]


def test_the_list_says_whose_what_and_until_when(desk, a_device):
    text = desk.get(LIST).content.decode()
    assert "Kitchen laptop" in text
    assert "maria" in text
    assert "Remembered" in text
    assert "Trusted by its user" in text


def test_trust_that_has_passed_its_date_is_marked_before_the_sweep_has_run(desk, user, a_device):
    assert "ended</span>" not in desk.get(LIST).content.decode()
    Device.objects.update(trust_expires_at=timezone.now() - timedelta(seconds=1))
    assert "ended</span>" in desk.get(LIST).content.decode()


def test_the_pages_follow_the_key_there_and_back(desk, user):
    devices = [device.pk for device in make_devices(user, 120)][::-1]
    first = desk.get(LIST)
    assert listed(first) == devices[:50]
    assert not first.context["cl"].newer_url
    second = desk.get(LIST + first.context["cl"].older_url)
    assert listed(second) == devices[50:100]
    third = desk.get(LIST + second.context["cl"].older_url)
    assert listed(third) == devices[100:]
    assert not third.context["cl"].older_url
    back = desk.get(LIST + third.context["cl"].newer_url)
    assert listed(back) == devices[50:100]
    front = desk.get(LIST + back.context["cl"].newer_url)
    assert listed(front) == devices[:50]
    assert not front.context["cl"].newer_url
    assert listed(desk.get(LIST + third.context["cl"].newest_url)) == devices[:50]


def test_pages_keep_the_filters(desk, user):
    make_devices(user, 60)
    older = desk.get(LIST + "?status__exact=remembered").context["cl"].older_url
    assert "status__exact=remembered" in older


@pytest.mark.parametrize("page", ["abc", "-1", "older-", "older-x", "newer-" + "9" * 40, "older-" + "9" * 18])
def test_a_page_that_makes_no_sense_is_the_first(desk, a_device, page):
    assert listed(desk.get(LIST, {"p": page})) == [a_device.pk]


def test_counting_stops_where_it_no_longer_matters(desk, user):
    make_devices(user, 1001)
    text = desk.get(LIST).content.decode()
    assert "Select all that match (more than 1,000)" in text
    assert "devices: more than 1,000" in text
    assert "1001 selected" not in text


@pytest.mark.parametrize(("count", "queries"), [(1, 3), (40, 3), (60, 4), (300, 4)])
def test_the_list_asks_the_same_few_questions_whatever_it_holds(desk, user, django_assert_num_queries, count, queries):
    make_devices(user, count)
    with django_assert_num_queries(queries):
        desk.get(LIST)


def test_the_list_says_until_when_trust_counts_whatever_date_was_given(desk, user, settings, django_assert_num_queries):
    make_devices(user, 40)
    given = times.until(Device.objects.first().trust_expires_at, timezone.now())
    assert str(given) in desk.get(LIST).content.decode()
    user.groups.create(name="guests")
    options = {**settings.TRUSTED_DEVICES, "GROUP_MAX_PERIODS": {"guests": timedelta(minutes=1)}}
    settings.TRUSTED_DEVICES = options
    with django_assert_num_queries(4):
        text = desk.get(LIST).content.decode()
    assert str(given) not in text
    assert text.count(">ended<") == 40


def test_no_question_counts_or_sorts_the_whole_table(desk, user, django_assert_max_num_queries):
    make_devices(user, 60)
    with django_assert_max_num_queries(8) as captured:
        desk.get(LIST)
    statements = [query["sql"].replace("`", '"') for query in captured]
    about_devices = [sql for sql in statements if 'FROM "trusted_devices_device"' in sql]
    assert about_devices
    assert all("LIMIT" in sql for sql in about_devices)


def test_no_order_but_by_key_can_be_asked_for(desk, user):
    devices = [device.pk for device in make_devices(user, 3)]
    for order in ("1", "-5", "2.3", "99", "x"):
        assert listed(desk.get(LIST, {"o": order})) == devices[::-1]


@pytest.mark.parametrize("term", ["mar", "Maria", "maria@ex", "  maria "])
def test_search_finds_by_the_beginning_of_a_user_name_or_an_address(desk, user, other_user, a_device, term):
    make_devices(other_user, 1)
    assert listed(desk.get(LIST, {"q": term})) == [a_device.pk]


def test_search_finds_by_the_beginning_of_a_device_key(desk, user, a_device):
    make_devices(user, 2)
    assert listed(desk.get(LIST, {"q": a_device.device_key[:20]})) == [a_device.pk]


def test_search_finds_nothing_by_anything_else(desk, a_device):
    for term in ("aria", "example.com", "Kitchen", "%", "_", "\\", "'", "x" * 5000, "\x00"):
        page = desk.get(LIST, {"q": term})
        assert page.status_code == 200, term
        assert listed(page) in ([], [a_device.pk] if term == "\x00" else []), term


def test_search_goes_without_an_address_where_users_have_none(desk, user, a_device, monkeypatch):
    monkeypatch.setattr(type(user), "EMAIL_FIELD", "contact")
    assert listed(desk.get(LIST, {"q": "maria"})) == [a_device.pk]
    assert listed(desk.get(LIST, {"q": "maria@"})) == []


def test_search_never_looks_inside_the_columns_of_the_device_table(desk, a_device, django_assert_max_num_queries):
    with django_assert_max_num_queries(9) as captured:
        desk.get(LIST, {"q": "maria"})
    assert not [query["sql"] for query in captured if "LIKE '%" in query["sql"]]


def test_search_for_too_many_users_says_so(desk):
    model = get_user_model()
    users = model.objects.bulk_create([model(username=f"crowd{number}") for number in range(501)])
    make_devices(users[0], 1)
    assert "too many users" in desk.get(LIST, {"q": "crowd"}).content.decode()
    assert "too many users" not in desk.get(LIST, {"q": "crowd50"}).content.decode()


def test_filters_narrow_by_status_why_binding_expiry_and_use(desk, user):
    now = timezone.now()
    soon = remembered(user, expires_at=now + timedelta(days=5), last_authenticated_at=now - timedelta(hours=1))
    later = remembered(user, expires_at=now + timedelta(days=80), last_authenticated_at=now - timedelta(days=40))
    ended = remembered(user, expires_at=now - timedelta(days=1), last_authenticated_at=now - timedelta(days=20))
    stopped = remembered(
        user,
        expires_at=now + timedelta(days=5),
        status="not_remembered",
        status_reason="staff_stopped",
        binding="srp",
        last_authenticated_at=None,
    )
    forgotten_about = remembered(
        user, expires_at=now + timedelta(days=20), last_authenticated_at=now - timedelta(days=100)
    )
    for device in (soon, later, ended, stopped, forgotten_about):
        device.save()

    def found(**query):
        return set(listed(desk.get(LIST, query)))

    def keys(*devices):
        return {device.pk for device in devices}

    assert found(status__exact="not_remembered") == keys(stopped)
    assert found(status_reason__exact="staff_stopped") == keys(stopped)
    assert found(binding__exact="srp") == keys(stopped)
    assert found(expiring="7") == keys(soon)
    assert found(expiring="30") == keys(soon, forgotten_about)
    assert found(expiring="90") == keys(soon, forgotten_about, later)
    assert found(expiring="ended") == keys(ended)
    assert found(used="1") == keys(soon)
    assert found(used="30") == keys(soon, ended)
    assert found(used="more-30") == keys(later, forgotten_about)
    assert found(used="more-90") == keys(forgotten_about)
    assert found(used="never") == keys(stopped)
    assert found(user=str(user.pk)) == keys(soon, later, ended, stopped, forgotten_about)
    assert found(expiring="nonsense", used="nonsense") == keys(soon, later, ended, stopped, forgotten_about)


@pytest.mark.parametrize("query", [{"user": "x"}, {"status__exact": "x"}, {"user": "9" * 40}])
def test_a_filter_value_that_makes_no_sense_is_no_error(desk, a_device, query):
    assert desk.get(LIST, query).status_code in (200, 302)


def test_the_page_of_a_device_shows_its_facts_and_history(desk, a_device, live_session):
    DeviceEvent.objects.create(
        user=a_device.user, device=a_device, device_key=a_device.device_key, action="trust_refused", reason="risk"
    )
    text = desk.get(reverse("admin:trusted_devices_device_change", args=[a_device.pk])).content.decode()
    assert a_device.device_key in text
    assert "Trust refused" in text
    assert "Unusual sign-in" in text
    assert re.search(r"Live sessions:.*?<div class=\"readonly\">1</div>", text, re.DOTALL)


def test_the_page_of_a_device_says_what_policy_leaves_of_the_date(desk, settings, a_device):
    url = reverse("admin:trusted_devices_device_change", args=[a_device.pk])
    assert "ended</span>" not in desk.get(url).content.decode()
    settings.TRUSTED_DEVICES = {
        **settings.TRUSTED_DEVICES,
        "PERIODS": [timedelta(days=10)],
        "DEFAULT_PERIOD": timedelta(days=10),
        "MAX_PERIOD": timedelta(days=10),
    }
    assert "ended</span>" in desk.get(url).content.decode()


def test_the_page_of_a_device_costs_the_same_however_long_its_history(desk, a_device, django_assert_num_queries):
    url = reverse("admin:trusted_devices_device_change", args=[a_device.pk])

    def log(count):
        DeviceEvent.objects.bulk_create(
            DeviceEvent(user=a_device.user, device=a_device, actor=a_device.user, action="signed_in")
            for _ in range(count)
        )

    log(2)
    with django_assert_num_queries(6):  # session, user, device, history, content type, count of sessions
        desk.get(url)
    log(60)
    with django_assert_num_queries(5):  # content types are looked up once
        page = desk.get(url)
    assert len(page.context["history"]) == 25


def test_only_the_name_can_be_changed_and_the_log_says_by_whom(desk, operator, a_device):
    url = reverse("admin:trusted_devices_device_change", args=[a_device.pk])
    response = desk.post(url, {"name": " Office  laptop ", "status": "not_remembered", "device_key": "x"})
    assert response.status_code == 302
    stored = Device.objects.get()
    assert (stored.name, stored.status, stored.device_key) == ("Office laptop", "remembered", a_device.device_key)
    assert DeviceEvent.objects.get(action="renamed").actor == operator


@pytest.mark.parametrize("name", ["", "\u200b", "x" * 65, "x" * 5000, "a\u202eb", "\x07"])
def test_a_name_that_users_could_not_give_is_refused(desk, a_device, name):
    url = reverse("admin:trusted_devices_device_change", args=[a_device.pk])
    response = desk.post(url, {"name": name})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["name"]
    assert Device.objects.get().name == "Kitchen laptop"


def test_saving_without_a_change_logs_nothing(desk, user):
    (device,) = make_devices(user, 1)
    url = reverse("admin:trusted_devices_device_change", args=[device.pk])
    assert desk.post(url, {"name": ""}).status_code == 302
    assert not DeviceEvent.objects.exists()


@pytest.mark.parametrize("page", ["change", "delete", "stop_trusting", "shorten_trust", "history"])
def test_a_device_that_is_gone_or_never_was_leads_back_with_a_word(desk, a_device, page):
    for key in ("999999", "abc", "9" * 60, "x_2f"):
        response = desk.get(reverse(f"admin:trusted_devices_device_{page}", args=[key]), follow=True)
        assert response.status_code == 200, key
        assert response.redirect_chain, key
        assert list(response.context["messages"]), key


def test_a_device_forgotten_while_its_name_is_saved_is_no_error(desk, a_device, monkeypatch):
    from trusted_devices.admin.devices import DeviceForm

    clean = DeviceForm.clean_name

    def forgotten_meanwhile(form):
        Device.objects.all().delete()
        return clean(form)

    monkeypatch.setattr(DeviceForm, "clean_name", forgotten_meanwhile)
    url = reverse("admin:trusted_devices_device_change", args=[a_device.pk])
    response = desk.post(url, {"name": "Other"}, follow=True)
    assert response.status_code == 200
    assert "no such device" in response.content.decode()


def test_nobody_adds_a_device(desk):
    assert desk.get(LIST + "add/").status_code == 403


def test_the_help_desk_sees_but_cannot_edit(looking_desk, a_device):
    assert looking_desk.get(LIST).status_code == 200
    url = reverse("admin:trusted_devices_device_change", args=[a_device.pk])
    text = looking_desk.get(url).content.decode()
    assert "Latest activity" in text
    assert "stop-trusting" not in text
    assert looking_desk.post(url, {"name": "Mine"}).status_code == 403
    assert Device.objects.get().name == "Kitchen laptop"


def test_the_history_of_a_device_is_its_part_of_the_activity_log(desk, a_device, user):
    other = make_devices(user, 1)[0]
    for device in (a_device, other):
        DeviceEvent.objects.create(user=user, device=device, device_key=device.device_key, action="signed_in")
    page = desk.get(reverse("admin:trusted_devices_device_history", args=[a_device.pk]), follow=True)
    assert [event.device_id for event in page.context["cl"].result_list] == [a_device.pk]


def test_deleting_from_code_forgets(desk, operator, rf, a_device, live_session):
    from django.contrib import admin

    from tests.admin.conftest import is_signed_in

    request = rf.get("/")
    request.user = operator
    model_admin = admin.site.get_model_admin(Device)
    model_admin.delete_model(request, a_device)
    assert not is_signed_in(live_session)
    again = make_devices(a_device.user, 2)
    model_admin.delete_queryset(request, Device.objects.all())
    assert DeviceEvent.objects.filter(action="forgotten", actor=operator).count() == 1 + len(again)
