"""New devices, and who makes room for them."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore

from tests import factories
from tests.conftest import NOW
from trusted_devices import signals
from trusted_devices.crypto import device_secret
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import registration, sessions
from trusted_devices.types import Binding, By, DeviceStatus, StatusReason

DAY = timedelta(days=1)


@pytest.fixture
def make(user):
    """Store a device of ``user``, trusted for another day, or as the arguments say."""

    def make_it(owner=None, **fields):
        return Device.objects.bulk_create([factories.remembered(owner or user, expires_at=NOW + DAY, **fields)])[0]

    return make_it


class TestConfirming:
    def test_a_confirmed_device_is_tracked_but_not_remembered(self, user, client_info):
        device, credential = registration.confirm(user=user, name="Laptop", by=By(client=client_info, at=NOW))
        device.refresh_from_db()
        assert device.status == DeviceStatus.NOT_REMEMBERED
        assert device.status_reason == StatusReason.CONFIRMED
        assert (device.name, device.binding) == ("Laptop", Binding.COOKIE)
        assert (device.confirmed_at, device.last_authenticated_at, device.created_at) == (NOW, NOW, NOW)
        assert (device.last_ip, device.user_agent) == ("203.0.113.0", client_info.user_agent)
        assert (device.trust_granted_at, device.trust_expires_at) == (None, None)
        assert DeviceEvent.objects.get().action == "confirmed"
        assert credential.device_key == device.device_key
        assert credential.group_key == device.device_group_key

    def test_the_secret_is_the_clients_and_only_its_digest_is_stored(self, user, client_info):
        device, credential = registration.confirm(user=user, by=By(client=client_info))
        assert device.secret_digest == device_secret.digest(credential.secret)
        assert credential.secret not in str(Device.objects.values_list().get())

    def test_it_is_announced_after_the_commit(self, user, client_info, django_capture_on_commit_callbacks):
        announced = []

        def hear(device, **_arguments):
            announced.append(device)

        signals.device_confirmed.connect(hear)
        with django_capture_on_commit_callbacks(execute=True):
            device, _credential = registration.confirm(user=user, by=By(client=client_info))
            assert announced == []
        assert announced == [device]

    def test_a_backend_that_is_away_leaves_no_device(self, user, client_info, settings):
        settings.TRUSTED_DEVICES = {"BACKEND": "tests.services.owner.AWAY"}
        with pytest.raises(BackendUnavailable):
            registration.confirm(user=user, by=By(client=client_info))
        assert not Device.objects.exists()
        assert not DeviceEvent.objects.exists()


class TestTheLimit:
    @pytest.fixture(autouse=True)
    def _three(self, settings):
        settings.TRUSTED_DEVICES = {"MAX_DEVICES_PER_USER": 3}

    def test_below_it_nobody_has_to_go(self, make, user, client_info):
        for _ in range(2):
            make()
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert Device.objects.count() == 3

    def test_the_longest_unused_goes_first(self, make, user, client_info):
        oldest = make(last_authenticated_at=NOW - 9 * DAY)
        for age in (1, 5):
            make(last_authenticated_at=NOW - age * DAY)
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert Device.objects.count() == 3
        assert not Device.objects.filter(pk=oldest.pk).exists()
        event = DeviceEvent.objects.get(action="forgotten")
        assert (event.device_key, event.note, event.actor) == (oldest.device_key, "limit", None)

    def test_one_that_is_not_remembered_goes_before_any_that_is(self, make, user, client_info):
        make(last_authenticated_at=NOW - 9 * DAY)
        make(last_authenticated_at=None)
        recent = make(status=DeviceStatus.NOT_REMEMBERED, last_authenticated_at=NOW)
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert not Device.objects.filter(pk=recent.pk).exists()

    def test_one_that_was_never_used_goes_before_any_that_was(self, make, user, client_info):
        make(last_authenticated_at=NOW - 9 * DAY)
        never = make(last_authenticated_at=None)
        make()
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert not Device.objects.filter(pk=never.pk).exists()

    def test_of_devices_that_are_all_new_the_latest_stays(self, make, user, client_info):
        new = [make(created_at=at, last_authenticated_at=at) for at in (NOW - timedelta(seconds=age) for age in (9, 6))]
        third, _credential = registration.confirm(
            user=user, after_mfa=True, by=By(client=client_info, at=NOW - timedelta(seconds=3))
        )
        fourth, _credential = registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert set(Device.objects.all()) == {new[1], third, fourth}

    def test_a_lower_limit_takes_effect_at_the_next_new_device(self, make, user, client_info):
        for age in range(6):
            make(last_authenticated_at=NOW - age * DAY)
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert Device.objects.count() == 3

    def test_the_devices_of_others_do_not_count(self, make, user, other_user, client_info):
        for _ in range(3):
            make(other_user)
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert Device.objects.of(other_user).count() == 3

    def test_who_has_to_go_is_signed_out(self, make, user, client_info):
        session = SessionStore()
        session.create()
        oldest = make(last_authenticated_at=None)
        sessions.attach(device=oldest, session_key=session.session_key, now=NOW)
        for _ in range(2):
            make()
        registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
        assert not session.exists(session.session_key)

    def test_one_that_came_without_mfa_pushes_out_none_that_earned_trust(self, make, user, client_info):
        earned = [make() for _ in range(3)]
        device, _credential = registration.confirm(user=user, by=By(client=client_info, at=NOW))
        assert set(Device.objects.all()) == {*earned, device}

    def test_devices_without_earned_trust_go_before_those_with_it(self, make, user, client_info):
        earned = make(last_authenticated_at=NOW - 9 * DAY)
        over, none = (make(trust_expires_at=at, last_authenticated_at=NOW - DAY) for at in (NOW - DAY, None))
        for gone in (over, none):
            registration.confirm(user=user, after_mfa=True, by=By(client=client_info, at=NOW))
            assert not Device.objects.filter(pk=gone.pk).exists()
        assert Device.objects.filter(pk=earned.pk).exists()
