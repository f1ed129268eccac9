"""Forms of the demo's security pages."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class CodeForm(forms.Form):
    """A code from the authenticator or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        help_text=_("From your authenticator app, or one of your recovery codes."),
        max_length=64,
        widget=forms.TextInput(
            attrs={
                "class": "td-code",
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )


class SetUpForm(forms.Form):
    """Proves that the authenticator works, and that whoever sets it up knows the password."""

    code = forms.CharField(
        label=_("Code from the app"),
        max_length=64,
        widget=forms.TextInput(attrs={"class": "td-code", "autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
