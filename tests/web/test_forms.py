"""What forms look like to a site that renders them by itself; their rules are tested on the pages."""

from datetime import timedelta

from trusted_devices.types import TrustOffer
from trusted_devices.web.forms import CodeForm, RenameForm, SignInForm, TrustForm


def offer(*days):
    """Return an offer of so many days each, with the first as default."""
    return TrustOffer(periods=tuple(map(timedelta, days)), default=timedelta(days[0]))


def test_a_plain_rendering_of_the_periods_has_their_end_dates(now):
    html = str(TrustForm(offer=offer(30, 60), now=now)["period"])
    assert "30 days, until March 31, 2026" in html
    assert "60 days, until April 30, 2026" in html


def test_a_chosen_period_comes_out_as_a_timedelta_and_a_name_may_be_left_out(now):
    form = TrustForm({"period": "2592000"}, offer=offer(30, 60), now=now)
    assert form.is_valid()
    assert form.cleaned_data == {"period": timedelta(days=30), "name": ""}


def test_the_user_names_field_is_called_what_the_user_model_calls_it(db):
    assert SignInForm()["username"].label == "Username"
    assert list(SignInForm().fields) == ["username", "password"]


def test_secrets_are_never_rendered_again():
    assert "hunter2" not in SignInForm({"username": "maria", "password": "hunter2"}).as_p()
    assert "123456" not in CodeForm({"code": "123456"}).as_p()


def test_the_longest_name_is_the_sites(settings):
    settings.TRUSTED_DEVICES = settings.TRUSTED_DEVICES | {"MAX_NAME_LENGTH": 8}
    assert RenameForm({"name": "12345678"}).is_valid()
    form = RenameForm({"name": "123456789"})
    assert form.errors == {"name": ["The name is too long. It may have at most 8 characters."]}
    assert 'maxlength="8"' in form.as_p()
