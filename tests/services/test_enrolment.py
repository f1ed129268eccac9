"""Who may add, reset or remove a second factor."""

import pytest
from django_otp.plugins.otp_static.models import StaticDevice

from trusted_devices.exceptions import SecondFactorRequired
from trusted_devices.services import enrolment

pytestmark = pytest.mark.django_db


def test_whoever_has_none_may_add_the_first(user):
    StaticDevice.objects.create(user=user, confirmed=True).token_set.create(token="abcd2345")
    assert enrolment.may_change(user, verified=False), "recovery codes alone are no factor"


def test_whoever_has_one_must_have_used_it(user, totp):
    assert not enrolment.may_change(user, verified=False)
    assert enrolment.may_change(user, verified=True)
    with pytest.raises(SecondFactorRequired), enrolment.changing(user, verified=False):
        raise AssertionError("the block is never entered")
    with enrolment.changing(user, verified=True):
        totp.delete()


def test_factors_of_which_the_sign_in_backend_does_not_know_are_counted_in(user, monkeypatch):
    monkeypatch.setattr(enrolment, "_others", [])
    everybody = lambda _user: True  # noqa: E731
    for _again in range(2):
        enrolment.count_in(everybody)
    assert enrolment._others == [everybody]
    assert not enrolment.may_change(user, verified=False)


@pytest.mark.parametrize("act", [lambda users: users.update(is_active=False), lambda users: users.all().delete()])
def test_nobody_changes_factors_who_was_disabled_or_deleted_meanwhile(user, act):
    act(type(user).objects)
    with pytest.raises(SecondFactorRequired), enrolment.changing(user, verified=True):
        raise AssertionError("the block is never entered")
