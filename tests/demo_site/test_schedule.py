"""The demo's beat orders what both apps want done."""

from demo_site.celery import app
from trusted_devices import tasks
from trusted_devices.cognito_idp import tasks as endpoint_tasks


def test_the_schedules_of_both_apps_are_the_demos():
    app.finalize()
    assert set(app.conf.beat_schedule) == {*tasks.beat_schedule(), *endpoint_tasks.beat_schedule()}
