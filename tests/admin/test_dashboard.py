"""The dashboard: what it says, what it costs, and that it needs neither scripts nor inline code."""

import json
import re
from datetime import timedelta
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import FileSystemStorage
from django.utils import timezone

from tests.admin.conftest import make_devices, signed_in
from tests.factories import remembered
from trusted_devices.models import DeviceEvent

DASHBOARD = "/admin/trusted_devices/device/dashboard/"
STATIC_FILES = (
    "trusted_devices/admin.css",
    "trusted_devices/admin-dashboard.js",
    "trusted_devices/admin-progress.js",
    "trusted_devices/vendor/chartjs/chart.umd.min.js",
)


def chart(page, chart_id):
    return next(chart for chart in page.context["charts"] if chart.id == chart_id)


def test_it_counts_devices_and_what_expires(desk, user):
    now = timezone.now()
    make_devices(user, 2)
    make_devices(user, 1, status="not_remembered")
    remembered(user, expires_at=now + timedelta(days=3)).save()
    page = desk.get(DASHBOARD)
    assert (page.context["remembered"], page.context["not_remembered"]) == (3, 1)
    assert dict(page.context["expiring"]) == {7: 1, 30: 3, 60: 3, 90: 3}
    assert sum(chart(page, "expiring").series[0].values) == 3


def test_it_says_how_far_behind_the_sweep_is(desk, user):
    assert "for up to" not in desk.get(DASHBOARD).content.decode()
    remembered(user, expires_at=timezone.now() - timedelta(hours=3)).save()
    assert "for up to 3" in desk.get(DASHBOARD).content.decode()


def test_it_shows_why_trust_was_given_and_refused(desk, user):
    for action, reason, count in (
        ("remembered", "user_trusted", 2),
        ("trust_refused", "risk", 1),
        ("trust_refused", "expired", 3),
    ):
        DeviceEvent.objects.bulk_create(DeviceEvent(user=user, action=action, reason=reason) for _ in range(count))
    page = desk.get(DASHBOARD)
    assert chart(page, "trusted").rows == [("Trusted by its user", (2,))]
    assert chart(page, "refused").rows == [("Trust has ended", (3,)), ("Unusual sign-in", (1,))]
    assert chart(page, "over-time").rows[-1][1][1] == 2


def test_each_chart_has_a_table_that_says_the_same(desk, user):
    make_devices(user, 2)
    DeviceEvent.objects.create(user=user, action="trust_refused", reason="risk")
    page = desk.get(DASHBOARD)
    text = page.content.decode()
    drawn = json.loads(re.search(r'<script id="td-chart-data" type="application/json">(.*?)</script>', text)[1])
    assert {one["id"] for one in drawn} == {"over-time", "expiring", "refused"}
    for one in drawn:
        section = text.split(f'<h2 id="td-{one["id"]}-title"')[1].split("<h2")[0]
        rows = re.findall(r'<th scope="row">(.*?)</th>((?:<td>\d+</td>)+)', section)
        assert [label for label, _cells in rows] == one["labels"]
        cells = [[int(cell) for cell in re.findall(r"\d+", values)] for _label, values in rows]
        assert [list(column) for column in zip(*cells, strict=True)] == [series["values"] for series in one["series"]]


def test_an_empty_site_has_an_empty_dashboard(desk):
    text = desk.get(DASHBOARD).content.decode()
    assert text.count("Nothing yet.") == 5
    assert "<canvas" not in text


def test_names_of_users_are_escaped(desk, user):
    user.username = "</script><b>x"
    user.save()
    make_devices(user, 1)
    assert "<b>x" not in desk.get(DASHBOARD).content.decode()


def test_it_costs_the_same_whatever_there_is(desk, user, other_user, django_assert_num_queries):
    make_devices(user, 1)
    with django_assert_num_queries(13):
        desk.get(DASHBOARD)
    make_devices(other_user, 200)
    DeviceEvent.objects.bulk_create(DeviceEvent(user=user, action="remembered") for _ in range(200))
    with django_assert_num_queries(13) as captured:
        desk.get(DASHBOARD)
    about_devices = [query["sql"] for query in captured if "trusted_devices_device" in query["sql"]]
    assert all("COUNT(" in sql or "LIMIT" in sql for sql in about_devices)


def test_it_needs_the_permission_to_view_devices(help_desk):
    assert signed_in(help_desk).get(DASHBOARD).status_code == 200
    help_desk.user_permissions.clear()
    assert signed_in(help_desk).get(DASHBOARD).status_code == 403


def test_no_page_of_the_console_has_inline_code_or_asks_another_host(desk, user, a_device):
    pages = [
        DASHBOARD,
        "/admin/trusted_devices/device/",
        f"/admin/trusted_devices/device/{a_device.pk}/change/",
        f"/admin/trusted_devices/device/{a_device.pk}/shorten-trust/",
        "/admin/trusted_devices/deviceevent/",
    ]
    for url in pages:
        text = desk.get(url).content.decode()
        assert not re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>", text), url
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=\"", text), url
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', text), url


def test_the_static_files_are_there_with_the_licence_of_what_others_wrote():
    for name in (*STATIC_FILES, "trusted_devices/vendor/chartjs/LICENSE.md"):
        assert finders.find(name), name


def test_the_static_files_can_be_hashed(tmp_path):
    class Storage(ManifestFilesMixin, FileSystemStorage):
        pass

    for name in STATIC_FILES:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(finders.find(name)).read_bytes())
    storage = Storage(location=tmp_path, base_url="/static/")
    processed = list(storage.post_process({name: (storage, name) for name in STATIC_FILES}))
    assert not [outcome for outcome in processed if isinstance(outcome[2], Exception)]
