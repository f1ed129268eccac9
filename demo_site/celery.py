"""The demo's Celery application. The sweep runs every few seconds here, so that a trust can be watched expiring."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_site.settings")

app = Celery("demo_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

SWEEP_EVERY = timedelta(seconds=5)


@app.on_after_finalize.connect
def schedule(sender: Celery, **kwargs: Any) -> None:
    """Take over the schedules of both apps; only how often the sweep runs is the demo's."""
    # The tasks need Django's models, which are not loaded yet when this module is imported.
    from trusted_devices import tasks
    from trusted_devices.cognito_idp import tasks as endpoint_tasks

    sender.conf.beat_schedule = tasks.beat_schedule(expire_every=SWEEP_EVERY) | endpoint_tasks.beat_schedule()
