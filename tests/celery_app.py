"""A Celery application for workers that tests start: it has the app's own schedule, only faster."""

import os
from datetime import timedelta

import django
from celery import Celery

django.setup()

from trusted_devices.owners.base import DeviceOwner  # noqa: E402 - needs Django's models
from trusted_devices.tasks import beat_schedule  # noqa: E402

EVERY_SECOND = timedelta(seconds=1)

app = Celery("tests")
app.conf.update(
    broker_url=os.environ["TEST_BROKER_URL"],
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    beat_schedule=beat_schedule(expire_every=EVERY_SECOND, prune_every=EVERY_SECOND),
)
if size := os.environ.get("TEST_BATCH_SIZE"):
    DeviceOwner.batch_size = int(size)
if folder := os.environ.get("TEST_BROKER_FOLDER"):
    app.conf.broker_transport = "demo_site.broker:Transport"
    app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), folder)
if prefix := os.environ.get("TEST_BROKER_PREFIX"):
    app.conf.broker_transport_options = {"global_keyprefix": prefix}
app.autodiscover_tasks()
