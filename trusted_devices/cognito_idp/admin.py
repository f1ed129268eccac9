"""The admin's pages: user pools, app clients, users' phone numbers, access keys.

A secret is shown on the one page that answers its making, and never again.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from trusted_devices.cognito_idp import accounts, factors, housekeeping, signing, sigv4
from trusted_devices.cognito_idp.forms import AccessKeyForm, ClientForm, PoolForm
from trusted_devices.cognito_idp.models import AccessKey, MfaConfiguration, PoolUser, UserPool, UserPoolClient
from trusted_devices.types import By

if TYPE_CHECKING:
    _PoolAdmin = admin.ModelAdmin[UserPool]
    _ClientAdmin = admin.ModelAdmin[UserPoolClient]
    _UserAdmin = admin.ModelAdmin[PoolUser]
    _KeyAdmin = admin.ModelAdmin[AccessKey]
else:
    _PoolAdmin = _ClientAdmin = _UserAdmin = _KeyAdmin = admin.ModelAdmin

SECRET_TEMPLATE = "admin/trusted_devices_cognito_idp/secret_once.html"  # noqa: S105 - a template


class Listed:
    """What all lists of this app have in common."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse lists of values: no filter asks for them, and Django lets numbers through that no column can hold."""
        allowed: bool = super().lookup_allowed(lookup, value, request)  # type: ignore[misc]
        return allowed and not lookup.endswith("__in")


