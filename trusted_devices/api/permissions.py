"""Who may do what: users with their own devices, staff by Django's model permissions."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from trusted_devices import conf
from trusted_devices.api.freshness import session_verification


class IsStaffWithPermission(BasePermission):
    """Staff who hold the view's permission for the action: looking and forgetting are two things."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        needed = view.permission_for(view.action)
        return bool(user.is_active and user.is_staff and (needed is None or user.has_perm(needed)))


class HasPassedMfa(BasePermission):
    """Sessions of staff must have passed a second factor (``ADMIN_REQUIRES_MFA``); tokens are the site's own matter."""

    message = _("Sign in with a second factor first.")
    code = "mfa_required"

    def has_permission(self, request: Request, view: Any) -> bool:
        by_session = isinstance(request.successful_authenticator, SessionAuthentication)
        if not by_session or not conf.get_settings().ADMIN_REQUIRES_MFA:
            return True
        note = session_verification(request)
        return note is not None and note.passed_mfa
