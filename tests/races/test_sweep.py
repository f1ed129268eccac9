"""Sweeps that meet each other, and people who go on using their devices meanwhile."""

from datetime import timedelta

from tests import factories
from tests.shared_database import at_once, update_statistics
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import activity, devices, expiry
from trusted_devices.types import By, EventAction, Presented

DUE = 200


def test_sweeps_share_the_work_and_flip_and_log_each_device_once(user, now):
    factories.store_due(user, DUE, now=now)
    trusted = factories.store_trusted(user, 20, now=now)

    def sweep():
        return sum(expiry.expire_due(now=now, batch_size=7))

    flipped = at_once(sweep, sweep, sweep)
    assert sum(flipped) == DUE
    assert set(Device.objects.remembered()) == set(trusted)
    logged = DeviceEvent.objects.values_list("device_id", flat=True)
    assert len(logged) == len(set(logged)) == DUE


def test_a_sweep_leaves_alone_what_another_transaction_is_about_to_change(user, now, grant, check):
    for _ in range(5):
        given = grant(now=now - timedelta(days=60))
        renewed, _swept = at_once(
            lambda given=given: grant(presented=Presented(credential=given.credential)),
            lambda: list(expiry.expire_due(now=now)),
        )
        assert renewed.device.pk == given.device.pk
        assert check(renewed.credential, now=now + timedelta(days=1)).decision.allowed
        Device.objects.all().delete()


def test_a_device_that_is_forgotten_while_it_is_swept_is_gone(user, now):
    for _ in range(5):
        due = factories.store_due(user, 20, now=now)
        results = at_once(
            lambda: sum(expiry.expire_due(now=now, batch_size=3)),
            lambda due=due: devices.forget(due[::-1], by=By(at=now)),
        )
        assert not [result for result in results if isinstance(result, Exception)]
        assert not Device.objects.exists()


def test_two_prunings_share_the_work(user, now):
    DeviceEvent.objects.bulk_create(
        DeviceEvent(user=user, action=EventAction.SIGNED_IN, created_at=now - timedelta(seconds=age))
        for age in reversed(range(DUE))
    )
    update_statistics(DeviceEvent)

    def prune():
        return sum(activity.prune(before=now, batch_size=7))

    assert sum(at_once(prune, prune)) == DUE - 1
    assert DeviceEvent.objects.count() == 1
