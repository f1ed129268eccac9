"""The admin's forms of pools, clients and access keys."""

from __future__ import annotations

from fnmatch import filter as matching
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from trusted_devices.cognito_idp.models import REFRESH_FLOW, AccessKey, UserPool, UserPoolClient, default_auth_flows
from trusted_devices.cognito_idp.registry import Access, operations

if TYPE_CHECKING:
    _PoolForm = forms.ModelForm[UserPool]
    _ClientForm = forms.ModelForm[UserPoolClient]
    _KeyForm = forms.ModelForm[AccessKey]
else:
    _PoolForm = _ClientForm = _KeyForm = forms.ModelForm

FLOW_LABELS = [
    ("ALLOW_USER_SRP_AUTH", _("Password, proved by SRP")),
    ("ALLOW_USER_PASSWORD_AUTH", _("Password")),
    ("ALLOW_ADMIN_USER_PASSWORD_AUTH", _("Password, through a server")),
    (REFRESH_FLOW, _("Refresh tokens")),
]


ATTRIBUTE_LABELS = [
    ("email", _("E-mail address")),
    ("given_name", _("Given name")),
    ("family_name", _("Family name")),
]


class PoolForm(_PoolForm):
    """A user pool."""

    required_attributes = forms.MultipleChoiceField(
        label=_("Required attributes"),
        choices=ATTRIBUTE_LABELS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=UserPool._meta.get_field("required_attributes").help_text,
    )

    class Meta:
        model = UserPool
        fields = "__all__"


class ClientForm(_ClientForm):
    """An app client. Whether it has a secret is decided once."""

    auth_flows = forms.MultipleChoiceField(
        label=_("Sign-in flows"),
        choices=FLOW_LABELS,
        initial=default_auth_flows,
        widget=forms.CheckboxSelectMultiple,
    )
    with_secret = forms.BooleanField(
        label=_("Generate a secret"),
        required=False,
        help_text=_("For servers. It is shown once. Apps in browsers and on phones cannot keep one."),
    )

    class Meta:
        model = UserPoolClient
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.fields.pop("with_secret", None)
            # A client that was made with old names of flows shows, and from then on has, those of today.
            self.initial["auth_flows"] = sorted(self.instance.flows)


class AccessKeyForm(_KeyForm):
    """An access key; its operations are written one to a line."""

    operations = forms.CharField(
        label=_("Operations"),
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("One to a line, such as AdminListDevices. “*” stands for anything, as in AdminList*."),
    )

    class Meta:
        model = AccessKey
        fields = ("name", "operations", "all_pools", "pools", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["operations"] = "\n".join(self.instance.operations)

    def clean_operations(self) -> list[str]:
        """Return the lines. Refuses one that no operation answers to."""
        signed = [name for name, operation in operations().items() if operation.access is Access.SIGNED]
        patterns: list[str] = self.cleaned_data["operations"].split()
        for pattern in patterns:
            if not matching(signed, pattern):
                raise forms.ValidationError(
                    _("There is no operation “%(pattern)s” that takes an access key."),
                    code="unknown_operation",
                    params={"pattern": pattern},
                )
        return patterns

    def clean(self) -> dict[str, Any]:
        """Refuse a key that could be taken for one of other pools than it is good for."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "pools" not in cleaned:
            return cleaned
        everywhere, somewhere = cleaned.get("all_pools", False), bool(cleaned["pools"])
        if everywhere and somewhere:
            self.add_error("pools", forms.ValidationError(_("Choose some or all of them, not both."), code="both"))
        if cleaned.get("is_active") and not (everywhere or somewhere):
            self.add_error("pools", forms.ValidationError(_("Choose some, or all of them."), code="none"))
        return cleaned
