"""Users of a user pool who are met, or whose names change hands, in two requests at once."""

from functools import partial
from threading import Barrier

import pytest
from django.contrib.auth import get_user_model

from tests.cognito.conftest import Browser, at, new_person, process
from tests.cognito.stubs import stubbed_settings
from tests.shared_database import PATIENCE, at_once
from trusted_devices.cognito import identities
from trusted_devices.models import CognitoUser

__all__ = ["process"]

ROUNDS = 20


@pytest.fixture
def meetings(monkeypatch):
    """Whom nobody knew yet, in two requests that found that out before either went on."""
    found = []
    meet, both = identities._meet, Barrier(2)

    def meet_at_once(mapper, sub, claims):
        both.wait(PATIENCE)
        found.append(sub)
        return meet(mapper, sub, claims)

    monkeypatch.setattr(identities, "_meet", meet_at_once)
    return found


@pytest.mark.parametrize(("totp", "then"), [(False, "home"), (True, "sign_in_code")])
def test_two_first_sign_ins_at_once_make_one_user_and_both_go_on(process, meetings, totp, then):
    person = new_person(process, totp=totp)
    browsers = [Browser(), Browser()]
    answers = at_once(*[lambda browser=browser: at(browser.password(person)) for browser in browsers])
    assert answers == [then, then]
    assert meetings == [person.sub] * 2
    user = get_user_model().objects.get()
    known = CognitoUser.objects.get()
    assert (known.user, known.sub, known.username) == (user, person.sub, person.username)
    if not totp:
        assert [browser.http.session["_auth_user_id"] for browser in browsers] == [str(user.pk)] * 2


@pytest.fixture
def names(settings):
    settings.TRUSTED_DEVICES = stubbed_settings()


def signs_in(sub, name):
    """Somebody whom the pool calls by that name, to be signed in."""
    return partial(identities.resolve, {"sub": sub, "cognito:username": name})


def holders():
    """Which name leads to whom."""
    return dict(CognitoUser.objects.values_list("sub", "username"))


def test_a_name_that_changes_hands_leads_to_its_new_holder(names):
    for number in range(ROUNDS):
        name, old, new = f"maria{number}", f"old{number}", f"new{number}"
        signs_in(old, name)()
        users = at_once(*[signs_in(new, name)] * 3)
        assert len({user.pk for user in users}) == 1
        assert (holders()[old], holders()[new]) == (None, name)


def test_people_who_swap_their_names_do_not_wait_for_each_other(names):
    for number in range(ROUNDS):
        one, other = f"one{number}", f"other{number}"
        users = [signs_in(sub, sub)() for sub in (one, other)]
        swapped = at_once(signs_in(one, other), signs_in(other, one))
        assert swapped == users
        assert (holders()[one], holders()[other]) == (other, one)


def test_a_free_name_that_two_claim_at_once_leads_to_one_of_them(names):
    for number in range(ROUNDS):
        one, other = f"one{number}", f"other{number}"
        users = [signs_in(sub, sub)() for sub in (one, other)]
        claimed = at_once(*[signs_in(sub, f"free{number}") for sub in (one, other)])
        assert claimed == users
        assert sorted(holders()[sub] is None for sub in (one, other)) == [False, True]