@admin.register(UserPool)
class UserPoolAdmin(Listed, _PoolAdmin):
    """User pools."""

    form = PoolForm
    list_display = ("name", "pool_id", "tracking", "challenge_required_on_new_device", "mfa")
    list_filter = ("tracking", "mfa")
    search_fields = ("name", "pool_id")
    readonly_fields = ("created_at", "modified_at")
    actions = ("rotate_keys",)
    fieldsets = (
        (None, {"fields": ("name", "pool_id")}),
        (_("Devices"), {"fields": ("tracking", "challenge_required_on_new_device", "trust_period")}),
        (_("MFA"), {"fields": ("mfa", "software_token_mfa", "email_mfa", "sms_mfa")}),
        (
            _("Signing in"),
            {"fields": ("keep_srp_verifiers", "email_alias", "required_attributes", "refresh_without_device")},
        ),
        (
            _("Administration"),
            {"fields": ("threat_protection", "deletion_protection", "created_at", "modified_at")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: UserPool | None = None) -> tuple[str, ...]:
        """The id is settled once: clients and SRP verifiers depend on it."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "pool_id")

    def get_fieldsets(self, request: HttpRequest, obj: UserPool | None = None) -> Any:
        """Warn above the factors of those that the pool does not ask for."""
        warning = _gap(obj) if obj is not None else ""
        return [
            (title, {**options, "description": warning} if warning and "mfa" in options["fields"] else options)
            for title, options in super().get_fieldsets(request, obj)
        ]

    def has_delete_permission(self, request: HttpRequest, obj: UserPool | None = None) -> bool:
        """Not while it is protected."""
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.deletion_protection)

    def save_model(self, request: HttpRequest, obj: UserPool, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        signing.ensure_keys(obj, now=timezone.now())
        if warning := _gap(obj):
            self.message_user(request, warning, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: UserPool) -> None:
        user: Any = request.user
        housekeeping.delete_pool(obj, by=By(actor=user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UserPool]) -> None:
        for pool in queryset.filter(deletion_protection=False):
            self.delete_model(request, pool)

    @admin.action(description=_("Make new signing keys"), permissions=["change"])
    def rotate_keys(self, request: HttpRequest, queryset: QuerySet[UserPool]) -> None:
        """Rotate with overlap, as the command does."""
        pools = list(queryset)
        for pool in pools:
            signing.rotate(pool, now=timezone.now())
        message = ngettext(
            "%(count)d pool has new keys; they sign in an hour.",
            "%(count)d pools have new keys; they sign in an hour.",
            len(pools),
        )
        self.message_user(request, message % {"count": len(pools)})


@admin.register(UserPoolClient)
class UserPoolClientAdmin(Listed, _ClientAdmin):
    """App clients."""

    form = ClientForm
    list_display = ("name", "client_id", "pool", "has_secret")
    list_select_related = ("pool",)
    list_filter = ("pool",)
    search_fields = ("name", "client_id")
    readonly_fields = ("client_id", "has_secret", "created_at", "modified_at")

    @admin.display(description=_("secret"), boolean=True)
    def has_secret(self, obj: UserPoolClient) -> bool:
        """Whether it has one; never which."""
        return obj.has_secret

    def get_readonly_fields(self, request: HttpRequest, obj: UserPoolClient | None = None) -> tuple[str, ...]:
        """The pool is settled once."""
        return () if obj is None else (*self.readonly_fields, "pool")

    def get_fields(self, request: HttpRequest, obj: UserPoolClient | None = None) -> list[Any]:
        """Whether it has a secret is settled once, too."""
        fields = list(super().get_fields(request, obj))
        return fields if obj is None else [field for field in fields if field != "with_secret"]

    def save_model(self, request: HttpRequest, obj: UserPoolClient, form: Any, change: bool) -> None:
        if not change and form.cleaned_data.get("with_secret"):
            accounts.set_client_secret(obj, secrets.token_hex(26))
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: UserPoolClient, post_url_continue: str | None = None
    ) -> HttpResponse:
        if not obj.has_secret:
            return super().response_add(request, obj, post_url_continue)
        shown = {_("Client id"): obj.client_id, _("Client secret"): accounts.client_secret(obj)}
        return _shown_once(self, request, obj, shown)


@admin.register(PoolUser)
class PoolUserAdmin(Listed, _UserAdmin):
    """Users as pools know them: for giving them a phone number, and for having them set a new password."""

    list_display = ("user", "pool", "sub", "phone_number", "must_change_password")
    list_select_related = ("user", "pool")
    list_filter = ("pool", "must_change_password")
    search_fields = (f"user__{get_user_model().USERNAME_FIELD}", "phone_number")
    readonly_fields = ("user", "pool", "sub", "preferred_mfa", "mfa_enabled")
    fields = ("user", "pool", "sub", "phone_number", "must_change_password", "preferred_mfa", "mfa_enabled")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They are made at first sign-in."""
        return False


@admin.register(AccessKey)
class AccessKeyAdmin(Listed, _KeyAdmin):
    """Access keys."""

    form = AccessKeyForm
    list_display = ("access_key_id", "name", "all_pools", "is_active", "created_by", "created_at")
    list_select_related = ("created_by",)
    list_filter = ("is_active", "all_pools")
    search_fields = ("access_key_id", "name")
    filter_horizontal = ("pools",)
    readonly_fields = ("access_key_id", "created_by", "created_at")
    fields = ("name", "operations", "all_pools", "pools", "is_active", "access_key_id", "created_by", "created_at")

    def save_model(self, request: HttpRequest, obj: AccessKey, form: Any, change: bool) -> None:
        if not change:
            user: Any = request.user
            obj.created_by = user
            obj.sealed_secret = sigv4.new_secret(secrets.token_urlsafe(30))
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: AccessKey, post_url_continue: str | None = None) -> HttpResponse:
        shown = {_("Access key id"): obj.access_key_id, _("Secret access key"): sigv4.secret_of(obj)}
        return _shown_once(self, request, obj, shown)


def _gap(pool: UserPool) -> str:
    """Return what to say of second factors that users of the site have and ``pool`` does not ask for, if there are."""
    kinds = factors.not_asked(pool)
    if not kinds:
        return ""
    if pool.mfa == MfaConfiguration.ON:
        text = _("The pool does not ask for: %(kinds)s. Whoever has no other second factor cannot sign in to it.")
    else:
        text = _(
            "The pool does not ask for: %(kinds)s. Whoever has no other second factor signs in to it with a password"
            " alone, and can set up none there."
        )
    return str(text % {"kinds": ", ".join(kinds)})


def _shown_once(model_admin: Any, request: HttpRequest, obj: Any, shown: dict[Any, str]) -> HttpResponse:
    """Show secrets in the answer to the form itself: not in a message, which a cookie may carry, nor at any address."""
    meta = obj._meta
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Keep this secret now"),
        "opts": meta,
        "object": obj,
        "shown": shown,
        "change_url": reverse(
            f"{model_admin.admin_site.name}:{meta.app_label}_{meta.model_name}_change", args=[obj.pk]
        ),
    }
    response = TemplateResponse(request, SECRET_TEMPLATE, context)
    add_never_cache_headers(response)
    return response
