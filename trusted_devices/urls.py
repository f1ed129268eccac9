"""HTML routes: ``path("", include("trusted_devices.urls"))``."""

from __future__ import annotations

from django.urls import path

from trusted_devices.web.views import devices, sign_in, sign_out, verify

app_name = "trusted_devices"
urlpatterns = [
    path("sign-in/", sign_in.SignInView.as_view(), name="sign_in"),
    path("sign-in/new-password/", sign_in.NewPasswordView.as_view(), name="sign_in_new_password"),
    path("sign-in/code/", sign_in.CodeView.as_view(), name="sign_in_code"),
    path("sign-in/trust/", sign_in.TrustView.as_view(), name="sign_in_trust"),
    path("sign-in/cancel/", sign_in.CancelView.as_view(), name="sign_in_cancel"),
    path("sign-out/", sign_out.SignOutView.as_view(), name="sign_out"),
    path("verify/", verify.VerifyView.as_view(), name="verify"),
    path("devices/", devices.DeviceListView.as_view(), name="devices"),
    path("devices/ask-again/", devices.AskAgainView.as_view(), name="ask_again"),
    path("devices/forget-others/", devices.ForgetOthersView.as_view(), name="forget_other_devices"),
    path("devices/<slug:device_key>/rename/", devices.RenameView.as_view(), name="rename_device"),
    path("devices/<slug:device_key>/undo-rename/", devices.UndoRenameView.as_view(), name="undo_rename"),
    path("devices/<slug:device_key>/stop-trusting/", devices.StopTrustingView.as_view(), name="stop_trusting"),
    path("devices/<slug:device_key>/forget/", devices.ForgetView.as_view(), name="forget_device"),
]
