"""The demo's Celery application. The sweep runs every few seconds here, so that a trust can be watched expiring."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_site.settings")

app = Celery("demo_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

SWEEP_SECONDS = 5.0


@app.on_after_finalize.connect
def schedule(sender: Celery, **kwargs: Any) -> None:
    """Take over the app's own schedule; only how often the sweep runs is the demo's."""
    # The tasks need Django's models, which are not loaded yet when this module is imported.
    from trusted_devices.tasks import beat_schedule

    entries = beat_schedule()
    for entry in entries.values():
        if entry["task"] == "trusted_devices.tasks.expire_devices":
            entry["schedule"] = SWEEP_SECONDS
    sender.conf.beat_schedule = entries
