"""What staff do to devices, from the list and from the page of one, up to its effect on the people concerned."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp as totp_code

from tests.admin.conftest import grant, is_signed_in, make_devices, signed_in
from tests.factories import remembered
from tests.services.owner import Elsewhere
from trusted_devices.models import Device, DeviceEvent, DeviceSession
from trusted_devices.owners.base import DeviceOwner

LIST = "/admin/trusted_devices/device/"
ACTS = ("forget", "stop_trusting", "shorten_trust")


def choose(client, act, devices, url=LIST, **more):
    """Run an action on the list, as far as the page that asks once more."""
    return client.post(
        url, {"action": act, "_selected_action": [device.pk for device in devices], "index": "0", **more}
    )


def confirm(client, page, url=LIST, **fields):
    """Send the form of ``page``, filled in with ``fields``."""
    return client.post(url, form_of(page) | {"confirm": "1"} | fields, follow=True)


def form_of(page):
    fields = {}
    for name, value in page.context["hidden"]:
        fields.setdefault(name, []).append(value)
    if "form" in page.context:
        fields |= {field.name: field.value() or "" for field in page.context["form"].hidden_fields()}
    else:
        fields |= dict(page.context["fields"])
    return fields


def words(response):
    return " ".join(str(message) for message in response.context["messages"])


def local(moment):
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def sign_in(client, totp):
    """Sign the user of ``totp`` in with password and code as far as it takes; return the steps that were asked."""
    response = client.post(
        reverse("trusted_devices:sign_in"), {"username": "maria", "password": "correct horse"}, follow=True
    )
    steps = [response.request["PATH_INFO"]]
    if steps[-1] == reverse("trusted_devices:sign_in_code"):
        totp.refresh_from_db()
        totp.throttle_reset()
        totp.last_t = -1
        totp.save()
        code = f"{totp_code(totp.bin_key):06d}"
        response = client.post(steps[-1], {"code": code}, follow=True)
        steps.append(response.request["PATH_INFO"])
    return steps


@pytest.fixture
def trusting_browser(client, user, totp):
    """A browser whose user trusts it and is signed in from it."""
    steps = sign_in(client, totp)
    assert steps[-1] == reverse("trusted_devices:sign_in_trust")
    page = client.get(steps[-1])
    period = page.context["form"].fields["period"].choices[0][0]
    client.post(steps[-1], {"period": period, "trust": "1"})
    assert Device.objects.remembered().count() == 1
    assert is_signed_in(client)
    return client


@pytest.mark.parametrize("act", ["forget", "stop_trusting"])
def test_the_person_is_signed_out_and_asked_for_mfa_at_the_next_sign_in(desk, trusting_browser, totp, act):
    trusting_browser.post(reverse("trusted_devices:sign_out"))
    assert sign_in(trusting_browser, totp) == [reverse("home")]
    page = choose(desk, act, Device.objects.all())
    confirm(desk, page)
    assert not is_signed_in(trusting_browser)
    assert sign_in(trusting_browser, totp)[0] == reverse("trusted_devices:sign_in_code")


def test_forgetting_removes_the_device_and_the_log_says_who_and_why(desk, operator, user, a_device, live_session):
    page = choose(desk, "forget", [a_device])
    assert Device.objects.exists()
    response = confirm(desk, page, note="stolen, ticket 7")
    assert not Device.objects.exists()
    assert not is_signed_in(live_session)
    event = DeviceEvent.objects.get()
    assert (event.action, event.actor, event.note, event.user) == ("forgotten", operator, "stolen, ticket 7", user)
    assert (event.device_key, event.reason) == (a_device.device_key, "remembered")
    assert "1 device was forgotten" in words(response)


def test_marking_as_not_remembered_keeps_the_device(desk, operator, a_device, live_session):
    confirm(desk, choose(desk, "stop_trusting", [a_device]), note="left the company")
    device = Device.objects.get()
    assert (device.status, device.status_reason) == ("not_remembered", "staff_stopped")
    assert not is_signed_in(live_session)
    event = DeviceEvent.objects.get()
    assert (event.action, event.actor, event.note) == ("not_remembered", operator, "left the company")


def test_shortening_moves_the_date_and_signs_nobody_out(desk, operator, a_device, live_session):
    until = timezone.now().replace(second=0, microsecond=0) + timedelta(days=3)
    confirm(desk, choose(desk, "shorten_trust", [a_device]), until=local(until))
    device = Device.objects.get()
    assert (device.status, device.trust_expires_at) == ("remembered", until)
    assert is_signed_in(live_session)
    event = DeviceEvent.objects.get()
    assert (event.action, event.actor) == ("shortened", operator)


def test_shortening_leaves_alone_what_ends_sooner(desk, user, a_device):
    now = timezone.now().replace(second=0, microsecond=0)
    sooner = remembered(user, expires_at=now + timedelta(days=1))
    sooner.save()
    response = confirm(desk, choose(desk, "shorten_trust", [a_device, sooner]), until=local(now + timedelta(days=3)))
    sooner.refresh_from_db()
    assert sooner.trust_expires_at == now + timedelta(days=1)
    assert "trust in 1 device was shortened" in words(response)


@pytest.mark.parametrize(
    "until", ["", "yesterday", "2026-13-45T99:99", "9999-12-31T23:59", "2001-01-01", "0001-01-01T00:00"]
)
def test_a_date_that_is_wrong_past_or_later_than_the_present_one_is_refused(desk, a_device, until):
    page = confirm(desk, choose(desk, "shorten_trust", [a_device]), until=until)
    assert page.status_code == 200
    assert page.context["form"].errors["until"]
    assert Device.objects.get().trust_expires_at == a_device.trust_expires_at
    assert not DeviceEvent.objects.exists()


def test_there_is_no_trust_to_shorten_in_a_device_that_is_not_remembered(desk, user):
    (device,) = make_devices(user, 1, status="not_remembered")
    page = confirm(desk, choose(desk, "shorten_trust", [device]), until=local(timezone.now() + timedelta(days=1)))
    assert page.context["form"].errors["until"]


@pytest.mark.parametrize("act", ACTS)
def test_nothing_happens_before_it_is_confirmed(desk, user, a_device, live_session, act):
    assert choose(desk, act, [a_device]).status_code == 200
    assert desk.get(LIST).status_code == 200
    device = Device.objects.get()
    assert (device.status, device.trust_expires_at) == ("remembered", a_device.trust_expires_at)
    assert is_signed_in(live_session)
    assert not DeviceEvent.objects.exists()


def test_the_page_says_how_many_devices_users_and_sessions_are_touched(desk, user, other_user, a_device, live_session):
    make_devices(other_user, 2, status="not_remembered")
    page = choose(desk, "forget", Device.objects.all())
    assert dict(page.context["facts"]) == {
        "Devices": 3,
        "of which remembered": 1,
        "Users": 2,
        "Live sessions that end": 1,
    }
    assert "Kitchen laptop" in page.content.decode()


def test_the_page_names_only_the_first_of_many(desk, user):
    devices = make_devices(user, 13)
    page = choose(desk, "forget", devices)
    assert len(page.context["sample"]) == 10
    assert "and 3 more" in page.content.decode()


@pytest.mark.parametrize("act", ACTS)
def test_the_page_costs_the_same_however_many_are_chosen(desk, user, act, django_assert_num_queries):
    devices = make_devices(user, 40)
    for chosen in (devices[:1], devices):
        with django_assert_num_queries(6):
            choose(desk, act, chosen)


def test_a_device_forgotten_in_between_is_no_error(desk, user, a_device):
    page = choose(desk, "stop_trusting", [a_device])
    Device.objects.all().delete()
    assert "0 devices are no longer remembered" in words(confirm(desk, page))
    assert "no such device" in words(desk.get(choose(desk, "stop_trusting", [a_device]).url))


def test_acting_without_a_selection_changes_nothing(desk, a_device):
    response = desk.post(LIST, {"action": "forget", "index": "0"}, follow=True)
    assert "Items must be selected" in words(response)
    assert Device.objects.exists()


@pytest.mark.parametrize("key", ["abc", "", "9" * 40, "-1", "\u0661"])
def test_a_selection_that_makes_no_sense_changes_nothing(desk, a_device, key):
    response = desk.post(LIST, {"action": "forget", "_selected_action": [key], "index": "0"}, follow=True)
    assert response.status_code == 200
    assert Device.objects.exists()


def test_an_unknown_action_changes_nothing(desk, a_device):
    for action in ("delete_selected", "nonsense", ""):
        response = choose(desk, action, [a_device])
        assert response.status_code in (200, 302)
    assert Device.objects.exists()


@pytest.mark.parametrize("field", ["newest", "after", "total", "seen", "changed"])
def test_numbers_that_nobody_sent_are_refused(desk, a_device, field):
    for value in ("x", "-1", "9" * 40):
        page = confirm(desk, choose(desk, "forget", [a_device]), **{field: value})
        assert page.status_code == 200, value
        assert page.context["form"].errors[field], value
        assert Device.objects.exists(), value


def test_a_reason_is_kept_short_and_plain(desk, a_device):
    page = confirm(desk, choose(desk, "forget", [a_device]), note="x" * 256)
    assert page.context["form"].errors["note"]
    confirm(desk, choose(desk, "forget", [a_device]), note="one\ntwo\x1b[31m")
    assert "\x1b" not in DeviceEvent.objects.get().note


def test_all_that_match_are_found_again_by_the_filters(desk, user, other_user):
    kept = make_devices(other_user, 3)
    make_devices(user, 120)
    url = f"{LIST}?user={user.pk}"
    first = desk.get(url).context["cl"].result_list
    page = choose(desk, "forget", first, url, select_across="1")
    assert page.context["touched"].devices == 120
    confirm(desk, page, url)
    assert set(Device.objects.all()) == set(kept)


def test_devices_that_come_after_the_question_are_not_touched(desk, user):
    make_devices(user, 3)
    page = choose(desk, "forget", Device.objects.all()[:1], select_across="1")
    later = make_devices(user, 1)
    confirm(desk, page)
    assert list(Device.objects.all()) == later


@pytest.fixture
def small_steps(monkeypatch):
    """Two batches of three devices a request."""
    monkeypatch.setattr("trusted_devices.admin.bulk_operations.BATCHES_PER_REQUEST", 2)
    monkeypatch.setattr(DeviceOwner, "batch_size", 3)


def test_what_one_request_cannot_do_goes_on_page_by_page(desk, user, small_steps):
    make_devices(user, 14)
    url = f"{LIST}?status__exact=remembered"
    page = choose(desk, "stop_trusting", Device.objects.all()[:1], url, select_across="1")
    seen = []
    page = confirm(desk, page, url, note="all of them")
    while "act" in page.context:
        seen.append((page.context["act"].seen, Device.objects.remembered().count()))
        assert f"{page.context['act'].seen} of 14 devices done" in page.content.decode()
        page = confirm(desk, page, url)
    assert seen == [(6, 8), (12, 2)]
    assert "14 devices are no longer remembered" in words(page)
    assert DeviceEvent.objects.filter(action="not_remembered", note="all of them").count() == 14


def test_shortening_goes_on_with_the_same_date(desk, user, small_steps):
    make_devices(user, 8)
    until = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    page = confirm(desk, choose(desk, "shorten_trust", Device.objects.all()[:1], select_across="1"), until=local(until))
    page = confirm(desk, page)
    assert "trust in 8 devices was shortened" in words(page)
    assert set(Device.objects.values_list("trust_expires_at", flat=True)) == {until}


def test_an_owner_that_cannot_be_reached_stops_the_act_and_says_so(desk, user, settings, monkeypatch):
    Elsewhere.forget_everything()
    settings.TRUSTED_DEVICES = {**settings.TRUSTED_DEVICES, "BACKEND": "tests.services.owner.ELSEWHERE"}
    monkeypatch.setattr(Elsewhere, "batch_size", 3)
    make_devices(user, 5)
    Elsewhere.away.add(Device.objects.order_by("pk")[3].device_key)
    response = confirm(desk, choose(desk, "forget", Device.objects.all()))
    assert "stopped before its end (backend_unavailable)" in words(response)
    assert "3 devices were forgotten" in words(response)
    assert Device.objects.count() == 2


@pytest.mark.parametrize("act", ACTS)
def test_the_help_desk_may_look_but_not_act(looking_desk, a_device, act):
    page = looking_desk.get(LIST)
    assert [name for name, _words in page.context["action_form"].fields["action"].choices] == ["", "export_csv"]
    choose(looking_desk, act, [a_device])
    looking_desk.post(LIST, {"action": act, "_selected_action": [a_device.pk], "confirm": "1"})
    assert Device.objects.get().status == "remembered"
    assert not DeviceEvent.objects.exists()


@pytest.mark.parametrize("page", ["delete", "stop_trusting", "shorten_trust"])
def test_the_pages_of_one_device_ask_for_the_same_permissions(looking_desk, a_device, page):
    url = reverse(f"admin:trusted_devices_device_{page}", args=[a_device.pk])
    assert looking_desk.get(url).status_code == 403
    assert looking_desk.post(url, {"confirm": "1"}).status_code == 403
    assert Device.objects.get().status == "remembered"


def test_forgetting_needs_the_permission_to_delete_and_stopping_that_to_change(help_desk, a_device):
    grant(help_desk, "change_device")
    client = signed_in(help_desk)
    assert client.get(reverse("admin:trusted_devices_device_delete", args=[a_device.pk])).status_code == 403
    assert client.get(reverse("admin:trusted_devices_device_stop_trusting", args=[a_device.pk])).status_code == 200
    choices = client.get(LIST).context["action_form"].fields["action"].choices
    assert [name for name, _words in choices] == ["", "stop_trusting", "shorten_trust", "export_csv"]


@pytest.mark.parametrize("page", ["delete", "stop_trusting", "shorten_trust", "change", "history"])
def test_people_who_are_no_staff_are_sent_away(client, user, a_device, page):
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    url = reverse(f"admin:trusted_devices_device_{page}", args=[a_device.pk])
    response = client.post(url, {"confirm": "1"})
    assert response.status_code == 302
    assert Device.objects.get().status == "remembered"


def test_the_delete_page_of_a_device_forgets_it(desk, operator, a_device, live_session):
    url = reverse("admin:trusted_devices_device_delete", args=[a_device.pk])
    page = desk.get(url)
    assert dict(page.context["facts"])["Live sessions that end"] == 1
    desk.post(url, {"post": "yes"})
    assert Device.objects.exists()
    response = confirm(desk, page, url)
    assert response.request["PATH_INFO"] == LIST
    assert not Device.objects.exists()
    assert not is_signed_in(live_session)
    assert DeviceEvent.objects.get(action="forgotten").actor == operator


def test_the_page_of_a_device_offers_the_acts_and_comes_back_to_it(desk, a_device):
    change = reverse("admin:trusted_devices_device_change", args=[a_device.pk])
    text = desk.get(change).content.decode()
    for page in ("delete", "stop_trusting", "shorten_trust"):
        assert reverse(f"admin:trusted_devices_device_{page}", args=[a_device.pk]) in text
    url = reverse("admin:trusted_devices_device_stop_trusting", args=[a_device.pk])
    assert confirm(desk, desk.get(url), url).request["PATH_INFO"] == change


def test_an_act_without_csrf_token_is_refused(operator, a_device):
    client = signed_in(operator)
    client.handler.enforce_csrf_checks = True
    url = reverse("admin:trusted_devices_device_delete", args=[a_device.pk])
    assert client.post(url, {"confirm": "1"}).status_code == 403
    assert Device.objects.exists()


def test_a_user_deleted_in_between_is_no_error(desk, user, a_device):
    page = choose(desk, "forget", [a_device])
    get_user_model().objects.filter(pk=user.pk).delete()
    assert confirm(desk, page).status_code == 200
    assert not DeviceSession.objects.exists()
