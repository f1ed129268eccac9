"""The forms of the pages. Each says what is wrong in words that its user can act on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import UsernameField
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from trusted_devices import conf
from trusted_devices.exceptions import InvalidDeviceName
from trusted_devices.services.devices import LONGEST_NAME, clean_name, why_refused
from trusted_devices.types import TrustOffer
from trusted_devices.words import times

LONGEST_USERNAME = 254
LONGEST_PASSWORD = 4096
LONGEST_CODE = 64
LONGEST_METHOD_ID = 300
LONGEST_ATTRIBUTE = 2048


def _text(label: Any, autocomplete: str = "off", kind: str = "text", **options: Any) -> Callable[[], forms.CharField]:
    attrs = {"autocomplete": autocomplete, "type": kind}
    return partial(
        forms.CharField, label=label, max_length=LONGEST_ATTRIBUTE, widget=forms.TextInput(attrs=attrs), **options
    )


ATTRIBUTE_FIELDS: dict[str, Callable[[], forms.Field]] = {
    "name": _text(_("Full name"), "name"),
    "given_name": _text(_("First name"), "given-name"),
    "middle_name": _text(_("Middle name"), "additional-name"),
    "family_name": _text(_("Last name"), "family-name"),
    "nickname": _text(_("Nickname"), "nickname"),
    "preferred_username": _text(_("User name that you prefer"), "username"),
    "email": partial(
        forms.EmailField, label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    ),
    "phone_number": _text(
        _("Phone number"), "tel", "tel", help_text=_("With a plus sign and the country's code, like +14155550123.")
    ),
    "birthdate": partial(
        forms.DateField,
        label=_("Date of birth"),
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "autocomplete": "bday"}),
    ),
    "address": _text(_("Address"), "street-address"),
    "gender": _text(_("Gender"), "sex"),
    "locale": _text(_("Language"), help_text=_("As a code, like en or de-AT.")),
    "zoneinfo": _text(_("Time zone"), help_text=_("As a name, like Europe/Vienna.")),
    "website": _text(_("Website"), "url", "url"),
    "profile": _text(_("Address of your profile"), "off", "url"),
    "picture": _text(_("Address of a picture of you"), "photo", "url"),
}
"""How attributes of OpenID Connect Core 1.0, section 5.1, are asked for; any other by its name."""


class SignInForm(forms.Form):
    """User name and password, whatever the user model calls the former."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ["username", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user_model = get_user_model()
        model_field: Any = user_model._meta.get_field(user_model.USERNAME_FIELD)
        self.fields["username"] = UsernameField(
            label=capfirst(str(model_field.verbose_name)),
            max_length=min(model_field.max_length or LONGEST_USERNAME, LONGEST_USERNAME),
            widget=forms.TextInput(attrs={"autofocus": True, "spellcheck": "false"}),
        )
        self.order_fields(self.field_order)


class CodeInput(forms.TextInput):
    """Never shows again what was typed: a code that was refused is of no more use."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class CodeForm(forms.Form):
    """A one-time code as typed or pasted: spaces and hyphens are welcome, what it must look like is the factor's."""

    code = forms.CharField(
        label=_("Code"),
        max_length=LONGEST_CODE,
        widget=CodeInput(
            attrs={
                "class": "td-code",
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
        error_messages={"required": _("Type the code."), "max_length": _("This is too long to be a code.")},
    )

    def __init__(self, *args: Any, numeric: bool = False, autofocus: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        attrs = self.fields["code"].widget.attrs
        if numeric:
            attrs["inputmode"] = "numeric"
        attrs["autofocus"] = autofocus


class NewPasswordForm(forms.Form):
    """A new password, typed twice, and what else is due of the user. Which passwords are good, the backend says."""

    new_password1 = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )
    new_password2 = forms.CharField(
        label=_("New password again"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, attributes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._attributes = {f"attribute_{number}": name for number, name in enumerate(attributes)}
        for field, name in self._attributes.items():
            self.fields[field] = ATTRIBUTE_FIELDS.get(name, _text(name))()

    def clean_new_password2(self) -> str:
        again: str = self.cleaned_data["new_password2"]
        if "new_password1" in self.cleaned_data and self.cleaned_data["new_password1"] != again:
            raise ValidationError(_("The two are not the same. Type the new password once more."), code="mismatch")
        return again

    @property
    def attributes(self) -> dict[str, str]:
        """What was typed of the user, by attribute."""
        return {name: str(self.cleaned_data[field]) for field, name in self._attributes.items()}


class MethodForm(forms.Form):
    """Which second factor to ask for instead."""

    method = forms.CharField(max_length=LONGEST_METHOD_ID)


class DeviceNameField(forms.CharField):
    """A device's name, by the rule that holds behind every door."""

    default_error_messages = {"required": _("Give the device a name.")}

    def __init__(self, *, longest: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest or conf.get_settings().MAX_NAME_LENGTH
        self.widget.attrs["maxlength"] = self.longest

    def clean(self, value: Any) -> str:
        name: str = super().clean(value)
        if not name:
            return name
        try:
            return clean_name(name, longest=self.longest)
        except InvalidDeviceName as error:
            raise ValidationError(why_refused(error), code=error.reason) from error


class DeviceFilterForm(forms.Form):
    """Which of the devices to show; every field may be left out."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    show = forms.ChoiceField(
        label=_("Show"),
        required=False,
        choices=[("", _("All devices")), ("trusted", _("Trusted")), ("not_trusted", _("Not trusted"))],
    )

    def chosen(self) -> tuple[str, str]:
        """Return the words to look for and what to show; empty where not given or not understood."""
        self.is_valid()
        return self.cleaned_data.get("q", ""), self.cleaned_data.get("show", "")


class UndoRenameForm(forms.Form):
    """The name that a device had before, and the state in which it was seen since."""

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["previous"] = DeviceNameField(longest=LONGEST_NAME, required=False, widget=forms.HiddenInput)


class RenameForm(forms.Form):
    """A new name for a device."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = DeviceNameField(
            label=_("Name"),
            help_text=_("Such as “Work laptop”. Only you and the staff of this site see it."),
            widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        )


@dataclass(frozen=True, slots=True)
class PeriodChoice:
    """One of the periods on offer, and the date it leads to."""

    words: str
    until: times.Moment

    def __str__(self) -> str:
        return _("%(period)s, until %(date)s") % {"period": self.words, "date": self.until}


class TrustForm(forms.Form):
    """For how long to trust the device, in seconds, and what to call it.

    ``cleaned_data["period"]`` is one of the offer's periods as a ``timedelta``.
    """

    def __init__(self, *args: Any, offer: TrustOffer, name: str = "", now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        by_seconds = {str(int(period.total_seconds())): period for period in offer.periods}
        choices = [
            (seconds, PeriodChoice(times.period(period), times.until(now + period, now)))
            for seconds, period in by_seconds.items()
        ]
        one_of_these = _("Choose one of these: %(periods)s.") % {
            "periods": ", ".join(choice.words for _seconds, choice in choices)
        }
        self.fields["period"] = forms.TypedChoiceField(
            label=_("For how long?"),
            choices=choices,
            coerce=by_seconds.__getitem__,
            initial=str(int(offer.default.total_seconds())),
            widget=forms.RadioSelect,
            error_messages={"invalid_choice": one_of_these, "required": one_of_these},
        )
        self.fields["name"] = DeviceNameField(
            label=_("Name of this device (optional)"),
            required=False,
            initial=name,
            help_text=_("So that you recognise it in your list."),
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )
