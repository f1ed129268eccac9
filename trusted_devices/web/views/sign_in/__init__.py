"""The pages of a sign-in: password, a new password where one is due, code, "trust this device?"."""

from __future__ import annotations

from trusted_devices.web.views.sign_in.code import CodeView
from trusted_devices.web.views.sign_in.new_password import NewPasswordView
from trusted_devices.web.views.sign_in.password import CancelView, SignInView
from trusted_devices.web.views.sign_in.trust import TrustView

__all__ = ["CancelView", "CodeView", "NewPasswordView", "SignInView", "TrustView"]
