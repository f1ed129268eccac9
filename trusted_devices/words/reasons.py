"""Statuses, reasons and actions in people's words: one table for each enum of ``types``, with a line for each value."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trusted_devices.types import Binding, DeviceStatus, EventAction, StatusReason, TrustReason, VerifiedBy

STATUSES = {
    DeviceStatus.REMEMBERED: _("Remembered"),
    DeviceStatus.NOT_REMEMBERED: _("Not remembered"),
}
STATUS_REASONS = {
    StatusReason.CONFIRMED: _("Confirmed, not asked yet"),
    StatusReason.USER_TRUSTED: _("Trusted by its user"),
    StatusReason.TRACKING_ALWAYS: _("Every device is remembered"),
    StatusReason.STAFF_TRUSTED: _("Trusted by staff"),
    StatusReason.USER_STOPPED: _("Trust stopped by its user"),
    StatusReason.STAFF_STOPPED: _("Trust stopped by staff"),
    StatusReason.EXPIRED: _("Trust has ended"),
    StatusReason.PASSWORD_CHANGED: _("Password changed"),
    StatusReason.MFA_CHANGED: _("Second factor changed"),
    StatusReason.ACCOUNT_DISABLED: _("Account disabled"),
    StatusReason.COMPROMISED: _("Its key was copied"),
}
BINDINGS = {
    Binding.COOKIE: _("Recognised by a cookie"),
    Binding.SRP: _("Proves a device password"),
}
ACTIONS = {
    EventAction.SIGNED_IN: _("Signed in"),
    EventAction.SIGN_IN_FAILED: _("Sign-in failed"),
    EventAction.TRUST_REFUSED: _("Trust refused"),
    EventAction.CONFIRMED: _("Confirmed"),
    EventAction.REMEMBERED: _("Trusted"),
    EventAction.NOT_REMEMBERED: _("Trust stopped"),
    EventAction.SHORTENED: _("Trust shortened"),
    EventAction.RENAMED: _("Renamed"),
    EventAction.FORGOTTEN: _("Forgotten"),
    EventAction.EXPIRED: _("Trust ended"),
    EventAction.COMPROMISED: _("Key copied"),
}
TRUST_REASONS = {
    TrustReason.TRUSTED: _("Trusted"),
    TrustReason.NO_DEVICE: _("No device"),
    TrustReason.UNREADABLE_COOKIE: _("Unreadable cookie"),
    TrustReason.UNKNOWN_DEVICE: _("Unknown device"),
    TrustReason.WRONG_USER: _("Somebody else's device"),
    TrustReason.NOT_CONFIRMED: _("Not confirmed"),
    TrustReason.NOT_REMEMBERED: _("Not remembered"),
    TrustReason.EXPIRED: _("Trust has ended"),
    TrustReason.WRONG_SECRET: _("Wrong device secret"),
    TrustReason.SUPERSEDED_SECRET: _("Device secret already replaced"),
    TrustReason.PROOF_MISSING: _("No proof of the device"),
    TrustReason.PROOF_FAILED: _("Proof of the device failed"),
    TrustReason.CREDENTIALS_CHANGED: _("Password or second factor changed"),
    TrustReason.MFA_INACTIVE: _("No second factor"),
    TrustReason.POLICY_FORBIDS: _("Forbidden by policy"),
    TrustReason.RISK: _("Unusual sign-in"),
    TrustReason.BACKEND_UNAVAILABLE: _("Device backend not available"),
}
VERIFIED_BY = {
    VerifiedBy.PASSWORD: _("With a password alone"),
    VerifiedBy.TRUSTED_DEVICE: _("From a trusted device"),
    VerifiedBy.MFA: _("With a second factor"),
    VerifiedBy.RECOVERY: _("With a recovery code"),
}
REASONS = {
    str(reason): words
    for table in (STATUSES, TRUST_REASONS, VERIFIED_BY, STATUS_REASONS)
    for reason, words in table.items()
}
"""What an entry of the activity log gives as its reason."""


def describe(reason: str) -> str:
    """Return the reason in words; as it is where there are none for it, as for the code of an error."""
    return str(REASONS.get(reason, reason))
