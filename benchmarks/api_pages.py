"""Lists of all devices, in the API and in the admin: first and thousandth page, beside the bare indexed query for each.

``python -m benchmarks.api_pages --devices 1000000`` on the database that ``TEST_DATABASE`` names (a scratch one of it).
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

from benchmarks.timing import measure

ROUNDS = 60
PAGE_SIZE = 50
PAGES = 1000
DEVICES = 100_000
DEVICES_PER_USER = 10
BATCH = 5000


def main(devices: int = DEVICES) -> None:
    """Print medians and ratios for ``devices`` devices; contenders take turns, so that a busy machine slows all."""
    from django.db import connection

    _populate(devices)
    print(f"A page of {PAGE_SIZE} of {devices:,} devices on {connection.vendor}, median of {ROUNDS}:")
    print("  list                        page      bare query    answered     ratio")
    last = min(PAGES, devices // PAGE_SIZE)
    for name, make in (
        ("API, -added", partial(_api, "-added")),
        ("API, trust_expires_at", partial(_api, "trust_expires_at")),
        ("admin", _changelist),
    ):
        contenders = {}
        for page in (1, last):
            contenders[f"query {page}"], contenders[f"answer {page}"] = make(page)
        medians = {name: statistics.median(took) for name, took in measure(contenders, ROUNDS).items()}
        for page in (1, last):
            query, answer = medians[f"query {page}"] * 1000, medians[f"answer {page}"] * 1000
            print(f"  {name:<26} {page:>5} {query:>11.2f} ms {answer:>8.2f} ms {answer / query:>9.2f}")
        print(f"  page {last} takes {medians[f'answer {last}'] / medians['answer 1']:.2f} times as long as the first")


def _populate(devices: int) -> None:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.utils import timezone

    from trusted_devices.models import Device
    from trusted_devices.types import DeviceStatus

    model, now, period = get_user_model(), timezone.now(), timedelta(days=60)
    names = [f"user{number}" for number in range(max(devices // DEVICES_PER_USER, 1))]
    model.objects.bulk_create((model(username=name, password="!") for name in names), batch_size=BATCH)
    users = list(model.objects.filter(username__in=names[:1]) if len(names) == 1 else model.objects.order_by("pk"))
    for start in range(0, devices, BATCH):
        Device.objects.bulk_create(
            Device(
                user=users[number % len(users)],
                device_key=f"bench_{number:08d}-0000-4000-8000-000000000000",
                device_group_key="-benchmrk",
                status=DeviceStatus.REMEMBERED,
                confirmed_at=now,
                trust_granted_at=now,
                trust_period=period,
                trust_expires_at=now + timedelta(seconds=(number * 7919) % (60 * 86400)),
                user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
            )
            for number in range(start, min(start + BATCH, devices))
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE trusted_devices_device" if connection.vendor == "mysql" else "ANALYZE")


def _api(ordering: str, page: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return the bare query of a page and the API's answer with the same page."""
    from rest_framework.test import APIRequestFactory, force_authenticate

    from trusted_devices.api.pagination import dump
    from trusted_devices.api.staff import Devices
    from trusted_devices.keyset import Place
    from trusted_devices.models import Device

    column = "pk" if ordering.endswith("added") else ordering.lstrip("-")
    sign, past = ("-", "lt") if ordering.startswith("-") else ("", "gt")
    found = Device.objects.remembered().select_related("user").order_by(f"{sign}{column}", f"{sign}pk")
    query = {"ordering": ordering, "status": "remembered", "page_size": PAGE_SIZE}
    if page > 1:
        before = found[(page - 1) * PAGE_SIZE - 1]
        value = getattr(before, column)
        query["cursor"] = dump(ordering, Place(value, before.pk))
        found = found.filter(**{f"{column}__{past}": value})
    request = APIRequestFactory().get("/api/admin/devices/", query)
    force_authenticate(request, user=_staff())
    view = Devices.as_view({"get": "list"}, throttle_classes=[])

    def bare() -> None:
        assert len(found.all()[: PAGE_SIZE + 1]) >= PAGE_SIZE

    def api() -> None:
        response = view(request).render()
        assert response.status_code == 200, response.content
        assert len(response.data["results"]) == PAGE_SIZE

    return bare, api


def _changelist(page: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return the bare query of a page and the admin's answer with the same page, rendered."""
    from django.contrib.admin import site
    from django.test import RequestFactory

    from trusted_devices.models import Device

    found = Device.objects.select_related("user").order_by("-pk")
    query = {}
    if page > 1:
        before = found.values_list("pk", flat=True)[(page - 1) * PAGE_SIZE - 1]
        query["p"] = f"older-{before}"
        found = found.filter(pk__lt=before)
    request = RequestFactory().get("/admin/trusted_devices/device/", query)
    request.user, request.session = _staff(), {}
    view = site.get_model_admin(Device).changelist_view

    def bare() -> None:
        assert len(found.all()[: PAGE_SIZE + 1]) >= PAGE_SIZE

    def admin() -> None:
        response = view(request).render()
        assert response.status_code == 200, response.content
        assert len(response.context_data["cl"].result_list) == PAGE_SIZE

    return bare, admin


def _staff() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model()(pk=0, username="staff", is_staff=True, is_superuser=True)


def _alone() -> None:
    """Run this benchmark by itself, on a scratch database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=DEVICES)
    devices = parser.parse_args().devices
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment, teardown_test_environment

    setup_test_environment(debug=False)
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        main(devices)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        teardown_test_environment()


if __name__ == "__main__":
    _alone()
